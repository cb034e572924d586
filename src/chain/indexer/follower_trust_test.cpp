// What the follower believes of what a node says: filters, empty answers, heads, refusals.
#include <gtest/gtest.h>

#include "chain/testing/follower_rig.hpp"

namespace agentauri::chain {
namespace {

using testing::kChain;
using FollowerTrust = testing::FollowerTest;

const Address kStranger = *parse_address("0x00000000000000000000000000000000000000aa");

// --- filters ---------------------------------------------------------------------------------------------------------

TEST_P(FollowerTrust, ANodeThatLosesItsFiltersLosesNoEvent) {
  start();
  for (int i = 0; i < 12; ++i) mine_at_the_head(1);   // its filters are proved by now
  source_.faults().empty_blooms = true;
  for (int i = 0; i < 5; ++i) mine_at_the_head(1);
  EXPECT_EQ(stored(), on_chain(1, chain_.head().num));
}

TEST_P(FollowerTrust, AnEmptyFilterChecksNothing) {
  source_.faults().empty_blooms = true;
  start();
  for (int i = 0; i < 5; ++i) {
    chain_.emit(kStranger, {Hash32{}}, {});
    chain_.mine();
    catch_up();
  }
  ASSERT_FALSE(coverage().empty());
  for (const auto& range : coverage()) EXPECT_EQ(range.level, "provider_trusted") << range.from_block;
}

// An empty filter is right for a block without transactions: quiet chains are not asked for logs all day.
TEST_P(FollowerTrust, ABlockWithoutTransactionsHasNoLogs) {
  start();
  for (int i = 0; i < 12; ++i) mine_at_the_head(1);
  std::size_t asked = 0;
  source_.faults().fails = [&asked](std::string_view method) {
    if (method == "logs_by_hash") ++asked;
    return false;
  };
  for (int i = 0; i < 5; ++i) {
    chain_.mine();
    catch_up();
  }
  EXPECT_EQ(asked, 0U);
  for (const auto& range : coverage()) EXPECT_EQ(range.level, "header_checked") << range.from_block;
}

// The filter names two contracts, and the answer holds logs of one.
TEST_P(FollowerTrust, HalfAnAnswerIsAskedAgain) {
  source_.faults().providers = 2;
  source_.faults().receipts = false;
  source_.faults().omits_log = [this](const RawLog& log, std::size_t provider) {
    return provider == 0 && log.address == *chain_.contracts().identity;
  };
  start();
  for (int i = 0; i < 3; ++i) {
    chain_.register_agent(static_cast<std::uint64_t>(i), "https://agents.example");
    mine_at_the_head(1);
  }
  for (const auto& log : chain_.logs(1, 3)) {
    if (log.address == *chain_.contracts().identity) EXPECT_TRUE(stored().contains(name_of(log)));
  }
  EXPECT_EQ(metric("indexer_bloom_unconfirmed_total"), 0);
}

TEST_P(FollowerTrust, HalfAnAnswerOfEverybodyIsTakenInTheEndAndSaidToBeTrusted) {
  source_.faults().receipts = false;
  source_.faults().omits_log = [this](const RawLog& log, std::size_t) {
    return log.address == *chain_.contracts().identity;
  };
  start();
  chain_.register_agent(1, "https://agents.example");
  mine_at_the_head(1);
  EXPECT_EQ(stored().size(), 1U) << "the feedback";
  EXPECT_EQ(metric("indexer_bloom_unconfirmed_total"), 1);
  for (const auto& range : coverage()) EXPECT_EQ(range.level, "provider_trusted");
}

// --- refusals --------------------------------------------------------------------------------------------------------

TEST_P(FollowerTrust, FinalityTagsThatWereRefusedAreAskedForAgain) {
  source_.faults().finality_lag = 5;
  start();
  mine_at_the_head(40);
  ASSERT_TRUE(row().finalized_num);
  source_.faults().finality_lag = 0;   // refused
  mine_at_the_head(40);
  source_.faults().finality_lag = 5;
  mine_at_the_head(400, 50);
  EXPECT_GT(*row().finalized_num, 300U);
}

TEST_P(FollowerTrust, WithoutFinalityTagsTheDepthDecides) {
  source_.faults().receipts = false;
  source_.faults().finality_lag = 5;
  start();
  mine_at_the_head(40);
  source_.faults().finality_lag = 0;
  mine_at_the_head(20, 100);
  feedback();
  const Hash32 secret = chain_.mine().hash;
  source_.faults().omits = [secret](const Hash32& block, std::size_t) { return block == secret; };
  catch_up();
  mine_at_the_head(300, 100);
  verify_all();
  EXPECT_EQ(metric("indexer_late_events_total"), 1);
}

TEST_P(FollowerTrust, ReceiptsThatWereRefusedAreAskedForAgain) {
  source_.faults().omits = [](const Hash32&, std::size_t) { return true; };
  source_.faults().receipts = false;
  start();
  mine_at_the_head(1);
  EXPECT_EQ(metric("indexer_bloom_unconfirmed_total"), 1);
  source_.faults().receipts = true;
  mine_at_the_head(400, 50);
  const auto unconfirmed = metric("indexer_bloom_unconfirmed_total");
  mine_at_the_head(1);
  EXPECT_EQ(metric("indexer_bloom_unconfirmed_total"), unconfirmed);
  EXPECT_TRUE(stored().contains(name_of(chain_.logs(chain_.head().num, chain_.head().num).front())));
}

// --- heads -----------------------------------------------------------------------------------------------------------

// It lags, and its newest block is one that has left the chain since.
TEST_P(FollowerTrust, ALowerHeadOfOneProviderTakesNothingBack) {
  source_.faults().providers = 2;
  start();
  mine_at_the_head(8);
  const auto left = chain_.head();
  chain_.reorg(1, false);
  mine_at_the_head(3);
  const auto reorgs = metric("indexer_reorgs_total");
  source_.faults().lagging_head = left;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(step());
  EXPECT_EQ(metric("indexer_reorgs_total"), reorgs);
  EXPECT_EQ(row().head_num, 10U);
  mine(1);
  EXPECT_TRUE(step());
  EXPECT_EQ(row().head_num, 11U) << "and the others' new blocks are taken";
}

TEST_P(FollowerTrust, ANodeThatStartsFromScratchIsATrouble) {
  mine(60);
  start();
  mine_at_the_head(10);
  std::destroy_at(&chain_);
  std::construct_at(&chain_, kChain, 2, from_unix_seconds(1'700'000'000), std::chrono::seconds(2));
  mine(3);
  EXPECT_TRUE(step()) << "a moment is allowed";
  const auto later = step();
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error().code, Code::unavailable);
  EXPECT_NE(later.error().text.find("block 3"), std::string::npos) << later.error().text;
  EXPECT_EQ(row().head_num, 70U);
  mine(80);   // it comes up to where we are, with other blocks
  catch_up();
  EXPECT_EQ(row().head_num, chain_.head().num);
}

INSTANTIATE_TEST_SUITE_P(Engines, FollowerTrust, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::chain
