#include "chain/evm/provider_standing.hpp"

#include <gtest/gtest.h>

namespace agentauri::chain {
namespace {

using namespace std::chrono_literals;
using State = ProviderStanding::State;

const ProviderStanding::Time kStart{1'000'000s};

ProviderStanding::Settings settings(int requests_per_second = 0) {
  return {.failures_to_open = 5,
          .reset = 60s,
          .successes_to_close = 3,
          .requests_per_second = requests_per_second,
          .first_demotion = 10s,
          .max_demotion = 40s};
}

TEST(ProviderBreaker, OpensAfterFiveFailuresInARow) {
  ProviderStanding standing(settings());
  for (int i = 0; i < 4; ++i) standing.failed(kStart);
  EXPECT_EQ(standing.state(), State::closed);
  standing.succeeded();   // zeroes the counter
  for (int i = 0; i < 4; ++i) standing.failed(kStart);
  EXPECT_TRUE(standing.available(kStart));
  standing.failed(kStart);
  EXPECT_EQ(standing.state(), State::open);
  EXPECT_EQ(standing.state_number(), 2);
  EXPECT_FALSE(standing.available(kStart));
}

TEST(ProviderBreaker, HalfOpensAfterAMinuteAndClosesAfterThreeSuccesses) {
  ProviderStanding standing(settings());
  for (int i = 0; i < 5; ++i) standing.failed(kStart);
  EXPECT_FALSE(standing.available(kStart + 60s - 1ms));
  EXPECT_TRUE(standing.available(kStart + 60s));
  EXPECT_EQ(standing.state_number(), 1);
  standing.succeeded();
  standing.succeeded();
  EXPECT_EQ(standing.state(), State::half_open);
  standing.succeeded();
  EXPECT_EQ(standing.state_number(), 0);
}

TEST(ProviderBreaker, AnyFailureWhileHalfOpenOpensItAgain) {
  ProviderStanding standing(settings());
  for (int i = 0; i < 5; ++i) standing.failed(kStart);
  ASSERT_TRUE(standing.available(kStart + 60s));
  standing.succeeded();
  standing.succeeded();
  standing.failed(kStart + 61s);
  EXPECT_FALSE(standing.available(kStart + 120s));
  ASSERT_TRUE(standing.available(kStart + 121s));
  standing.succeeded();   // the two from before do not count
  standing.succeeded();
  EXPECT_EQ(standing.state(), State::half_open);
}

TEST(ProviderPause, LastsAsLongAsTheLongestOneAsked) {
  ProviderStanding standing(settings());
  standing.pause_until(kStart + 10s);
  standing.pause_until(kStart + 5s);
  EXPECT_FALSE(standing.available(kStart + 10s - 1ms));
  EXPECT_TRUE(standing.available(kStart + 10s));
}

TEST(ProviderTokens, ABurstPassesThenTheRateDoes) {
  ProviderStanding standing(settings(10));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(standing.reserve(kStart), 0ms) << i;
  EXPECT_NEAR(static_cast<double>(standing.reserve(kStart).count()), 100, 2);
  EXPECT_NEAR(static_cast<double>(standing.reserve(kStart).count()), 200, 2);
  EXPECT_EQ(standing.reserve(kStart + 10s), 0ms);
  // Idle time saves up one burst, not more.
  for (int i = 0; i < 9; ++i) EXPECT_EQ(standing.reserve(kStart + 10s), 0ms);
  EXPECT_GT(standing.reserve(kStart + 10s), 0ms);
}

TEST(ProviderTokens, NoLimitIsNoWait) {
  ProviderStanding standing(settings(0));
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(standing.reserve(kStart), 0ms);
}

TEST(ProviderDemotion, DoublesWithEachFailureUpToItsBound) {
  ProviderStanding standing(settings());
  EXPECT_FALSE(standing.demoted(kStart));
  EXPECT_FALSE(standing.wants_probe(kStart));
  auto now = kStart;
  for (const auto length : {10s, 20s, 40s, 40s}) {
    standing.failed(now);
    EXPECT_TRUE(standing.demoted(now + length - 1ms));
    EXPECT_FALSE(standing.wants_probe(now + length - 1ms));
    EXPECT_FALSE(standing.demoted(now + length));
    EXPECT_TRUE(standing.wants_probe(now + length));
    now += length;
  }
  standing.succeeded();
  EXPECT_FALSE(standing.wants_probe(now));
  standing.failed(now);
  EXPECT_FALSE(standing.demoted(now + 10s));
}

TEST(ProviderDemotion, OneThatLagsStaysBehindHoweverWellItAnswers) {
  ProviderStanding standing(settings());
  standing.fell_behind(kStart);
  standing.succeeded();
  EXPECT_TRUE(standing.demoted(kStart + 9s));
  EXPECT_FALSE(standing.demoted(kStart + 10s));
  standing.fell_behind(kStart + 10s);
  EXPECT_TRUE(standing.demoted(kStart + 29s));
  standing.kept_up();
  EXPECT_FALSE(standing.demoted(kStart + 29s));
  EXPECT_EQ(standing.state(), State::closed);
}

TEST(ProviderDemotion, OneThatLagsStaysBehindUntilTheHeadsMayBeComparedAgain) {
  auto wanted = settings();
  wanted.shortest_lag_demotion = 15s;
  ProviderStanding standing(wanted);
  standing.fell_behind(kStart);
  EXPECT_TRUE(standing.demoted(kStart + 15s - 1ms));
  EXPECT_FALSE(standing.demoted(kStart + 15s));
  standing.fell_behind(kStart + 15s);
  EXPECT_TRUE(standing.demoted(kStart + 35s - 1ms)) << "where doubling is longer, it counts";
}

TEST(RetryWait, DoublesWithTwentyPercentOfJitter) {
  EXPECT_EQ(retry_wait(0, 0.5), 125ms);
  EXPECT_EQ(retry_wait(0, 0), 100ms);
  EXPECT_EQ(retry_wait(0, 1), 150ms);
  EXPECT_EQ(retry_wait(2, 0.5), 500ms);
  EXPECT_EQ(retry_wait(6, 0.5), 8000ms);
  EXPECT_EQ(retry_wait(1000, 0.5), 8000ms);
}

}   // namespace
}   // namespace agentauri::chain
