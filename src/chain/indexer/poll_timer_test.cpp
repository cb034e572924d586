#include "chain/indexer/poll_timer.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace agentauri::chain {
namespace {

using namespace std::chrono_literals;
using Duration = PollTimer::Duration;

struct Outcome {
  double looks_per_block = 0;
  Duration p50{}, p90{};
};

// A node whose blocks appear at the given gaps, and a follower whose looks take `latency`.
Outcome simulate(const std::function<Duration(int)>& gap, int blocks, Duration latency, int warm_up,
                 const std::function<Duration(int)>& busy = nullptr,
                 const std::function<Duration(int)>& late = nullptr) {
  PollTimer timer({});
  std::vector<Duration> arrivals;
  Duration at = 1s;
  for (int i = 0; i < blocks; ++i) arrivals.push_back(at += gap(i));
  Duration now{0};
  std::size_t seen = 0, looks = 0, counted = 0;
  std::vector<Duration> delays;
  while (seen < arrivals.size()) {
    const Duration asked = now + latency / 2;   // the node answers what it has then
    now += latency + (late ? late(static_cast<int>(seen)) : Duration(0));
    unsigned found = 0;
    while (seen < arrivals.size() && arrivals[seen] <= asked) {
      if (static_cast<int>(seen) >= warm_up) delays.push_back(now - arrivals[seen]);
      ++seen;
      ++found;
    }
    if (static_cast<int>(seen) >= warm_up) ++looks;
    const auto answered = now;
    if (found > 0 && busy) now += busy(static_cast<int>(seen));   // handling what was found
    now += timer.next(PollTimer::Time(answered), found, PollTimer::Time(now));
  }
  counted = delays.size();
  std::sort(delays.begin(), delays.end());
  return {static_cast<double>(looks) / static_cast<double>(counted), delays[counted / 2], delays[counted * 9 / 10]};
}

TEST(PollTimer, FourBlocksASecondAreSeenWithinMillisecondsAtHardlyMoreThanOneLook) {
  std::mt19937 random(1);
  std::normal_distribution<double> jitter(0, 1500);
  double last = 0;
  const auto gap = [&](int) {
    const double next = jitter(random);
    const Duration out(static_cast<std::int64_t>(250'000 + next - last));
    last = next;
    return out;
  };
  const auto outcome = simulate(gap, 4000, 1ms, 100);
  EXPECT_LE(outcome.looks_per_block, 1.15);
  EXPECT_LE(outcome.p50, 8ms);
  EXPECT_LE(outcome.p90, 15ms);
}

TEST(PollTimer, AfterAStallTheRhythmIsFoundAgain) {
  const auto gap = [](int) { return Duration(250ms); };
  const auto busy = [](int seen) {
    return seen % 100 == 0 ? Duration(700ms) : seen % 37 == 0 ? Duration(90ms) : Duration(2ms);
  };
  const auto outcome = simulate(gap, 4000, 1ms, 100, busy);
  EXPECT_LE(outcome.looks_per_block, 1.25);
  EXPECT_LE(outcome.p50, 10ms);
  EXPECT_LE(outcome.p90, 60ms);
}

// Answers that come late say nothing about the rhythm, wherever they fall; also the first ones, when nothing is known.
TEST(PollTimer, LateAnswersAreNotTakenForTheRhythm) {
  const auto busy = [](int) { return Duration(2ms); };
  for (const int phase : {0, 50, 100, 150, 200, 249}) {
    const auto gap = [phase](int i) { return i == 0 ? std::chrono::milliseconds(phase) : 250ms; };
    for (int block = 0; block < 6; ++block) {
      for (const auto by : {5ms, 20ms, 60ms, 120ms, 200ms}) {
        const auto late = [=](int seen) { return seen == block ? Duration(by) : Duration(0); };
        const auto outcome = simulate(gap, 1200, 1ms, 100, busy, late);
        const std::string where = fmt::format("phase {}, block {} late by {} ms", phase, block, by.count());
        EXPECT_LE(outcome.p50, 8ms) << where;
        EXPECT_LE(outcome.p90, 15ms) << where;
        EXPECT_LE(outcome.looks_per_block, 1.2) << where;
      }
    }
  }
}

TEST(PollTimer, SlowAndUnsteadyBlocksAreSeenWithinAFractionOfTheirInterval) {
  std::mt19937 random(2);
  std::normal_distribution<double> jitter(0, 300'000);
  double last = 0;
  const auto gap = [&](int i) {
    const double next = jitter(random);
    const Duration out(
        static_cast<std::int64_t>((i % 50 == 49 ? 24'000'000 : 12'000'000) + next - last));   // a missed slot
    last = next;
    return out;
  };
  const auto outcome = simulate(gap, 1000, 50ms, 50);
  EXPECT_LE(outcome.p50, 500ms);
  EXPECT_LE(outcome.looks_per_block, 4);
}

TEST(PollTimer, BlocksWithoutARhythmCostABoundedNumberOfLooks) {
  std::mt19937 random(3);
  std::exponential_distribution<double> arrival(1 / 2e6);
  const auto gap = [&](int) { return Duration(static_cast<std::int64_t>(arrival(random))); };
  const auto outcome = simulate(gap, 2000, 20ms, 50);
  EXPECT_LE(outcome.looks_per_block, 15);
  EXPECT_LE(outcome.p50, 400ms);
}

TEST(PollTimer, ANewRhythmIsLearnt) {
  const auto gap = [](int i) { return i < 500 ? Duration(250ms) : i < 1000 ? Duration(1s) : Duration(100ms); };
  const auto outcome = simulate(gap, 2000, 1ms, 1200);
  EXPECT_LE(outcome.looks_per_block, 1.2);
  EXPECT_LE(outcome.p50, 8ms);
}

TEST(PollTimer, AChainThatStandsStillIsLookedAtLessAndLess) {
  PollTimer timer({});
  PollTimer::Time now{};
  for (int i = 0; i < 20; ++i) now += timer.next(now, 1, now) + 2s;
  int looks = 0;
  const auto end = now + 10min;
  while (now < end) {
    const auto wait = timer.next(now, 0, now);
    ASSERT_GE(wait, 4ms);
    ASSERT_LE(wait, 15s);
    now += wait;
    ++looks;
  }
  EXPECT_LE(looks, 400);
}

}   // namespace
}   // namespace agentauri::chain
