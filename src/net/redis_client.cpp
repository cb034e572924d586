#include "net/redis_client.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "net/client_connection.hpp"
#include "net/resolver.hpp"
#include "net/tls_context.hpp"

namespace agentauri::net {
namespace asio = boost::asio;
using boost::system::error_code;
using SteadyClock = std::chrono::steady_clock;

namespace {

constexpr std::size_t kMaxQueued = 10'000;   // of commands; a further one fails at once
constexpr std::chrono::milliseconds kIdleWait{60'000};
constexpr std::chrono::minutes kTellEvery{1};   // that Redis is away
const std::vector<double> kRedisBuckets{.0005, .001, .0025, .005, .01, .025, .05, .1, .25};

// The words that no log and no error may show never get here: only the command's name is told.
std::string_view name_of(const std::vector<std::string>& command) {
  return command.empty() ? std::string_view() : std::string_view(command.front());
}

}   // namespace

struct RedisClient::Command {
  explicit Command(Executor executor) : done(std::move(executor)) {}

  std::string bytes;
  std::string name;
  SteadyClock::time_point begun, deadline;
  Result<RespValue> answer = fail(Code::unavailable, "Redis was not asked");
  Completion done;
};

struct RedisClient::Connection {
  static constexpr std::size_t kNoHeads = 0;   // HTTP is not spoken here

  explicit Connection(Executor executor) : ended(std::move(executor)) {}

  ClientConnection socket{kNoHeads};
  RespReader reader;
  std::array<char, 16 * 1024> bytes;
  std::optional<Error> fault;   // why it ended
  Signal ended;

