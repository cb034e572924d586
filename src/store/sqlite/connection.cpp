#include "store/sqlite/connection.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "store/query_timing.hpp"
#include "store/value_check.hpp"

namespace agentauri::store::sqlite {
namespace {

constexpr std::size_t kRowsExpected = 4;   // of an answer: what most need, before its memory grows

// What follows the colon in "UNIQUE constraint failed: accounts.username_key".
std::string constraint_of(std::string_view message) {
  const std::size_t colon = message.find(": ");
  return colon == std::string_view::npos ? std::string() : std::string(message.substr(colon + 2));
}

std::unexpected<Error> map_error(int code, std::string_view message, std::string_view query) {
  const std::string text = query.empty() ? std::string(message) : fmt::format("{}: {}", query, message);
  switch (code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
      return fail(Code::conflict, constraint_of(message), text);
    case SQLITE_CONSTRAINT_CHECK:
      // The columns that are narrower on PostgreSQL: SQLite has one integer type, so a named CHECK stands for theirs.
      if (constraint_of(message).starts_with("range_")) return fail(Code::overflow, constraint_of(message), text);
      return fail(Code::check_failed, constraint_of(message), text);
    case SQLITE_CONSTRAINT_NOTNULL:
      return fail(Code::check_failed, constraint_of(message), text);
    case SQLITE_CONSTRAINT_FOREIGNKEY:
      return fail(Code::conflict, "foreign_key", text);
    case SQLITE_CONSTRAINT_DATATYPE:
      // A sum beyond 64 bits becomes a REAL, which a STRICT column refuses.
      if (message.starts_with("cannot store REAL value in INTEGER")) return fail(Code::overflow, text);
      return fail(Code::invalid, constraint_of(message), text);
    default:
      break;
  }
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return fail(Code::busy, text);
    case SQLITE_INTERRUPT:
      return fail(Code::timed_out, "the statement took too long: " + text);
    case SQLITE_FULL:
      return fail(Code::unavailable, "the disk or the file is full: " + text);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
      return fail(Code::unavailable, text);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return fail(Code::corrupt, text);
    case SQLITE_TOOBIG:
      return fail(Code::too_large, text);
    case SQLITE_RANGE:
    case SQLITE_MISMATCH:
      return fail(Code::invalid, text);
    case SQLITE_NOMEM:
      return fail(Code::unavailable, text);
    case SQLITE_ERROR:
      if (message == "integer overflow") return fail(Code::overflow, text);
      return fail(Code::internal, text);
    default:
      return fail(Code::internal, text);
  }
}

// Of SQLite's virtual machine; about a millisecond.
constexpr int kStepsBetweenLooks = 10'000;

// Leaves the statement ready for its next run, whatever happened.
struct Reset {
  sqlite3_stmt* handle;
  ~Reset() {
    sqlite3_reset(handle);
    sqlite3_clear_bindings(handle);
  }
};

Cell read_cell(sqlite3_stmt* handle, int column) {
  switch (sqlite3_column_type(handle, column)) {
    case SQLITE_INTEGER:
      return static_cast<std::int64_t>(sqlite3_column_int64(handle, column));
    case SQLITE_TEXT: {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(handle, column));
      return std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(handle, column)));
    }
    case SQLITE_BLOB: {
      const auto* bytes = static_cast<const std::uint8_t*>(sqlite3_column_blob(handle, column));
      return Bytes(bytes, bytes + sqlite3_column_bytes(handle, column));
    }
    case SQLITE_FLOAT:
      return fmt::format("{}", sqlite3_column_double(handle, column));
    default:
      return std::monostate{};
  }
}

int bind_cell(sqlite3_stmt* handle, int index, const Cell& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) return sqlite3_bind_int64(handle, index, *number);
  if (const auto* flag = std::get_if<bool>(&value)) return sqlite3_bind_int64(handle, index, *flag ? 1 : 0);
  // SQLITE_STATIC: the Params outlive the run.
  if (const auto* text = std::get_if<std::string>(&value)) {
    return sqlite3_bind_text64(handle, index, text->data(), text->size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  if (const auto* bytes = std::get_if<Bytes>(&value)) {
    return bytes->empty() ? sqlite3_bind_zeroblob(handle, index, 0)
                          : sqlite3_bind_blob64(handle, index, bytes->data(), bytes->size(), SQLITE_STATIC);
  }
  return sqlite3_bind_null(handle, index);
}

}   // namespace

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path, bool read_only, Metrics* metrics) {
  // Password hashes are in it: readable by its owner alone. SQLite gives the WAL the mode of the database.
  if (!read_only) {
    if (const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600); fd >= 0) ::close(fd);
  }
  sqlite3* db = nullptr;
  const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE | (read_only ? 0 : SQLITE_OPEN_CREATE);
  const int code = sqlite3_open_v2(path.c_str(), &db, flags, nullptr);
  std::unique_ptr<Connection> connection(new Connection(db, metrics));
  if (code != SQLITE_OK) return map_error(code, fmt::format("{} cannot be opened: {}", path, sqlite3_errstr(code)), {});
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_timeout(db, 5000);
  // FULL: a commit is on the disk when it is answered. The writer copies the WAL back once it holds 32 MB: a bulk
  // commit touches a thousand pages, most of them again in the next one, and at SQLite's 4 MB each commit would copy
  // them all.
  auto set = connection->execute(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;"
      "PRAGMA cache_size = -8192; PRAGMA trusted_schema = OFF; PRAGMA wal_autocheckpoint = 8000;");
  if (!set) return fail(set);
  if (read_only) {
    if (auto only = connection->execute("PRAGMA query_only = ON;"); !only) return fail(only);
  }
  return connection;
}

