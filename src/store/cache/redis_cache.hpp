// The cache that gateways share: counts live in Redis under `rl:<key>`, one hash of buckets for each key, gone a bucket
// after their window. While Redis is away each process counts for itself, with its share of every limit.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "core/telemetry/metrics.hpp"
#include "net/redis_client.hpp"
#include "store/cache/cache.hpp"
#include "store/cache/memory_cache.hpp"

namespace agentauri::store {

class RedisCache final : public Cache {
 public:
  // `redis` outlives it and is served elsewhere. `sharers`: how many processes share the limits now, at least 1; asked
  // from any thread.
  RedisCache(net::RedisClient& redis, std::function<std::size_t()> sharers, Metrics& metrics);

  Task<Quota> take(LimitCheck check) override;
  Task<Quota> peek(LimitCheck check) override;
  Task<void> refund(LimitCheck check) override;
  State state() const override { return redis_.is_connected() ? State::shared : State::alone; }

 private:
  struct Script {
    std::string text, hash;
  };
  Task<Result<net::RespValue>> run(const Script& script, std::string_view operation, const LimitCheck& check,
                                   std::int64_t cost);
  Task<Quota> decide(LimitCheck check, bool counts);
  Task<Quota> decide_alone(LimitCheck check, bool counts);
  void count_error(const Error& error);

  net::RedisClient& redis_;
  const std::function<std::size_t()> sharers_;
  Metrics& metrics_;
  const Script decide_, refund_;
  MemoryCache alone_;
};

}   // namespace agentauri::store