  Task<error_code> write(std::string_view text) {
    error_code error;
    const auto buffer = asio::buffer(text.data(), text.size());
    if (socket.tls)
      co_await asio::async_write(*socket.tls, buffer, asio::redirect_error(asio::use_awaitable, error));
    else
      co_await asio::async_write(*socket.plain, buffer, asio::redirect_error(asio::use_awaitable, error));
    co_return error;
  }
  Task<error_code> read() {
    error_code error;
    std::size_t got = 0;
    const auto buffer = asio::buffer(bytes);
    if (socket.tls)
      got = co_await socket.tls->async_read_some(buffer, asio::redirect_error(asio::use_awaitable, error));
    else
      got = co_await socket.plain->async_read_some(buffer, asio::redirect_error(asio::use_awaitable, error));
    if (!error) reader.feed({bytes.data(), got});
    co_return error;
  }
  void close(Error why) {
    if (!fault) fault = std::move(why);
    socket.tcp_layer().close();
    ended.notify();
  }
};

struct RedisClient::Tls {
  asio::ssl::context context;
  std::string problem;
};

RedisClient::RedisClient(Executor executor, RedisSettings settings, Metrics& metrics)
    : executor_(executor),
      settings_(std::move(settings)),
      metrics_(metrics),
      wake_writer_(executor),
      wake_watch_(executor) {
  if (!settings_.tls) return;
  std::string problem;
  auto context = make_client_tls(settings_.ca_file, problem);
  tls_ = std::make_unique<Tls>(Tls{std::move(context), problem});
  if (!problem.empty()) log_.error("the file of authorities for Redis cannot be read", {{"text", problem}});
}

RedisClient::~RedisClient() = default;

// --- the callers' side -----------------------------------------------------------------------------------------------

Task<Result<RespValue>> RedisClient::run(std::vector<std::string> command) {
  if (!connected_) co_return fail(Code::unavailable, "there is no connection to Redis");
  const auto mine = std::make_shared<Command>(co_await this_executor());
  append_command(mine->bytes, command);
  mine->name = name_of(command);
  mine->begun = SteadyClock::now();
  mine->deadline = mine->begun + settings_.command_time;
  {
    const std::lock_guard lock(mutex_);
    // Again, under the lock: what is queued now is written or dropped by the one that ends the connection.
    if (!connected_) co_return fail(Code::unavailable, "there is no connection to Redis");
    if (queue_.size() >= kMaxQueued) co_return fail(Code::busy, "too many commands wait for Redis");
    queue_.push_back(mine);
  }
  wake_writer_.notify();
  co_await mine->done.wait();
  co_return std::move(mine->answer);
}

void RedisClient::finish(const CommandPtr& command, Result<RespValue> answer) {
  const std::chrono::duration<double> took = SteadyClock::now() - command->begun;
  const Labels labels{{"command", command->name}};
  metrics_.counter("redis_commands_total", "Commands to Redis that ended", labels).add();
  metrics_.histogram("redis_command_duration_seconds", "Duration of commands to Redis", kRedisBuckets, labels)
      .observe(took.count());
  command->answer = std::move(answer);
  command->done.complete();
}

void RedisClient::drop_all(const Error& why) {
  std::deque<CommandPtr> dropped = std::move(sent_);
  sent_.clear();
  {
    const std::lock_guard lock(mutex_);
    connected_ = false;
    dropped.insert(dropped.end(), queue_.begin(), queue_.end());
    queue_.clear();
  }
  for (const auto& command : dropped) finish(command, std::unexpected(why));
}

// --- a connection ----------------------------------------------------------------------------------------------------

Task<Result<std::unique_ptr<RedisClient::Connection>>> RedisClient::connect() {
  const auto deadline = SteadyClock::now() + settings_.connect_time;
  const std::string where = fmt::format("{}:{}", settings_.host, settings_.port);
  auto addresses = co_await resolver_for_operator().resolve(settings_.host, settings_.connect_time);
  if (!addresses) co_return fail(Code::unavailable, fmt::format("the name {} cannot be resolved", settings_.host));
  std::string last = "no address";
  for (const auto& address : *addresses) {
    auto connection = std::make_unique<Connection>(executor_);
    const ConnectTarget target{
        .host = settings_.host, .address = address, .port = settings_.port, .tls = tls_ ? &tls_->context : nullptr};
    auto opened = co_await connect_to(target, executor_, connection->socket, deadline);
    if (!opened) {
      last = std::move(opened.error().text);
      continue;
    }
    connection->socket.tcp_layer().expires_at(deadline);
    auto greeted = co_await greet(*connection);
    if (!greeted) co_return fail(greeted);
    connection->socket.tcp_layer().expires_never();
    co_return connection;
  }
  co_return fail(Code::unavailable, fmt::format("Redis at {} cannot be reached: {}", where, last));
}

// Within the deadline that stands on the connection; nobody else uses it yet.
Task<Result<RespValue>> RedisClient::ask(Connection& connection, const std::vector<std::string>& command) {
  std::string bytes;
  append_command(bytes, command);
  const auto lost = [&](const error_code& error) {
    return fail(Code::unavailable, fmt::format("{}: {}", name_of(command), error.message()));
  };
  if (const auto error = co_await connection.write(bytes); error) co_return lost(error);
  while (true) {
    auto value = connection.reader.next();
    if (!value) co_return fail(value);
    if (*value) co_return std::move(**value);
    if (const auto error = co_await connection.read(); error) co_return lost(error);
  }
}

Task<Result<void>> RedisClient::greet(Connection& connection) {
  if (!settings_.password.empty()) {
    std::vector<std::string> login{"AUTH"};
    if (!settings_.username.empty()) login.push_back(settings_.username);
    login.emplace_back(settings_.password.reveal());
    auto answer = co_await ask(connection, login);
    if (!answer) co_return fail(answer);
    if (answer->kind == RespValue::Kind::error) co_return fail(Code::unauthorized, "Redis refuses the password");
  }
  auto selected = co_await ask(connection, {"SELECT", std::to_string(settings_.database)});
  if (!selected) co_return fail(selected);
  if (selected->is_error("NOAUTH")) co_return fail(Code::unauthorized, "Redis asks for a password");
  if (selected->is_error("NOPERM")) co_return fail(Code::unauthorized, "Redis does not let this user in");
  if (selected->kind == RespValue::Kind::error)
    co_return fail(Code::unavailable, fmt::format("Redis answers: {}", selected->text.substr(0, 100)));
  if (selected->text != "OK") co_return fail(Code::protocol, "what answers there is not Redis");
  co_return Result<void>();
}

Task<Result<std::string>> RedisClient::check() {
  auto connection = co_await connect();
  if (!connection) co_return fail(connection);
  (*connection)->socket.tcp_layer().expires_after(settings_.connect_time);
  auto info = co_await ask(**connection, {"INFO", "server"});
  (*connection)->socket.tcp_layer().close();
  if (!info) co_return fail(info);
  const std::string mark = "redis_version:";
  const auto at = info->text.find(mark);
  if (at == std::string::npos) co_return std::string();   // a user that may not ask, or a relative of Redis
  const auto from = at + mark.size();
  co_return info->text.substr(from, info->text.find_first_of("\r\n", from) - from);
}

Task<void> RedisClient::write_loop(Connection& connection) {
  while (!connection.fault) {
    std::string bytes;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& command : queue_) {
        bytes += command->bytes;
        sent_.push_back(command);
      }
      queue_.clear();
    }
    if (bytes.empty()) {
      co_await wake_writer_.wait_for(kIdleWait);
      if (co_await cancelled()) break;
      continue;
    }
    wake_watch_.notify();
    if (const auto error = co_await connection.write(bytes); error)
      connection.close({Code::unavailable, {}, "Redis took nothing: " + error.message()});
  }
}

