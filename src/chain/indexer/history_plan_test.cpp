#include "chain/indexer/history_plan.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "chain/indexer/range_size.hpp"

namespace agentauri::chain {
namespace {

Address contract(std::uint8_t n) {
  Address out;
  out.data[0] = n;
  return out;
}
const Address kA = contract(1), kB = contract(2);

using Rows = std::vector<store::CoverageRow>;
using Gaps = std::deque<Gap>;

TEST(FindGaps, EverythingIsAGapAtFirst) {
  EXPECT_EQ(find_gaps({}, {kA, kB}, 10, 99), (Gaps{{10, 99, {kA, kB}}}));
  EXPECT_EQ(find_gaps({}, {}, 10, 99), Gaps{});
  EXPECT_EQ(find_gaps({}, {kA}, 10, 9), Gaps{});
  EXPECT_EQ(find_gaps({}, {kA}, 0, 0), (Gaps{{0, 0, {kA}}}));
}

TEST(FindGaps, WhatIsCoveredIsLeftOut) {
  const Rows rows{{kA, 0, 20, "provider_trusted"}, {kA, 31, 40, "header_checked"}, {kA, 41, 200, "provider_trusted"}};
  EXPECT_EQ(find_gaps(rows, {kA}, 10, 99), (Gaps{{21, 30, {kA}}}));
  EXPECT_EQ(find_gaps(rows, {kA}, 35, 99), Gaps{});
}

TEST(FindGaps, AContractThatCameLaterIsAskedForAlone) {
  const Rows rows{{kA, 10, 99, "provider_trusted"}, {kB, 60, 80, "header_checked"}};
  EXPECT_EQ(find_gaps(rows, {kA, kB}, 10, 99), (Gaps{{10, 59, {kB}}, {81, 99, {kB}}}));
  EXPECT_EQ(find_gaps(rows, {kA, kB}, 5, 99), (Gaps{{5, 9, {kA, kB}}, {10, 59, {kB}}, {81, 99, {kB}}}));
}

TEST(HistoryPlan, IsDoneWhenEverythingTakenIsDone) {
  HistoryPlan plan(find_gaps({}, {kA}, 0, 24));
  EXPECT_EQ(plan.blocks_left(), 25U);
  const auto one = plan.take(10, 100), two = plan.take(10, 100);
  EXPECT_EQ(*one, (Gap{0, 9, {kA}}));
  EXPECT_EQ(*two, (Gap{10, 19, {kA}}));
  plan.give_back({5, 9, {kA}});   // half of it was stored
  EXPECT_EQ(plan.take(3, 100), (Gap{5, 7, {kA}}));
  plan.done();
  EXPECT_EQ(plan.take(10, 100), (Gap{8, 9, {kA}}));
  plan.done();
  EXPECT_FALSE(plan.take(10, 19)) << "the rest is not final yet";
  EXPECT_EQ(plan.take(10, 22), (Gap{20, 22, {kA}}));
  plan.done();
  EXPECT_EQ(plan.take(0, 100), (Gap{23, 23, {kA}}));
  EXPECT_EQ(plan.take(10, 100), (Gap{24, 24, {kA}}));
  EXPECT_FALSE(plan.complete());
  plan.done();
  plan.done();
  plan.done();
  EXPECT_TRUE(plan.complete());
}

TEST(HistoryPlan, ManyReadersTakeEachBlockOnce) {
  std::mt19937 random(3);
  HistoryPlan plan(find_gaps({{kA, 40, 50, ""}}, {kA}, 0, 500));
  std::set<std::uint64_t> read;
  std::vector<Gap> in_hand;
  while (!plan.complete()) {
    if (in_hand.size() < 4) {
      if (auto gap = plan.take(1 + random() % 40, 1000)) in_hand.push_back(*gap);
    }
    if (in_hand.empty()) continue;
    const std::size_t i = random() % in_hand.size();
    Gap gap = in_hand[i];
    in_hand.erase(in_hand.begin() + static_cast<std::ptrdiff_t>(i));
    const bool fails = random() % 3 == 0;
    const std::uint64_t stored_to = fails ? gap.from + random() % (gap.to - gap.from + 1) : gap.to + 1;
    for (auto num = gap.from; num < stored_to; ++num) EXPECT_TRUE(read.insert(num).second) << num;
    if (fails)
      plan.give_back({stored_to, gap.to, gap.contracts});
    else
      plan.done();
  }
  EXPECT_EQ(read.size(), 501U - 11U);
}

TEST(RangeSize, HalvesOnRefusalAndDoublesAfterFiveSuccesses) {
  RangeSize range(10'000);
  range.refused(10'000);
  EXPECT_EQ(range.size(), 5000U);
  range.refused(10'000);   // asked for before the first refusal came
  EXPECT_EQ(range.size(), 5000U);
  for (int i = 0; i < 20; ++i) range.refused(range.size());
  EXPECT_EQ(range.size(), 1U);
  for (int i = 0; i < 4; ++i) range.succeeded();
  EXPECT_EQ(range.size(), 1U);
  range.succeeded();
  EXPECT_EQ(range.size(), 2U);
  for (int i = 0; i < 100; ++i) range.succeeded();
  EXPECT_EQ(range.size(), 10'000U) << "never above the cap";
  EXPECT_EQ(RangeSize(0).size(), 1U);
}

}   // namespace
}   // namespace agentauri::chain
