#include "gateway/limits/sliding_window.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "gateway/limits/rate_limiter.hpp"

namespace agentauri::gateway {
namespace {

Time at(std::int64_t seconds) {
  return from_unix_seconds(1'767'225'600 + seconds);
}

TEST(SlidingWindow, TheLimitIsTheLastThatPasses) {
  SlidingWindows windows;
  for (int i = 0; i < 3; ++i) {
    const auto quota = windows.take("k", Window::minute, 3, 1, at(10));
    EXPECT_TRUE(quota.allowed);
    EXPECT_EQ(quota.remaining, 2 - i);
    EXPECT_EQ(quota.reset, to_unix_seconds(at(70)));
  }
  const auto refused = windows.take("k", Window::minute, 3, 1, at(10));
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.remaining, 0);
  EXPECT_EQ(refused.retry_after_s, 60);
  EXPECT_EQ(refused.reset, to_unix_seconds(at(70)));
  EXPECT_TRUE(windows.take("other", Window::minute, 3, 1, at(10)).allowed);
}

TEST(SlidingWindow, WhatWasCountedLeavesAfterSixtySeconds) {
  SlidingWindows windows;
  windows.take("k", Window::minute, 2, 1, at(0));
  windows.take("k", Window::minute, 2, 1, at(30));
  const auto refused = windows.take("k", Window::minute, 2, 1, at(59));
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.retry_after_s, 1);
  EXPECT_TRUE(windows.take("k", Window::minute, 2, 1, at(60)).allowed);
  EXPECT_FALSE(windows.take("k", Window::minute, 2, 1, at(89)).allowed);
  EXPECT_TRUE(windows.take("k", Window::minute, 2, 1, at(90)).allowed);
}

TEST(SlidingWindow, AnHourIsMadeOfMinutes) {
  SlidingWindows windows;
  for (int i = 0; i < 300; ++i) EXPECT_TRUE(windows.take("o", Window::hour, 300, 1, at(i)).allowed);
  const auto refused = windows.take("o", Window::hour, 300, 1, at(3599));
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.retry_after_s, 1);
  EXPECT_EQ(refused.window_s, 3600);
  EXPECT_TRUE(windows.take("o", Window::hour, 300, 60, at(3600)).allowed);
  EXPECT_FALSE(windows.take("o", Window::hour, 300, 1, at(3600)).allowed);
}

TEST(SlidingWindow, ARefundMakesRoom) {
  SlidingWindows windows;
  windows.take("k", Window::minute, 1, 1, at(5));
  EXPECT_FALSE(windows.take("k", Window::minute, 1, 1, at(6)).allowed);
  windows.refund("k", Window::minute, 1, at(5));
  EXPECT_EQ(windows.peek("k", Window::minute, 1, at(6)).remaining, 1);
  EXPECT_TRUE(windows.take("k", Window::minute, 1, 1, at(6)).allowed);
}

TEST(SlidingWindow, MemoryIsBounded) {
  SlidingWindows windows(160);
  for (int i = 0; i < 5000; ++i) windows.take("key" + std::to_string(i), Window::minute, 1, 1, at(0));
  EXPECT_LE(windows.size(), 160U);
  EXPECT_GT(windows.size(), 100U);
}

TEST(SlidingWindow, ManyThreadsShareOneLimit) {
  SlidingWindows windows;
  std::atomic<int> passed{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 200; ++i) passed += windows.take("k", Window::minute, 100, 1, at(0)).allowed ? 1 : 0;
      });
    }
  }
  EXPECT_EQ(passed, 100);
}

TEST(RateLimiter, AddressesOfIpv6AreLimitedByTheirNetwork) {
  EXPECT_EQ(limit_key_of_address("203.0.113.7"), "203.0.113.7");
  EXPECT_EQ(limit_key_of_address("2001:db8:1:2:3:4:5:6"), limit_key_of_address("2001:db8:1:2::9"));
  EXPECT_NE(limit_key_of_address("2001:db8:1:2::9"), limit_key_of_address("2001:db8:1:3::9"));
  EXPECT_EQ(limit_key_of_address("not an address"), "not an address");
}

TEST(RateLimiter, HeadersShowTheClassWithLeastLeft) {
  Allowance allowance;
  allowance.add(kAuth, {true, 60, 59, 100, 0, 60});
  allowance.add(kRegister, {true, 3, 2, 100, 0, 60});
  allowance.add(kSessionRead, {true, 300, 299, 100, 0, 60});
  net::Headers headers;
  allowance.write(headers);
  EXPECT_EQ(*headers.find("X-RateLimit-Limit"), "3");
  EXPECT_EQ(*headers.find("X-RateLimit-Remaining"), "2");
  EXPECT_EQ(*headers.find("RateLimit-Policy"), "\"register\";q=3;w=60");
  EXPECT_EQ(*headers.find("RateLimit"), "\"register\";r=2;t=60");
}

}   // namespace
}   // namespace agentauri::gateway
