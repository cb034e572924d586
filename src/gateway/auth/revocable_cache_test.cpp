#include "gateway/auth/revocable_cache.hpp"

#include <gtest/gtest.h>

#include <string>

namespace agentauri::gateway {
namespace {

using namespace std::chrono_literals;
using Cache = RevocableCache<int, std::string>;

SteadyTime now() {
  return std::chrono::steady_clock::now();
}
Uuid id(std::uint8_t seed) {
  Uuid out;
  out.data.fill(seed);
  return out;
}

TEST(RevocableCache, IsBelievedOnlyWhileTheSequenceIsFollowed) {
  Cache cache;
  cache.remember(1, id(1), "one", now());
  EXPECT_EQ(cache.find(1), std::nullopt);
  cache.followed(now());
  EXPECT_EQ(cache.find(1), "one");
  EXPECT_EQ(cache.find(2), std::nullopt);
  cache.followed(now() - kMaxStaleness - 1ms);
  EXPECT_EQ(cache.find(1), std::nullopt);
}

TEST(RevocableCache, WhatWasReadBeforeARevocationIsNotKept) {
  Cache cache;
  cache.followed(now());
  const auto asked_at = now();
  cache.remember(1, id(1), "one", asked_at);
  cache.revoke(id(1));
  EXPECT_EQ(cache.find(1), std::nullopt);
  cache.remember(1, id(1), "one", asked_at);
  EXPECT_EQ(cache.find(1), std::nullopt) << "a read that was under way";
  cache.remember(1, id(1), "changed", now() + 1ms);
  EXPECT_EQ(cache.find(1), "changed") << "a change, not an end: what is read later counts";
  cache.remember(2, id(2), "two", asked_at);
  EXPECT_EQ(cache.find(2), "two");
}

TEST(RevocableCache, OldEntriesAreReadAgain) {
  Cache cache;
  cache.followed(now());
  cache.remember(1, id(1), "one", now() - kCacheAge - 1ms);
  EXPECT_EQ(cache.find(1), std::nullopt);
}

TEST(RevocableCache, ARestartForgetsEverythingAndWhatIsUnderWay) {
  Cache cache;
  cache.followed(now());
  const auto asked_at = now();
  cache.remember(1, id(1), "one", asked_at);
  cache.restart();
  EXPECT_EQ(cache.find(1), std::nullopt);
  cache.remember(2, id(2), "two", asked_at);
  EXPECT_EQ(cache.find(2), std::nullopt);
}

TEST(RevocableCache, TheLeastRecentlyUsedGoesFirst) {
  Cache cache;
  cache.followed(now());
  const auto name = [](std::size_t i) {
    Uuid out;
    for (std::size_t b = 0; b < 8; ++b) out.data[b] = static_cast<std::uint8_t>(i >> (8 * b));
    return out;
  };
  for (std::size_t i = 0; i < kMaxCached; ++i) cache.remember(static_cast<int>(i), name(i), "x", now());
  cache.followed(now());
  EXPECT_TRUE(cache.find(0));
  cache.remember(-1, name(kMaxCached), "x", now());
  EXPECT_TRUE(cache.find(0));
  EXPECT_FALSE(cache.find(1));
  EXPECT_TRUE(cache.find(-1));
}

TEST(RevocableCache, TooManyRevocationsDropTheRestToo) {
  Cache cache;
  cache.followed(now());
  const auto asked_at = now();
  for (std::size_t i = 0; i <= kMaxRevoked; ++i) {
    Uuid out;
    for (std::size_t b = 0; b < 8; ++b) out.data[b] = static_cast<std::uint8_t>(i >> (8 * b));
    cache.revoke(out);
  }
  cache.followed(now());
  // The first of them is no longer remembered by name, and is refused all the same.
  cache.remember(1, Uuid{}, "one", asked_at);
  EXPECT_EQ(cache.find(1), std::nullopt);
}

}   // namespace
}   // namespace agentauri::gateway
