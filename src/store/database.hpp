// The store port: units of work over SQLite or PostgreSQL behind one interface.
//
// A unit of work is a plain synchronous function over Tx& that runs on a store thread; the caller awaits its result. It
// may run more than once (busy, deadlock, serialization failure, lost connection before COMMIT), so it has no other
// side effects. No coroutine ever holds a transaction.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/async/task.hpp"
#include "core/base/bytes.hpp"
#include "core/base/number.hpp"
#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "core/base/uuid.hpp"

namespace agentauri::store {

// A statement with a name (seen in metrics, logs and the prepare test), declared as a constant beside the function that
// runs it. Parameters are `:name`; `::` is forbidden (use CAST). When the dialects cannot agree, `postgres` holds the
// other text. Constructing one registers it: all_queries() lists every statement of the program.
struct Query {
  std::string_view name;
  std::string_view sql;        // both engines, or SQLite when `postgres` is set
  std::string_view postgres;   // empty: the same text

  Query(std::string_view name, std::string_view sql, std::string_view postgres = {});

  // For an engine's own use: not listed, so it need not be understood by the other engine.
  struct Unlisted {};
  Query(Unlisted, std::string_view name, std::string_view sql) : name(name), sql(sql) {}
};
const std::vector<const Query*>& all_queries();

// What a parameter or a cell can hold. Engines encode by the column's type: uuid as 16 bytes, time as microseconds,
// numeric, json and text as text, bool as 0 or 1 where the engine has no bool.
using Cell = std::variant<std::monostate, std::int64_t, bool, std::string, Bytes>;

// Parameters by name. The same statement may be run with NULL for any of them.
class Params {
 public:
  Params& null(std::string_view name);
  Params& i64(std::string_view name, std::optional<std::int64_t> value);
  Params& boolean(std::string_view name, std::optional<bool> value);
  Params& text(std::string_view name, std::optional<std::string> value);
  Params& blob(std::string_view name, ByteView value);
  Params& uuid(std::string_view name, const std::optional<Uuid>& value);
  Params& time(std::string_view name, std::optional<Time> value);
  Params& numeric(std::string_view name, std::optional<std::string> decimal_text);
  template <class Tag>
  Params& id(std::string_view name, const Id<Tag>& value) {
    return uuid(name, value.uuid);
  }

  enum class Kind : std::uint8_t { i64, boolean, text, blob, uuid, time, numeric, null };
  struct Param {
    std::string_view name;   // a literal of the caller
    Kind kind;
    Cell value;
  };
  const std::vector<Param>& all() const { return params_; }

 private:
  Params& add(std::string_view name, Kind kind, Cell value);
  std::vector<Param> params_;
};

// The rows of an answer, materialised. Getters take the column's position in the SELECT list; reading NULL or another
// type than the column has is a bug (ENSURE), except through the `*_or_null` forms.
class Rows {
 public:
  Rows() = default;
  Rows(std::size_t columns, std::vector<Cell> cells, std::int64_t affected);

  std::size_t size() const { return columns_ == 0 ? 0 : cells_.size() / columns_; }
  bool empty() const { return size() == 0; }
  std::int64_t affected() const { return affected_; }   // rows inserted, updated or deleted

  bool is_null(std::size_t row, std::size_t column) const;
  std::int64_t i64(std::size_t row, std::size_t column) const;
  bool boolean(std::size_t row, std::size_t column) const;
  const std::string& text(std::size_t row, std::size_t column) const;   // text, numeric and json columns
  Bytes blob(std::size_t row, std::size_t column) const;
  Uuid uuid(std::size_t row, std::size_t column) const;
  Time time(std::size_t row, std::size_t column) const;
  std::optional<std::int64_t> i64_or_null(std::size_t row, std::size_t column) const;
  std::optional<std::string> text_or_null(std::size_t row, std::size_t column) const;
  std::optional<Uuid> uuid_or_null(std::size_t row, std::size_t column) const;
  std::optional<Time> time_or_null(std::size_t row, std::size_t column) const;
  template <class IdType>
  IdType id(std::size_t row, std::size_t column) const {
    return IdType{uuid(row, column)};
  }
  template <std::size_t N>
  FixedBytes<N> fixed(std::size_t row, std::size_t column) const {
    const auto out = FixedBytes<N>::from(blob(row, column));
    ENSURE(out.has_value(), "a binary column has the wrong length");
    return *out;
  }

 private:
  const Cell& cell(std::size_t row, std::size_t column) const;
  std::size_t columns_ = 0;
  std::vector<Cell> cells_;
  std::int64_t affected_ = 0;
};

// One transaction, valid only inside its body and on its thread. After an error the body must return it: every further
// statement is refused with the same error, a success that hides it becomes Code::internal, and the transaction is
// rolled back whole. Values are checked alike on both engines: text is UTF-8 without NUL, a numeric is a whole decimal
// of at most 39 digits, a time lies in the years 1 to 9999.
class Tx {
 public:
  virtual ~Tx() = default;
  virtual Result<Rows> run(const Query& query, const Params& params = {}) = 0;
  // The same statement for many parameter sets, without results: one round trip on PostgreSQL. Returns rows affected.
  virtual Result<std::int64_t> run_many(const Query& query, const std::vector<Params>& sets) = 0;
  // Parses and plans the statement without running it: the test that holds every query against both engines.
  virtual Result<void> prepare(const Query& query) = 0;
  // The database's clock, the same for the whole transaction (leases and heartbeats live on it).
  virtual Result<Time> now() = 0;
};

// Interactive units go before bulk ones. A bulk unit is at most about 500 rows or 20 ms of work.
enum class Priority : std::uint8_t { interactive, bulk };

// So many units of one kind wait for a store thread; a further one fails with Code::busy.
inline constexpr std::size_t kMaxWaitingUnits = 16'384;

struct Health {
  bool reachable = false;
  std::string detail;      // why not
  bool migrated = false;   // the schema has all that this program needs; a newer program may have added to it
};

class Database {
 public:
  virtual ~Database() = default;