void Connection::limit_statements(std::chrono::milliseconds limit) {
  limit_ = limit;
  sqlite3_progress_handler(
      db_, kStepsBetweenLooks,
      [](void* self) {
        const auto& deadline = static_cast<Connection*>(self)->deadline_;
        return deadline && std::chrono::steady_clock::now() > *deadline ? 1 : 0;
      },
      this);
}

Connection::~Connection() {
  for (auto& [query, statement] : statements_) sqlite3_finalize(statement.handle);
  sqlite3_close(db_);
}

std::unexpected<Error> Connection::error(const Query* query) const {
  return map_error(sqlite3_extended_errcode(db_), sqlite3_errmsg(db_),
                   query == nullptr ? std::string_view{} : query->name);
}

Result<void> Connection::execute(const char* sql) {
  if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return error(nullptr);
  return {};
}

Result<Connection::Statement*> Connection::prepare(const Query& query) {
  if (const auto found = statements_.find(&query); found != statements_.end()) return &found->second;
  Statement statement;
  const auto length = static_cast<int>(query.sql.size());
  const char* rest = nullptr;
  if (sqlite3_prepare_v3(db_, query.sql.data(), length, SQLITE_PREPARE_PERSISTENT, &statement.handle, &rest) !=
      SQLITE_OK)
    return error(&query);
  ENSURE(rest == query.sql.data() + length, "a query holds one statement");
  const int count = sqlite3_bind_parameter_count(statement.handle);
  for (int i = 1; i <= count; ++i) {
    const char* name = sqlite3_bind_parameter_name(statement.handle, i);
    ENSURE(name != nullptr && name[0] == ':', "parameters are bound by name");
    statement.names.emplace_back(name + 1);
  }
  statement.places.resize(statement.names.size());
  statement.timing = query_histogram(metrics_, query.name);
  return &statements_.emplace(&query, std::move(statement)).first->second;
}

Result<void> Connection::prepare_only(const Query& query) {
  auto prepared = prepare(query);
  if (!prepared) return fail(prepared);
  return {};
}

Result<void> Connection::bind(Statement& statement, const Params& params, const Query& query) {
  const auto& given = params.all();
  for (std::size_t i = 0; i < statement.names.size(); ++i) {
    std::size_t& place = statement.places[i];
    if (place >= given.size() || given[place].name != statement.names[i]) {
      for (place = 0; place < given.size() && given[place].name != statement.names[i]; ++place) {
      }
      if (place == given.size())
        return fail(Code::internal, fmt::format("{}: parameter :{} is not given", query.name, statement.names[i]));
    }
    if (auto good = check_value(given[place], query.name); !good) return good;
    const Cell& value = given[place].value;
    if (bind_cell(statement.handle, static_cast<int>(i) + 1, value) != SQLITE_OK) return error(&query);
  }
  return {};
}

Result<Rows> Connection::run(const Query& query, const Params& params) {
  auto prepared = prepare(query);
  if (!prepared) return fail(prepared);
  Statement& statement = **prepared;
  const QueryTiming timing(statement.timing);
  const Reset reset{statement.handle};
  if (auto bound = bind(statement, params, query); !bound) return fail(bound);
  if (limit_) deadline_ = std::chrono::steady_clock::now() + *limit_;
  const int columns = sqlite3_column_count(statement.handle);
  std::vector<Cell> cells;
  for (;;) {
    const int code = sqlite3_step(statement.handle);
    if (code == SQLITE_DONE) break;
    if (code != SQLITE_ROW) return error(&query);
    if (cells.empty()) cells.reserve(static_cast<std::size_t>(columns) * kRowsExpected);
    for (int i = 0; i < columns; ++i) cells.push_back(read_cell(statement.handle, i));
  }
  const bool writes = sqlite3_stmt_readonly(statement.handle) == 0;
  return Rows(static_cast<std::size_t>(columns), std::move(cells), writes ? sqlite3_changes64(db_) : 0);
}

Result<std::int64_t> Connection::run_many(const Query& query, const std::vector<Params>& sets) {
  if (sets.empty()) return 0;
  auto prepared = prepare(query);
  if (!prepared) return fail(prepared);
  Statement& statement = **prepared;
  const QueryTiming timing(statement.timing);
  const Reset reset{statement.handle};
  std::int64_t affected = 0;
  for (const Params& params : sets) {
    if (auto bound = bind(statement, params, query); !bound) return fail(bound);
    int code = SQLITE_ROW;
    while (code == SQLITE_ROW) code = sqlite3_step(statement.handle);
    if (code != SQLITE_DONE) return error(&query);
    affected += sqlite3_changes64(db_);
    sqlite3_reset(statement.handle);
  }
  return affected;
}

Result<void> Connection::copy_into(const std::string& path) {
  if (const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600); fd >= 0) ::close(fd);
  sqlite3* target = nullptr;
  int code = sqlite3_open_v2(path.c_str(), &target, SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE, nullptr);
  std::string text = fmt::format("{} cannot be written", path);
  if (code == SQLITE_OK) {
    sqlite3_extended_result_codes(target, 1);
    if (sqlite3_backup* backup = sqlite3_backup_init(target, "main", db_, "main"); backup == nullptr) {
      code = sqlite3_extended_errcode(target);
    } else {
      // In one step: with pauses in between, each commit of the other process would make it begin again.
      const int stepped = sqlite3_backup_step(backup, -1);
      code = sqlite3_backup_finish(backup);
      if (code == SQLITE_OK && stepped != SQLITE_DONE) code = stepped;
    }
    if (code != SQLITE_OK) text += fmt::format(": {}", sqlite3_errmsg(target));
  }
  sqlite3_close(target);
  if (code != SQLITE_OK) return map_error(code, text, {});
  return {};
}

}   // namespace agentauri::store::sqlite
