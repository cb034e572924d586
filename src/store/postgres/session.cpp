#include "store/postgres/session.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <cerrno>
#include <utility>

#include "store/postgres/codec.hpp"
#include "store/query_timing.hpp"
#include "store/value_check.hpp"

namespace agentauri::store::postgres {
namespace {

using Clock = std::chrono::steady_clock;

// So many statements of a pipeline are on their way before their answers are read.
constexpr std::size_t kPipelineDepth = 256;
// After a deadline the server gets this long to confirm the cancellation.
constexpr auto kCancelTime = std::chrono::seconds(2);
// The kernel gives up a connection whose peer acknowledges nothing for so long. PQcancel() takes these over for the
// connection that it opens, and it is the one call of libpq without a deadline of ours.
constexpr const char* kTcpUserTimeoutMs = "10000";
constexpr const char* kKeepAliveIdle = "10";
constexpr const char* kKeepAliveInterval = "3";
constexpr const char* kKeepAliveCount = "3";

std::string trimmed(const char* text) {
  std::string out = text == nullptr ? "" : text;
  for (char& c : out) {
    if (c == '\n') c = ' ';
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

// Waits until `fd` is ready for `events`; false at the deadline.
bool wait_for(int fd, short events, Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd entry{fd, events, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(std::max<std::int64_t>(0, left.count())));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) return true;   // libpq will tell what is wrong
  }
}

Code code_of(std::string_view state) {
  if (state == "23505" || state == "23P01") return Code::conflict;
  if (state == "23503") return Code::conflict;
  if (state.starts_with("23")) return Code::check_failed;
  if (state == "22003" || state == "22008") return Code::overflow;   // a number, a time
  if (state == "22021" || state.starts_with("22")) return Code::invalid;
  if (state == "40001" || state == "40P01" || state == "55P03") return Code::busy;
  if (state == "57014") return Code::timed_out;
  // Read-only after a failover, and rights that somebody took away: it is the store that does not serve, whatever was
  // asked of it, and it passes.
  if (state == "25006" || state == "42501") return Code::unavailable;
  if (state.starts_with("53") || state.starts_with("57") || state.starts_with("58") || state.starts_with("08"))
    return Code::unavailable;
  return Code::internal;
}

}   // namespace

struct Session::Arguments {
  std::vector<std::string> storage;
  std::vector<const char*> values;
  std::vector<int> lengths, formats;
};

Result<std::unique_ptr<Session>> Session::connect(const PostgresSettings& settings) {
  const std::string port = std::to_string(settings.port);
  // `options` go with the start-up packet, so that no statement ever runs without its limits.
  const std::string options = fmt::format(
      "-c statement_timeout={} -c lock_timeout={} -c timezone=UTC -c search_path=public "
      "-c client_min_messages=warning",
      settings.statement_timeout.count(), settings.lock_timeout.count());
  const std::pair<const char*, std::string> parameters[] = {{"host", settings.host},
                                                            {"port", port},
                                                            {"dbname", settings.database},
                                                            {"user", settings.user},
                                                            {"password", settings.password},
                                                            {"sslmode", settings.ssl_mode},
                                                            {"sslrootcert", settings.ssl_root_cert},
                                                            {"options", options},
                                                            {"application_name", "agentauri"},
                                                            {"client_encoding", "UTF8"},
                                                            {"tcp_user_timeout", kTcpUserTimeoutMs},
                                                            {"keepalives_idle", kKeepAliveIdle},
                                                            {"keepalives_interval", kKeepAliveInterval},
                                                            {"keepalives_count", kKeepAliveCount}};
  std::vector<const char*> keys, values;
  for (const auto& [key, value] : parameters) {
    if (value.empty()) continue;
    keys.push_back(key);
    values.push_back(value.c_str());
  }
  keys.push_back(nullptr);
  values.push_back(nullptr);

  PGconn* connection = PQconnectStartParams(keys.data(), values.data(), 0);
  if (connection == nullptr) return fail(Code::unavailable, "libpq has no memory");
  std::unique_ptr<Session> session(
      new Session(connection, settings.statement_timeout + std::chrono::seconds(2), settings.metrics));
  const auto deadline = Clock::now() + settings.connect_timeout;
  const auto where =
      fmt::format("database {} at {}:{} as user {}", settings.database, settings.host, settings.port, settings.user);
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  while (PQstatus(connection) != CONNECTION_BAD && state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED) {
    const short events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    if (!wait_for(PQsocket(connection), events, deadline))
      return fail(Code::unavailable, where + ": no answer in time");
    state = PQconnectPoll(connection);
  }
  if (PQstatus(connection) != CONNECTION_OK)
    return fail(Code::unavailable, fmt::format("{}: {}", where, trimmed(PQerrorMessage(connection))));
  PQsetnonblocking(connection, 1);
  PQsetNoticeProcessor(connection, [](void*, const char*) {}, nullptr);
  return session;
}

Session::~Session() {
  PQfinish(connection_);
}

std::unexpected<Error> Session::lost_connection(std::string text) {
  lost_ = true;
  return fail(Code::unavailable, std::move(text));
}

std::unexpected<Error> Session::statement_error(const PGresult* result, std::string_view query) {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string_view sqlstate = state == nullptr ? "" : state;
  // 25P03: we stood still in a transaction for too long.
  if (PQstatus(connection_) == CONNECTION_BAD || sqlstate == "57P01" || sqlstate == "57P02" || sqlstate == "57P03" ||
      sqlstate == "25P03")
    lost_ = true;
  if (sqlstate == "40001" || sqlstate == "40P01") retryable_ = true;
  // Prepared before a migration changed its columns, or forgotten by a pooler in between: a new connection prepares it
  // anew.
  const char* raised_in = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);
  if (sqlstate == "26000" || (raised_in != nullptr && std::string_view(raised_in) == "RevalidateCachedQuery"))
    lost_ = true;
  const std::string message = trimmed(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
  const std::string hint = trimmed(PQresultErrorField(result, PG_DIAG_MESSAGE_HINT));
  const char* constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
  const char* column = PQresultErrorField(result, PG_DIAG_COLUMN_NAME);
  std::string text = query.empty() ? message : fmt::format("{}: {}", query, message);
  if (!hint.empty()) text += ". " + hint;
  return fail(lost_ ? Code::unavailable : code_of(sqlstate),
              constraint != nullptr ? constraint
              : column != nullptr   ? column
                                    : "",
              text);
}

Result<void> Session::flush(Clock::time_point deadline) {
  for (;;) {
    const int left = PQflush(connection_);
    if (left == 0) return {};
    if (left < 0) return lost_connection(trimmed(PQerrorMessage(connection_)));
    if (!wait_for(PQsocket(connection_), POLLIN | POLLOUT, deadline))
      return lost_connection("the database took no input in time");
    if (PQconsumeInput(connection_) == 0) return lost_connection(trimmed(PQerrorMessage(connection_)));
  }
}

void Session::cancel() {
  PGcancel* request = PQgetCancel(connection_);
  if (request == nullptr) return;
  char why[256];
  PQcancel(request, why, sizeof why);
  PQfreeCancel(request);
}

Result<PgResult> Session::next_result(Clock::time_point deadline) {
  if (auto flushed = flush(deadline); !flushed) return fail(flushed);
  bool cancelled = false;
  while (PQisBusy(connection_) != 0) {
    if (!wait_for(PQsocket(connection_), POLLIN, deadline)) {
      if (cancelled) return lost_connection("the database did not answer in time, nor to the cancellation");
      cancelled = true;
      deadline = Clock::now() + kCancelTime;
      cancel();
      continue;
    }
    if (PQconsumeInput(connection_) == 0) return lost_connection(trimmed(PQerrorMessage(connection_)));
  }
  return PgResult(PQgetResult(connection_));
}

// Reads up to the end of the current statement.
Result<void> Session::drain(Clock::time_point deadline) {
  for (;;) {
    auto result = next_result(deadline);
    if (!result) return fail(result);
    if (!*result) return {};
  }
}

void Session::begin(std::string_view begin, std::chrono::milliseconds idle_limit) {
  retryable_ = false;
  begin_ = begin;
  begin_limit_ = idle_limit.count() == 0
                     ? std::string()
                     : fmt::format("SET LOCAL idle_in_transaction_session_timeout = {}", idle_limit.count());
}

void Session::commit_later() {
  if (PQsendQuery(connection_, "COMMIT") == 0 || PQflush(connection_) < 0)
    lost_ = true;
  else
    owes_ = true;
}

Result<void> Session::settle() {
  if (!owes_) return {};
  owes_ = false;
  return drain(Clock::now() + limit_);
}

Result<void> Session::begin_now() {
  if (begin_.empty()) return {};
  std::string sql = std::exchange(begin_, {});
  if (!begin_limit_.empty()) sql += "; " + begin_limit_;
  return execute(sql, limit_);
}

Result<void> Session::execute(const std::string& sql, std::chrono::milliseconds limit) {
  if (auto settled = settle(); !settled) return settled;
  const auto deadline = Clock::now() + limit;
  if (PQsendQuery(connection_, sql.c_str()) == 0) return lost_connection(trimmed(PQerrorMessage(connection_)));
  Result<void> outcome;
  for (;;) {
    auto result = next_result(deadline);
    if (!result) return fail(result);
    if (!*result) return outcome;
    if (PQresultStatus(result->get()) == PGRES_FATAL_ERROR && outcome) outcome = statement_error(result->get(), {});
    if (lost_) return outcome;
  }
}

Result<Session::Statement*> Session::prepare(const Query& query) {
  if (const auto found = statements_.find(&query); found != statements_.end()) return &found->second;
  if (auto settled = settle(); !settled) return fail(settled);
  const auto deadline = Clock::now() + limit_;
  Statement statement;
  statement.name = std::string(query.name);
  const std::string sql = number_parameters(query.postgres.empty() ? query.sql : query.postgres, statement.parameters);
  if (PQsendPrepare(connection_, statement.name.c_str(), sql.c_str(), 0, nullptr) == 0)
    return lost_connection(trimmed(PQerrorMessage(connection_)));
  auto prepared = next_result(deadline);
  if (!prepared) return fail(prepared);
  Result<void> outcome;
  if (PQresultStatus(prepared->get()) != PGRES_COMMAND_OK) outcome = statement_error(prepared->get(), query.name);
  if (auto drained = drain(deadline); !drained) return fail(drained);
  if (!outcome) return fail(outcome);

  if (auto described = describe(statement, query); !described) {
    lost_ = true;   // the server knows the name now, and we do not
    return fail(described);
  }
  statement.timing = query_histogram(metrics_, query.name);
  return &statements_.emplace(&query, std::move(statement)).first->second;
}

// The types of its parameters.
Result<void> Session::describe(Statement& statement, const Query& query) {
  const auto deadline = Clock::now() + limit_;
  if (PQsendDescribePrepared(connection_, statement.name.c_str()) == 0)
    return lost_connection(trimmed(PQerrorMessage(connection_)));
  auto described = next_result(deadline);
  if (!described) return fail(described);
  Result<void> outcome;
  if (PQresultStatus(described->get()) != PGRES_COMMAND_OK) outcome = statement_error(described->get(), query.name);
  for (int i = 0; i < PQnparams(described->get()); ++i) statement.types.push_back(PQparamtype(described->get(), i));
  if (auto drained = drain(deadline); !drained) return drained;
  if (!outcome) return outcome;
  ENSURE(statement.types.size() == statement.parameters.size(), "PostgreSQL counts the parameters as we do");
  statement.places.resize(statement.parameters.size());
  return {};
}

Result<void> Session::prepare_only(const Query& query) {
  auto prepared = prepare(query);
  if (!prepared) return fail(prepared);
  return {};
}

Result<void> Session::encode(Statement& statement, const Params& params, const Query& query, Arguments& out) {
  const auto& given = params.all();
  const std::size_t count = statement.parameters.size();
  out.storage.resize(count);
  out.values.resize(count);
  out.lengths.resize(count);
  out.formats.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t& place = statement.places[i];
    if (place >= given.size() || given[place].name != statement.parameters[i]) {
      for (place = 0; place < given.size() && given[place].name != statement.parameters[i]; ++place) {
      }
      if (place == given.size())
        return fail(Code::internal, fmt::format("{}: parameter :{} is not given", query.name, statement.parameters[i]));
    }
    const auto& param = given[place];
    if (auto good = check_value(param, query.name); !good) return good;
    auto encoded = encode_cell(param, statement.types[i]);
    if (!encoded) return fail(encoded);
    out.storage[i] = std::move(encoded->bytes);
    out.values[i] = encoded->null ? nullptr : out.storage[i].data();
    out.lengths[i] = static_cast<int>(out.storage[i].size());
    out.formats[i] = encoded->binary ? 1 : 0;
  }
  return {};
}