Task<void> RedisClient::read_loop(Connection& connection) {
  while (!connection.fault) {
    if (const auto error = co_await connection.read(); error) {
      connection.close({Code::unavailable, {}, "the connection to Redis ended: " + error.message()});
      break;
    }
    while (!connection.fault) {
      auto value = connection.reader.next();
      if (!value) connection.close(value.error());
      if (!value || !*value) break;
      if (sent_.empty()) {
        connection.close({Code::protocol, {}, "Redis answered what nobody asked"});
        break;
      }
      const auto command = sent_.front();
      sent_.pop_front();
      finish(command, std::move(**value));
    }
  }
}

// Deadlines lie in the order of the commands, so the first one's is the next.
Task<void> RedisClient::watch_loop(Connection& connection) {
  while (!connection.fault && !co_await cancelled()) {
    const auto now = SteadyClock::now();
    if (sent_.empty()) {
      co_await wake_watch_.wait_for(kIdleWait);
    } else if (sent_.front()->deadline <= now) {
      connection.close({Code::timed_out, {}, "Redis did not answer in time"});
    } else {
      const auto left = std::chrono::ceil<std::chrono::microseconds>(sent_.front()->deadline - now);
      co_await sleep_for(left);
    }
  }
}

Task<void> RedisClient::converse(Connection& connection) {
  TaskGroup group(executor_);
  group.spawn("redis write", [&]() -> Task<void> { co_await write_loop(connection); });
  group.spawn("redis watch", [&]() -> Task<void> { co_await watch_loop(connection); });
  // Whoever finds the connection at its end closes it, and so this read ends too.
  group.spawn("redis read", [&]() -> Task<void> { co_await read_loop(connection); });
  while (!connection.fault && !co_await cancelled()) co_await connection.ended.wait_for(kIdleWait);
  connection.close({Code::cancelled, {}, "stopping"});
  co_await group.cancel_and_wait();
}

void RedisClient::tell_away(const Error& why) {
  metrics_.counter("redis_connection_errors_total", "Connections to Redis that were lost or could not be made").add();
  const auto now = SteadyClock::now();
  if (told_at_ && now - *told_at_ < kTellEvery) return;
  log_.warn("Redis is away: limits are counted by each process until it is back", {{"text", why.text}});
  told_at_ = now;
}

Task<void> RedisClient::serve() {
  while (!co_await cancelled()) {
    auto connection = co_await connect();
    if (connection) {
      connected_ = true;
      log_.info(told_at_ ? "Redis is back" : "connected to Redis",
                {{"host", settings_.host}, {"port", settings_.port}});
      told_at_.reset();
      co_await converse(**connection);
      drop_all(*(*connection)->fault);
      if ((*connection)->fault->code == Code::cancelled) break;
      tell_away(*(*connection)->fault);
    } else {
      tell_away(connection.error());
    }
    if (!co_await sleep_for(settings_.retry_after)) break;
  }
}

}   // namespace agentauri::net
