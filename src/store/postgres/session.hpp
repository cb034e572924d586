// One connection to PostgreSQL with its prepared statements. Used by one thread; every wait has a deadline.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/telemetry/metrics.hpp"
#include "store/database.hpp"
#include "store/postgres/postgres_database.hpp"

namespace agentauri::store::postgres {

struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using PgResult = std::unique_ptr<PGresult, ClearResult>;

class Session {
 public:
  static Result<std::unique_ptr<Session>> connect(const PostgresSettings& settings);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // A transaction begins with its first statement: `begin` goes in the same packet, and a unit that runs nothing sends
  // nothing. `idle_limit`: the server ends the transaction when we stand still in it for longer; zero: never.
  void begin(std::string_view begin, std::chrono::milliseconds idle_limit = {});
  bool has_begun() const { return begin_.empty(); }   // something was sent since begin()
  // Of one that changed nothing: COMMIT is sent and its answer read before whatever comes next.
  void commit_later();
  // Simple protocol: COMMIT, ROLLBACK, migration files (several statements at once).
  Result<void> execute(const std::string& sql, std::chrono::milliseconds limit);
  Result<Rows> run(const Query& query, const Params& params);
  Result<std::int64_t> run_many(const Query& query, const std::vector<Params>& sets);
  // Parses and plans a statement without running it.
  Result<void> prepare_only(const Query& query);

  bool lost() const { return lost_; }             // the connection is of no more use
  bool may_retry() const { return retryable_; }   // serialization failure or deadlock since the last begin()
  void abandon() { lost_ = true; }                // its state is not known any more
  PGconn* handle() { return connection_; }
  // Waits for input or the deadline; false when the limit passed. `wake_fd` (or -1) ends the wait too. Sets lost() when
  // the server has hung up.
  bool wait_readable(std::chrono::milliseconds limit, int wake_fd);

 private:
  struct Statement {
    std::string name;
    std::vector<std::string> parameters;   // in the order of $1, $2, …
    std::vector<Oid> types;
    std::vector<std::size_t> places;   // where each was found in the last Params: they seldom move
    std::optional<Histogram> timing;
  };
  struct Arguments;

  Session(PGconn* connection, std::chrono::milliseconds limit, Metrics* metrics)
      : connection_(connection), limit_(limit), metrics_(metrics) {}
  Result<Statement*> prepare(const Query& query);
  Result<void> encode(Statement& statement, const Params& params, const Query& query, Arguments& out);
  Result<PgResult> next_result(std::chrono::steady_clock::time_point deadline);
  Result<void> flush(std::chrono::steady_clock::time_point deadline);
  Result<void> describe(Statement& statement, const Query& query);
  void cancel();
  Result<void> drain(std::chrono::steady_clock::time_point deadline);
  Result<void> settle();
  Result<void> begin_now();
  Result<Rows> run_first(Statement& statement, const Arguments& arguments, const Query& query);
  std::unexpected<Error> lost_connection(std::string text);
  std::unexpected<Error> statement_error(const PGresult* result, std::string_view query);

  PGconn* connection_;
  std::chrono::milliseconds limit_;
  Metrics* metrics_;
  bool lost_ = false;
  bool retryable_ = false;
  std::string begin_;         // not sent yet
  std::string begin_limit_;   // goes behind it; may be empty
  bool owes_ = false;         // an answer of commit_later() is still to be read
  std::unordered_map<const Query*, Statement> statements_;
};

}   // namespace agentauri::store::postgres