namespace {

Result<Rows> read_rows(const PGresult* result) {
  const int rows = PQntuples(result);
  const int columns = PQnfields(result);
  std::vector<Cell> cells;
  cells.reserve(static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns));
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column) {
      if (PQgetisnull(result, row, column) != 0) {
        cells.emplace_back();
        continue;
      }
      const std::string_view bytes(PQgetvalue(result, row, column),
                                   static_cast<std::size_t>(PQgetlength(result, row, column)));
      auto cell = decode_cell(bytes, PQftype(result, column));
      if (!cell) return fail(cell);
      cells.push_back(std::move(*cell));
    }
  }
  const std::string_view affected = PQcmdTuples(const_cast<PGresult*>(result));
  return Rows(static_cast<std::size_t>(columns), std::move(cells),
              affected.empty() ? 0 : std::stoll(std::string(affected)));
}

}   // namespace

Result<Rows> Session::run(const Query& query, const Params& params) {
  auto prepared = prepare(query);
  if (!prepared) return fail(prepared);
  const QueryTiming timing((*prepared)->timing);
  Arguments arguments;
  if (auto encoded = encode(**prepared, params, query, arguments); !encoded) return fail(encoded);
  if (auto settled = settle(); !settled) return fail(settled);
  if (!begin_.empty()) return run_first(**prepared, arguments, query);
  const auto deadline = Clock::now() + limit_;
  if (PQsendQueryPrepared(connection_, (*prepared)->name.c_str(), static_cast<int>(arguments.values.size()),
                          arguments.values.data(), arguments.lengths.data(), arguments.formats.data(), 1) == 0) {
    return lost_connection(trimmed(PQerrorMessage(connection_)));
  }
  auto result = next_result(deadline);
  if (!result) return fail(result);
  if (!*result) return lost_connection("the database gave no result");
  Result<Rows> rows;
  const auto status = PQresultStatus(result->get());
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
    rows = read_rows(result->get());
  else
    rows = statement_error(result->get(), query.name);
  if (lost_) return rows;
  if (auto drained = drain(deadline); !drained) return fail(drained);
  return rows;
}

