// What is RedisCache's own; what it shares with every cache is in cache_contract_test.cpp.
#include "store/cache/redis_cache.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "store/testing/served_redis.hpp"

namespace agentauri::store {
namespace {

using namespace std::chrono_literals;
using testing::ServedRedis;

Time at(std::int64_t seconds) {
  return from_unix_seconds(1'767'225'600 + seconds);
}

Quota take(Cache& cache, std::string key, std::int64_t limit, Window window = Window::minute) {
  Quota out;
  run_blocking([&]() -> Task<void> { out = co_await cache.take({std::move(key), window, limit, 1, at(0)}); });
  return out;
}

TEST(RedisCache, GatewaysShareOneLimit) {
  net::testing::TempRedis redis;
  ServedRedis first(redis.port()), second(redis.port());
  std::atomic<int> admitted = 0;
  {
    std::vector<std::jthread> threads;
    for (auto* cache : {&first.cache, &second.cache}) {
      for (int t = 0; t < 2; ++t) {
        threads.emplace_back([&, cache] {
          for (int i = 0; i < 100; ++i) admitted += take(*cache, "org:1:plan", 150).allowed ? 1 : 0;
        });
      }
    }
  }
  EXPECT_EQ(admitted, 150);
  EXPECT_EQ(first.cache.state(), Cache::State::shared);
}

TEST(RedisCache, KeysGoByThemselves) {
  net::testing::TempRedis redis;
  ServedRedis one(redis.port());
  take(one.cache, "user:7:session-read", 10);
  take(one.cache, "org:7:plan", 10, Window::hour);
  EXPECT_EQ(one.run({"KEYS", "*"})->items.size(), 2U);
  const auto minute = one.run({"TTL", "rl:user:7:session-read"})->integer;
  EXPECT_GT(minute, 50);
  EXPECT_LE(minute, 61);
  const auto hour = one.run({"TTL", "rl:org:7:plan"})->integer;
  EXPECT_GT(hour, 3600);
  EXPECT_LE(hour, 3660);
}

TEST(RedisCache, AFlushForgetsCountsAndScripts) {
  net::testing::TempRedis redis;
  ServedRedis one(redis.port());
  EXPECT_TRUE(take(one.cache, "k", 1).allowed);
  EXPECT_FALSE(take(one.cache, "k", 1).allowed);
  one.run({"SCRIPT", "FLUSH"});
  EXPECT_FALSE(take(one.cache, "k", 1).allowed) << "the script comes again by itself";
  one.run({"FLUSHALL"});
  const auto quota = take(one.cache, "k", 1);
  EXPECT_TRUE(quota.allowed);
  EXPECT_FALSE(quota.degraded);
}

TEST(RedisCache, WithoutRedisEachProcessHasItsShare) {
  net::testing::TempRedis redis;
  ServedRedis one(redis.port(), 3);
  EXPECT_EQ(take(one.cache, "k", 9).remaining, 8);
  redis.stop();
  ASSERT_TRUE(one.becomes(false));
  EXPECT_EQ(one.cache.state(), Cache::State::alone);
  for (int i = 0; i < 3; ++i) {
    const auto quota = take(one.cache, "k", 9);
    EXPECT_TRUE(quota.allowed);
    EXPECT_TRUE(quota.degraded);
    EXPECT_EQ(quota.limit, 3);
  }
  EXPECT_FALSE(take(one.cache, "k", 9).allowed);
  EXPECT_TRUE(take(one.cache, "small", 1).allowed) << "a share is never nothing";
  redis.start();
  ASSERT_TRUE(one.becomes(true));
  EXPECT_FALSE(take(one.cache, "k", 9).degraded);
}

// docs/configuration.md says what a user of Redis needs; with one right less it would not do.
TEST(RedisCache, NeedsNoMoreRightsThanDocumented) {
  net::testing::TempRedis redis({"--user", "gate", "on", ">let-me-in", "~rl:*", "+evalsha", "+eval", "+hgetall",
                                 "+hget", "+hdel", "+hincrby", "+expire", "+select", "+info"});
  auto settings = ServedRedis::settings_for(redis.port());
  settings.username = "gate";
  settings.password = crypto::Secret<std::string>("let-me-in");
  ServedRedis one(settings);
  EXPECT_FALSE(take(one.cache, "k", 2).degraded);
  run_blocking([&]() -> Task<void> { co_await one.cache.refund({"k", Window::minute, 2, 1, at(0)}); });
  run_blocking(
      [&]() -> Task<void> { co_await one.cache.take({"k", Window::minute, 2, 1, at(600)}); });   // drops a bucket
  EXPECT_FALSE(take(one.cache, "k", 2).degraded);
  EXPECT_EQ(one.metrics.expose().find("rate_limit_redis_errors_total{"), std::string::npos) << one.metrics.expose();
}

TEST(RedisCache, NonsenseIsCountedAlone) {
  net::testing::TempRedis redis;
  ServedRedis one(redis.port());
  one.run({"SET", "rl:k", "a text where a hash belongs"});
  const auto quota = take(one.cache, "k", 5);
  EXPECT_TRUE(quota.allowed);
  EXPECT_TRUE(quota.degraded);
  EXPECT_NE(one.metrics.expose().find("rate_limit_redis_errors_total{error_type=\"script\"} 1"), std::string::npos);
}

TEST(RedisCache, AFrozenRedisCostsOneDeadline) {
  net::testing::TempRedis redis;
  ServedRedis one(redis.port());
  take(one.cache, "k", 1000);
  redis.freeze();
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(take(one.cache, "k", 1000).degraded);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 3s);
  redis.thaw();
  ASSERT_TRUE(one.becomes(true));
  EXPECT_FALSE(take(one.cache, "k", 1000).degraded);
}

}   // namespace
}   // namespace agentauri::store
