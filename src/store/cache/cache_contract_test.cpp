// What every cache does alike: in the process, and in Redis.
#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "store/cache/memory_cache.hpp"
#include "store/testing/served_redis.hpp"

namespace agentauri::store {
namespace {

Time at(std::int64_t seconds) {
  return from_unix_seconds(1'767'225'600 + seconds);
}

class CacheContract : public ::testing::TestWithParam<std::string> {
 protected:
  Quota take(std::string key, Window window, std::int64_t limit, std::int64_t cost, Time now) {
    return wait_for<Quota>([&] { return cache->take({std::move(key), window, limit, cost, now}); });
  }
  Quota peek(std::string key, Window window, std::int64_t limit, Time now) {
    return wait_for<Quota>([&] { return cache->peek({std::move(key), window, limit, 1, now}); });
  }
  void refund(std::string key, Window window, std::int64_t cost, Time taken_at) {
    run_blocking([&]() -> Task<void> { co_await cache->refund({std::move(key), window, 0, cost, taken_at}); });
  }
  CacheContract() {
    if (GetParam() == "memory") {
      cache = &memory_;
      return;
    }
    redis_ = std::make_unique<net::testing::TempRedis>();
    served_ = std::make_unique<testing::ServedRedis>(redis_->port());
    cache = &served_->cache;
  }
  Cache* cache = nullptr;

 private:
  MemoryCache memory_;
  std::unique_ptr<net::testing::TempRedis> redis_;
  std::unique_ptr<testing::ServedRedis> served_;

  template <class T>
  static T wait_for(const std::function<Task<T>()>& ask) {
    std::optional<T> out;
    run_blocking([&]() -> Task<void> { out = co_await ask(); });
    return *out;
  }
};

TEST_P(CacheContract, TheLimitIsTheLastThatPasses) {
  for (int i = 0; i < 3; ++i) {
    const auto quota = take("k", Window::minute, 3, 1, at(10));
    EXPECT_TRUE(quota.allowed);
    EXPECT_EQ(quota.remaining, 2 - i);
    EXPECT_EQ(quota.reset, to_unix_seconds(at(70)));
  }
  const auto refused = take("k", Window::minute, 3, 1, at(10));
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.remaining, 0);
  EXPECT_EQ(refused.retry_after_s, 60);
  EXPECT_EQ(refused.reset, to_unix_seconds(at(70)));
  EXPECT_TRUE(take("other", Window::minute, 3, 1, at(10)).allowed);
}

TEST_P(CacheContract, WhatWasCountedLeavesAfterSixtySeconds) {
  take("k", Window::minute, 2, 1, at(0));
  take("k", Window::minute, 2, 1, at(30));
  const auto refused = take("k", Window::minute, 2, 1, at(59));
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.retry_after_s, 1);
  EXPECT_TRUE(take("k", Window::minute, 2, 1, at(60)).allowed);
  EXPECT_FALSE(take("k", Window::minute, 2, 1, at(89)).allowed);
  EXPECT_TRUE(take("k", Window::minute, 2, 1, at(90)).allowed);
}

TEST_P(CacheContract, AnHourIsMadeOfMinutes) {
  for (int i = 0; i < 300; ++i) EXPECT_TRUE(take("o", Window::hour, 300, 1, at(i)).allowed);
  const auto refused = take("o", Window::hour, 300, 1, at(3599));
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.retry_after_s, 1);
  EXPECT_EQ(refused.window_s, 3600);
  EXPECT_TRUE(take("o", Window::hour, 300, 60, at(3600)).allowed);
  EXPECT_FALSE(take("o", Window::hour, 300, 1, at(3600)).allowed);
}

TEST_P(CacheContract, ARefundMakesRoom) {
  take("k", Window::minute, 1, 1, at(5));
  EXPECT_FALSE(take("k", Window::minute, 1, 1, at(6)).allowed);
  refund("k", Window::minute, 1, at(5));
  EXPECT_EQ(peek("k", Window::minute, 1, at(6)).remaining, 1);
  EXPECT_TRUE(take("k", Window::minute, 1, 1, at(6)).allowed);
}

TEST_P(CacheContract, ManyThreadsShareOneLimit) {
  std::atomic<int> passed{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 200; ++i) passed += take("k", Window::minute, 100, 1, at(0)).allowed ? 1 : 0;
      });
    }
  }
  EXPECT_EQ(passed, 100);
}

INSTANTIATE_TEST_SUITE_P(Caches, CacheContract, ::testing::Values("memory", "redis"),
                         [](const auto& info) { return info.param; });

TEST(MemoryCache, IsBounded) {
  MemoryCache cache(160);
  run_blocking([&]() -> Task<void> {
    for (int i = 0; i < 5000; ++i) co_await cache.take({"key" + std::to_string(i), Window::minute, 1, 1, at(0)});
  });
  EXPECT_LE(cache.size(), 160U);
  EXPECT_GT(cache.size(), 100U);
}

}   // namespace
}   // namespace agentauri::store