// BEGIN and the statement in one packet: of a unit of few statements the way there and back is most of the time.
Result<Rows> Session::run_first(Statement& statement, const Arguments& arguments, const Query& query) {
  const std::string sql = std::exchange(begin_, {});
  const auto lost = [this] { return lost_connection(trimmed(PQerrorMessage(connection_))); };
  if (PQenterPipelineMode(connection_) == 0) return lost();
  const auto send = [this](const std::string& text) {
    return PQsendQueryParams(connection_, text.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0) != 0;
  };
  if (!send(sql) || (!begin_limit_.empty() && !send(begin_limit_)) ||
      PQsendQueryPrepared(connection_, statement.name.c_str(), static_cast<int>(arguments.values.size()),
                          arguments.values.data(), arguments.lengths.data(), arguments.formats.data(), 1) == 0 ||
      PQpipelineSync(connection_) == 0)
    return lost();
  const auto deadline = Clock::now() + limit_;
  Result<Rows> rows;
  for (bool synced = false; !synced;) {
    auto result = next_result(deadline);
    if (!result) return fail(result);
    if (PQstatus(connection_) == CONNECTION_BAD) return lost();
    if (!*result) continue;   // the end of one of them
    const auto status = PQresultStatus(result->get());
    if (status == PGRES_PIPELINE_SYNC)
      synced = true;
    else if (status == PGRES_TUPLES_OK)
      rows = read_rows(result->get());
    else if (status == PGRES_COMMAND_OK && rows)
      rows = read_rows(result->get());   // of BEGIN and its limit, and then of a statement that gives no rows
    else if (status != PGRES_PIPELINE_ABORTED)
      rows = statement_error(result->get(), query.name);
    if (lost_) return rows;
  }
  if (PQexitPipelineMode(connection_) == 0) return lost();
  return rows;
}

