// A client of Redis: one connection that is kept, commands of any number of callers one behind the other on it
// (pipelining), a deadline on each. While there is no connection every command fails at once, so that whoever can do
// without Redis never waits for it.
//
// A command that is not answered in time takes the connection with it: what comes late would answer the wrong question,
// and a Redis that stands still must not hold up what comes next.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/async/task.hpp"
#include "core/telemetry/log.hpp"
#include "core/telemetry/metrics.hpp"
#include "net/redis_settings.hpp"
#include "net/resp.hpp"

namespace agentauri::net {

class RedisClient {
 public:
  // `executor`: a single-threaded event loop on which serve() runs. Must outlive every caller.
  RedisClient(Executor executor, RedisSettings settings, Metrics& metrics);
  ~RedisClient();
  RedisClient(const RedisClient&) = delete;
  RedisClient& operator=(const RedisClient&) = delete;

  // From any executor. Code::unavailable: no connection, or it was lost before the answer (the command may have been
  // done); Code::timed_out; Code::protocol. An error that Redis itself answers is a value.
  Task<Result<RespValue>> run(std::vector<std::string> command);
  bool is_connected() const { return connected_; }

  // One connection and greeting, closed again: for the start. Code::unauthorized: Redis refuses the credentials;
  // Code::unavailable: it cannot be reached. The value: its version.
  Task<Result<std::string>> check();
  // Connects and stays connected until it is cancelled.
  Task<void> serve();

 private:
  struct Command;
  struct Connection;
  using CommandPtr = std::shared_ptr<Command>;

  Task<Result<std::unique_ptr<Connection>>> connect();
  Task<Result<RespValue>> ask(Connection& connection, const std::vector<std::string>& command);
  Task<Result<void>> greet(Connection& connection);
  Task<void> converse(Connection& connection);
  Task<void> write_loop(Connection& connection);
  Task<void> read_loop(Connection& connection);
  Task<void> watch_loop(Connection& connection);
  void finish(const CommandPtr& command, Result<RespValue> answer);
  void drop_all(const Error& why);
  void tell_away(const Error& why);

  const Executor executor_;
  const RedisSettings settings_;
  Metrics& metrics_;
  Log log_{"redis"};
  struct Tls;
  std::unique_ptr<Tls> tls_;
  std::atomic<bool> connected_ = false;

  std::mutex mutex_;
  std::deque<CommandPtr> queue_;   // not written yet; guarded by mutex_
  Signal wake_writer_, wake_watch_;
  // On the executor only:
  std::deque<CommandPtr> sent_;                                    // in the order of their answers
  std::optional<std::chrono::steady_clock::time_point> told_at_;   // that Redis is away
};

}   // namespace agentauri::net
