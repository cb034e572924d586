// One SQLite connection with its prepared statements. Used by one thread.
#pragma once

#include <sqlite3.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/telemetry/metrics.hpp"
#include "store/database.hpp"

namespace agentauri::store::sqlite {

class Connection {
 public:
  // `metrics` may be null.
  static Result<std::unique_ptr<Connection>> open(const std::string& path, bool read_only, Metrics* metrics);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // From now on run() ends with Code::timed_out after `limit`.
  void limit_statements(std::chrono::milliseconds limit);
  // Statements without parameters and results, several at once.
  Result<void> execute(const char* sql);
  Result<Rows> run(const Query& query, const Params& params);
  Result<std::int64_t> run_many(const Query& query, const std::vector<Params>& sets);
  Result<void> prepare_only(const Query& query);
  // Writes the database as this connection's transaction sees it to the file `path`, which must not exist.
  Result<void> copy_into(const std::string& path);
  // false after an error that made SQLite roll the transaction back by itself (disk full, I/O error).
  bool in_transaction() const { return sqlite3_get_autocommit(db_) == 0; }
  // Whether the last call failed in the file system: of a COMMIT nobody knows then what a restart will find.
  bool failed_in_io() const { return (sqlite3_errcode(db_) & 0xff) == SQLITE_IOERR; }

 private:
  struct Statement {
    sqlite3_stmt* handle = nullptr;
    std::vector<std::string> names;    // of its parameters, without the colon
    std::vector<std::size_t> places;   // where each was found in the last Params: they seldom move
    std::optional<Histogram> timing = std::nullopt;
  };

  Connection(sqlite3* db, Metrics* metrics) : db_(db), metrics_(metrics) {}
  Result<Statement*> prepare(const Query& query);
  Result<void> bind(Statement& statement, const Params& params, const Query& query);
  std::unexpected<Error> error(const Query* query) const;

  sqlite3* db_;
  Metrics* metrics_;
  std::optional<std::chrono::milliseconds> limit_;
  std::optional<std::chrono::steady_clock::time_point> deadline_;   // of the statement that runs
  std::unordered_map<const Query*, Statement> statements_;
};

}   // namespace agentauri::store::sqlite