Result<std::int64_t> Session::run_many(const Query& query, const std::vector<Params>& sets) {
  if (sets.empty()) return 0;
  auto prepared = prepare(query);
  if (!prepared) return fail(prepared);
  if (auto begun = begin_now(); !begun) return fail(begun);
  const QueryTiming timing((*prepared)->timing);
  if (PQenterPipelineMode(connection_) == 0) return lost_connection(trimmed(PQerrorMessage(connection_)));
  const auto deadline = Clock::now() + limit_;
  Result<std::int64_t> outcome = 0;
  Result<void> sent;
  std::size_t next = 0;
  while (sent && next < sets.size()) {
    // One Sync for each slice, so that neither side's buffer grows without bound.
    const std::size_t end = std::min(sets.size(), next + kPipelineDepth);
    Arguments arguments;
    for (; next < end; ++next) {
      if (auto encoded = encode(**prepared, sets[next], query, arguments); !encoded) {
        sent = encoded;
        break;
      }
      if (PQsendQueryPrepared(connection_, (*prepared)->name.c_str(), static_cast<int>(arguments.values.size()),
                              arguments.values.data(), arguments.lengths.data(), arguments.formats.data(), 1) == 0) {
        return lost_connection(trimmed(PQerrorMessage(connection_)));
      }
    }
    if (PQpipelineSync(connection_) == 0) return lost_connection(trimmed(PQerrorMessage(connection_)));
    for (bool synced = false; !synced;) {
      auto result = next_result(deadline);
      if (!result) return fail(result);
      if (PQstatus(connection_) == CONNECTION_BAD) return lost_connection(trimmed(PQerrorMessage(connection_)));
      if (!*result) continue;   // the end of one statement
      switch (PQresultStatus(result->get())) {
        case PGRES_PIPELINE_SYNC:
          synced = true;
          break;
        case PGRES_COMMAND_OK:
        case PGRES_TUPLES_OK: {
          const std::string_view count = PQcmdTuples(result->get());
          if (outcome && !count.empty()) *outcome += std::stoll(std::string(count));
          break;
        }
        case PGRES_PIPELINE_ABORTED:
          break;
        default:
          if (outcome) outcome = statement_error(result->get(), query.name);
          if (lost_) return outcome;
      }
    }
    if (!outcome) break;
  }
  if (PQexitPipelineMode(connection_) == 0) return lost_connection(trimmed(PQerrorMessage(connection_)));
  if (!sent) return fail(sent);
  return outcome;
}

bool Session::wait_readable(std::chrono::milliseconds limit, int wake_fd) {
  pollfd entries[2] = {{PQsocket(connection_), POLLIN, 0}, {wake_fd, POLLIN, 0}};
  const int ready = ::poll(entries, wake_fd >= 0 ? 2 : 1, static_cast<int>(limit.count()));
  if (ready > 0 && (entries[0].revents & (POLLIN | POLLERR | POLLHUP)) != 0 && PQconsumeInput(connection_) == 0)
    lost_ = true;
  return ready > 0;
}

}   // namespace agentauri::store::postgres
