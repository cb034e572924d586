// The Tx that bodies see, over either engine's connection: it remembers the first failure of a unit.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <vector>

#include "store/database.hpp"

namespace agentauri::store {

// After a failed statement every further one is refused with the same error. That is PostgreSQL's own rule, and on
// SQLite it is vital: an error that rolled the transaction back by itself would leave later statements to commit one by
// one.
template <class Connection>
class UnitTx : public Tx {
 public:
  explicit UnitTx(Connection& connection) : connection_(connection) {}

  Result<Rows> run(const Query& query, const Params& params) override {
    return guarded<Rows>([&] { return connection_.run(query, params); });
  }
  Result<std::int64_t> run_many(const Query& query, const std::vector<Params>& sets) override {
    return guarded<std::int64_t>([&] { return connection_.run_many(query, sets); });
  }
  Result<void> prepare(const Query& query) override {
    return guarded<void>([&] { return connection_.prepare_only(query); });
  }

  // Runs the body; a throw is an error, and a success that hides a failed statement is none.
  Result<void> run_body(std::move_only_function<Result<void>(Tx&)>& body) {
    Result<void> outcome;
    try {
      outcome = body(*this);
    } catch (const std::exception& e) {
      outcome = fail(Code::internal, fmt::format("a unit of work threw: {}", e.what()));
    } catch (...) {
      outcome = fail(Code::internal, "a unit of work threw");
    }
    if (outcome && failure_) {
      outcome = fail(Code::internal, fmt::format("a unit of work hid the failure of a statement: {}", failure_->text));
    }
    return outcome;
  }

 protected:
  template <class T, class F>
  Result<T> guarded(F&& statement) {
    if (failure_) return std::unexpected(*failure_);
    Result<T> result = statement();
    if (!result) failure_ = result.error();
    return result;
  }
  Connection& connection_;

 private:
  std::optional<Error> failure_;
};

}   // namespace agentauri::store
