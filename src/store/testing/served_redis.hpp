// A client of a test's Redis that is served while it lives, and a cache over it.
#pragma once

#include <atomic>
#include <chrono>
#include <thread>

#include "core/telemetry/metrics.hpp"
#include "net/redis_client.hpp"
#include "net/testing/temp_redis.hpp"
#include "store/cache/redis_cache.hpp"

namespace agentauri::store::testing {

class ServedRedis {
 public:
  // Connected when it is made.
  explicit ServedRedis(std::uint16_t port, std::size_t sharers = 1) : ServedRedis(settings_for(port), sharers) {}
  explicit ServedRedis(net::RedisSettings settings, std::size_t sharers = 1)
      : client(thread_.executor(), std::move(settings), metrics),
        cache(client, [sharers] { return sharers; }, metrics) {
    server_ = std::thread([this] {
      run_blocking([this]() -> Task<void> {
        co_await run_on(thread_.executor(), [this]() -> Task<void> {
          TaskGroup group(co_await this_executor());
          group.spawn("serve", [this]() -> Task<void> { co_await client.serve(); });
          while (!stopping_ && co_await sleep_for(std::chrono::milliseconds(1))) {
          }
          co_await group.cancel_and_wait();
        });
      });
    });
    ENSURE(becomes(true), "the client is connected to the test's Redis");
  }
  ~ServedRedis() {
    stopping_ = true;
    server_.join();
    thread_.stop();
  }
  ServedRedis(const ServedRedis&) = delete;
  ServedRedis& operator=(const ServedRedis&) = delete;

  bool becomes(bool connected) const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (client.is_connected() != connected && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return client.is_connected() == connected;
  }
  Result<net::RespValue> run(std::vector<std::string> command) {
    Result<net::RespValue> out = fail(Code::internal, "");
    run_blocking([&]() -> Task<void> { out = co_await client.run(std::move(command)); });
    return out;
  }
  static net::RedisSettings settings_for(std::uint16_t port) {
    net::RedisSettings out;
    out.host = "127.0.0.1";
    out.port = port;
    out.retry_after = std::chrono::milliseconds(50);
    return out;
  }

 private:
  IoThread thread_{"redis"};
  std::atomic<bool> stopping_ = false;

 public:
  Metrics metrics;
  net::RedisClient client;
  RedisCache cache;

 private:
  std::thread server_;
};

}   // namespace agentauri::store::testing