  // One statement in a read-only transaction of its own, on a reader where the engine has one: SELECT only.
  Task<Result<Rows>> query(const Query& query, Params params = {});
  // All or nothing; committed durably when the result arrives.
  template <class T>
  Task<Result<T>> transact(Priority priority, std::move_only_function<Result<T>(Tx&)> body);
  // A consistent read-only view for several SELECTs. `bulk`: one that may take long; where readers are few, one of them
  // is kept free of those.
  template <class T>
  Task<Result<T>> snapshot(std::move_only_function<Result<T>(Tx&)> body, Priority priority = Priority::interactive);

  // The same for threads that may block: the engine, command-line tools, tests.
  Result<Rows> query_blocking(const Query& query, Params params = {});
  template <class T>
  Result<T> transact_blocking(Priority priority, std::move_only_function<Result<T>(Tx&)> body);
  template <class T>
  Result<T> snapshot_blocking(std::move_only_function<Result<T>(Tx&)> body, Priority priority = Priority::interactive);

  virtual std::string_view engine() const = 0;   // "sqlite" or "postgres"
  // Checks with a deadline of 2 s of its own, never waiting behind other units.
  virtual Task<Health> check_health() = 0;
  // Fires (from any thread) when somebody notified `channel`: in this process, and on PostgreSQL by NOTIFY too. A hint
  // for latency: it may be lost.
  virtual void on_notify(std::string channel, std::function<void()> hook) = 0;
  virtual void notify(std::string_view channel) = 0;
  // Finishes queued units, joins the threads. Nothing may be submitted afterwards (it fails with cancelled).
  virtual void stop() = 0;

 protected:
  enum class Mode : std::uint8_t { write, read };
  using Body = std::move_only_function<Result<void>(Tx&)>;
  using Done = std::move_only_function<void(Result<void>)>;
  // Runs `body` on a store thread, then `done` with its outcome on that thread. Never blocks the caller, never throws.
  virtual void submit(Mode mode, Priority priority, Body body, Done done) = 0;

 private:
  Task<Result<void>> run(Mode mode, Priority priority, Body body);
  Result<void> run_blocking(Mode mode, Priority priority, Body body);
  template <class T>
  static Body capture(std::shared_ptr<std::optional<T>> out, std::move_only_function<Result<T>(Tx&)> body);
};

// --- templates -------------------------------------------------------------------------------------------------------

template <class T>
Database::Body Database::capture(std::shared_ptr<std::optional<T>> out, std::move_only_function<Result<T>(Tx&)> body) {
  return [out = std::move(out), body = std::move(body)](Tx& tx) mutable -> Result<void> {
    auto result = body(tx);
    if (!result) return std::unexpected(std::move(result.error()));
    *out = std::move(*result);
    return {};
  };
}

// The result lives in shared state, not in the coroutine frame: a cancelled caller may be gone before the store thread.
template <class T>
Task<Result<T>> Database::transact(Priority priority, std::move_only_function<Result<T>(Tx&)> body) {
  if constexpr (std::is_void_v<T>) {
    co_return co_await run(Mode::write, priority, std::move(body));
  } else {
    auto out = std::make_shared<std::optional<T>>();
    const auto done = co_await run(Mode::write, priority, capture<T>(out, std::move(body)));
    if (!done) co_return std::unexpected(done.error());
    co_return std::move(**out);
  }
}

template <class T>
Task<Result<T>> Database::snapshot(std::move_only_function<Result<T>(Tx&)> body, Priority priority) {
  auto out = std::make_shared<std::optional<T>>();
  const auto done = co_await run(Mode::read, priority, capture<T>(out, std::move(body)));
  if (!done) co_return std::unexpected(done.error());
  co_return std::move(**out);
}

template <class T>
Result<T> Database::transact_blocking(Priority priority, std::move_only_function<Result<T>(Tx&)> body) {
  if constexpr (std::is_void_v<T>) {
    return run_blocking(Mode::write, priority, std::move(body));
  } else {
    auto out = std::make_shared<std::optional<T>>();
    auto done = run_blocking(Mode::write, priority, capture<T>(out, std::move(body)));
    if (!done) return std::unexpected(std::move(done.error()));
    return std::move(**out);
  }
}

template <class T>
Result<T> Database::snapshot_blocking(std::move_only_function<Result<T>(Tx&)> body, Priority priority) {
  auto out = std::make_shared<std::optional<T>>();
  auto done = run_blocking(Mode::read, priority, capture<T>(out, std::move(body)));
  if (!done) return std::unexpected(std::move(done.error()));
  return std::move(**out);
}

}   // namespace agentauri::store
