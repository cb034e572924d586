#include "chain/indexer/follower.hpp"

#include <gtest/gtest.h>

#include <random>

#include "chain/testing/follower_rig.hpp"

namespace agentauri::chain {
namespace {

using testing::kChain;
using Follower = testing::FollowerTest;

TEST_P(Follower, WhatIsBelowTheHeadAtTheStartIsHistory) {
  mine(50);
  start();
  EXPECT_EQ(row().live_from_block, 50U);
  mine(30);
  catch_up();
  EXPECT_EQ(stored(), on_chain(50, 80));
  EXPECT_EQ(row().last_seq, 31);
  read_history();
  EXPECT_EQ(stored(), on_chain(0, 80));
  EXPECT_EQ(row().last_seq, 31) << "history moves no engine";
  expect_covered(0);
}

TEST_P(Follower, RestartsAtTheExactBlock) {
  start();
  mine(10);
  catch_up();
  mine(100, 3);
  start();
  catch_up();
  EXPECT_EQ(stored(), on_chain(1, 110));
  EXPECT_EQ(row().head_num, 110U);
  read_history();
  expect_covered(0);
}

TEST_P(Follower, FollowsReorgsOfEveryDepth) {
  start();
  mine(30);
  catch_up();
  for (int depth = 1; depth <= 25; ++depth) {
    chain_.reorg(static_cast<std::uint64_t>(depth), depth % 2 == 0);
    mine(depth + depth % 3, 2);
    catch_up();
    ASSERT_EQ(stored(), on_chain(1, chain_.head().num)) << depth;
  }
  read_history();
  expect_covered(0);
}

TEST_P(Follower, AShorterBranchIsFollowedToo) {
  start();
  mine(20);
  catch_up();
  chain_.reorg(5, false);
  mine(2);   // the new head is below ours
  catch_up();
  EXPECT_EQ(stored(), on_chain(1, chain_.head().num));
  EXPECT_EQ(row().head_num, chain_.head().num);
}

TEST_P(Follower, BackToTheFirstBranchIsTheSameRowsAgain) {
  start();
  mine(10);
  catch_up();
  const auto first = stored();
  chain_.reorg(4, false);
  mine(5);
  catch_up();
  EXPECT_NE(stored(), first);
  chain_.reorg_back();
  mine(2, 100);
  catch_up();
  EXPECT_EQ(stored(), on_chain(1, chain_.head().num));
}

TEST_P(Follower, AReorgDeeperThanTheUndoHalts) {
  start();
  mine(300, 10);
  catch_up();
  chain_.reorg(200, false);
  mine(201, 10);
  catch_up();
  EXPECT_EQ(row().state, "halted");
  EXPECT_TRUE(row().reason);
}

TEST_P(Follower, ALogWithheldByOneProviderIsFoundAtAnother) {
  source_.faults().providers = 3;
  source_.faults().receipts = false;
  source_.faults().omits = [](const Hash32&, std::size_t provider) { return provider != 2; };
  start();
  mine(10);
  catch_up();
  EXPECT_EQ(stored(), on_chain(1, 10));
}

TEST_P(Follower, ALogWithheldByEverybodyEntersHistoryLater) {
  source_.faults().receipts = false;
  const auto secret = [this] { return chain_.header(5)->hash; };
  start();
  mine(10);
  source_.faults().omits = [hash = secret()](const Hash32& block, std::size_t) { return block == hash; };
  catch_up();
  EXPECT_EQ(stored().size(), 9U);
  EXPECT_EQ(metrics_.counter("indexer_bloom_unconfirmed_total", "", {{"chain", "fake"}}).value(), 1);
  source_.faults().omits = nullptr;
  mine(300, 7);
  catch_up();
  run_blocking([this]() -> Task<void> {
    const auto verified = co_await follower_->step_verify();
    EXPECT_TRUE(verified && *verified);
  });
  EXPECT_EQ(stored(), on_chain(1, chain_.head().num));
  EXPECT_EQ(metrics_.counter("indexer_late_events_total", "", {{"chain", "fake"}}).value(), 1);
}

TEST_P(Follower, AChainWithEmptyBloomsLosesNothing) {
  source_.faults().empty_blooms = true;
  start();
  mine(40, 3);
  for (int i = 0; i < 40; ++i) {
    mine(1, 2);
    catch_up();
  }
  EXPECT_EQ(stored(), on_chain(1, chain_.head().num));
}

TEST_P(Follower, RangesShrinkToWhatTheProviderTakes) {
  source_.faults().max_range = 7;
  mine(200, 5);
  start();
  read_history();
  mine(300, 5);
  catch_up();
  read_history();
  EXPECT_EQ(stored(), on_chain(0, 500));
  expect_covered(0);
}

TEST_P(Follower, SkipsLogsThatItDoesNotKnowAndKeepsThoseThatAreBroken) {
  start();
  chain_.emit(*chain_.contracts().reputation, {Hash32{}}, {});
  chain_.emit(*chain_.contracts().reputation,
              {*parse_hash("0x6a4a61743519c9d648a14e6493f47dbe3ff1aa29e7785c96c8326a205e58febc")}, Bytes(3));
  chain_.mine();
  catch_up();
  auto page =
      temp_.db->snapshot_blocking<store::EventPage>([](store::Tx& tx) { return store::list_events(tx, {}, 10, 0); });
  ASSERT_EQ(page->rows.size(), 1U);
  EXPECT_EQ(page->rows[0].event_type, "Unknown");
  EXPECT_TRUE(page->rows[0].parse_error);
}

TEST_P(Follower, AnotherEpochEndsIt) {
  start();
  mine(3);
  catch_up();
  ASSERT_TRUE(temp_.db->transact_blocking<store::ChainRow>(store::Priority::interactive, [this](store::Tx& tx) {
    return store::attach_chain(tx, kChain, "fake", 0, 1, 2, clock_.now());
  }));
  mine(1);
  run_blocking([this]() -> Task<void> {
    const auto found = co_await follower_->step_live();
    EXPECT_FALSE(found);
    EXPECT_EQ(found.error().code, Code::fenced);
  });
}

TEST_P(Follower, AHaltedChainWaitsForItsOperator) {
  start();
  mine(150, 10);
  catch_up();
  chain_.reorg(120, false);
  mine(121, 10);
  catch_up();
  ASSERT_EQ(row().state, "halted");
  const auto head = row().head_num;
  const auto idle = step();
  ASSERT_TRUE(idle);
  EXPECT_EQ(idle->blocks, 0U);
  EXPECT_EQ(row().head_num, head);
  start();   // another process takes it up: still halted
  ASSERT_TRUE(step());
  EXPECT_EQ(row().head_num, head);
  // What `agentauri chain rewind` does.
  const auto done = temp_.db->transact_blocking<void>(store::Priority::interactive, [&](store::Tx& tx) -> Result<void> {
    auto raised = store::attach_chain(tx, kChain, "fake", 0, 1, 2, clock_.now());
    if (!raised) return fail(raised);
    auto rewound = store::rewind_chain(tx, kChain, 2, 20, chain_.header(20)->hash, clock_.now());
    if (!rewound) return rewound;
    return store::set_chain_state(tx, kChain, 2, "ok", std::nullopt, clock_.now());
  });
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_EQ(step().error().code, Code::fenced) << "the one that halted gives the chain up";
  epoch_ = 2;
  start();
  catch_up();
  EXPECT_EQ(stored(), on_chain(1, chain_.head().num));
}

// The engine has dropped its before-images below the highest head there was: two reorganisations in a row may not reach
// deeper together than one alone.
TEST_P(Follower, TwoReorgsTogetherAreAsDeepAsOne) {
  start();
  mine(200, 10);
  catch_up();
  chain_.reorg(50, false);
  mine(1);
  catch_up();
  ASSERT_EQ(row().state, "ok");
  chain_.reorg(40, false);
  mine(42);
  start();   // remembered across a restart
  catch_up();
  EXPECT_EQ(row().state, "halted");
}

TEST_P(Follower, AReorgAcrossTheFirstLiveBlockTakesEverythingLive) {
  mine(10);
  start();
  mine(3);
  catch_up();
  for (int round = 0; round < 3; ++round) {
    chain_.reorg(5, false);
    mine(6);
    catch_up();
    ASSERT_EQ(row().state, "ok");
    EXPECT_EQ(row().head_num, chain_.head().num);
    EXPECT_EQ(stored(), on_chain(10, chain_.head().num));
  }
  mine(40, 10);
  catch_up();
  read_history();
  EXPECT_EQ(stored(), on_chain(0, chain_.head().num));
  expect_covered(0);
  expect_log_agrees(10);
}

TEST_P(Follower, ACommitWhoseAnswerWasLostIsNotDoneTwice) {
  start();
  mine(10);
  catch_up();
  mine(3);
  // The commit happened, and this process does not know.
  auto first = std::move(follower_);
  start();
  catch_up();
  follower_ = std::move(first);
  EXPECT_EQ(step().error().code, Code::conflict);
  mine(1);
  catch_up();
  EXPECT_EQ(row().last_seq, 14);
  expect_log_agrees(1);
}

TEST_P(Follower, AContractThatIsConfiguredLaterGetsItsHistory) {
  contracts_ = chain_.contracts();
  contracts_->identity.reset();
  start();
  for (std::uint64_t agent = 1; agent <= 60; ++agent) {
    chain_.register_agent(agent, "https://agents.example");
    mine(1);
  }
  catch_up();
  read_history();
  const auto before = stored().size();
  const auto seq = row().last_seq;
  EXPECT_EQ(before, 60U);
  contracts_.reset();
  start();
  mine(30);   // so that everything is final
  catch_up();
  read_history();
  EXPECT_EQ(stored(), on_chain(0, chain_.head().num));
  EXPECT_EQ(row().last_seq, seq + 30) << "no trigger sees what was found later";
  expect_covered(0);
}

TEST_P(Follower, ABlockThatIsTooLargeForARangeIsReadAlone) {
  source_.faults().max_logs = 4;
  feedback(20);
  mine(10, 2);
  feedback(30);
  mine(100, 9);
  start();
  mine(100, 9);
  feedback(12);
  mine(100, 9);
  catch_up();
  read_history();
  EXPECT_EQ(stored(), on_chain(0, chain_.head().num));
  expect_covered(0);
}

TEST_P(Follower, ASecondLookGoesToAnotherProvider) {
  source_.faults().providers = 2;
  source_.faults().receipts = false;
  start();
  mine(5);
  const Hash32 secret = chain_.head().hash;
  source_.faults().omits = [secret](const Hash32& block, std::size_t) { return block == secret; };
  source_.faults().omits_in_ranges = [secret](const Hash32& block, std::size_t provider) {
    return block == secret && provider == 0;
  };
  mine(300, 11);
  catch_up();
  EXPECT_FALSE(stored() == on_chain(1, chain_.head().num));
  verify_all();
  EXPECT_EQ(stored(), on_chain(1, chain_.head().num));
  EXPECT_EQ(metric("indexer_late_events_total"), 1);
  expect_covered(1);
}

// Receipts decide: a filter that names us by chance costs one question, not a wait.
TEST_P(Follower, ReceiptsDecideAboutAnEmptyAnswer) {
  start();
  mine(5);
  const Hash32 secret = chain_.head().hash;
  source_.faults().omits = [secret](const Hash32& block, std::size_t) { return block == secret; };
  catch_up();
  EXPECT_EQ(stored(), on_chain(1, 5));
  EXPECT_EQ(metric("indexer_bloom_unconfirmed_total"), 0);
}

TEST_P(Follower, HowSureABlockIsStaysInTheLedgerButDoesNotFillIt) {
  source_.faults().receipts = false;
  start();
  source_.faults().omits = [](const Hash32&, std::size_t) { return true; };
  for (int i = 0; i < 40; ++i) {
    mine(1, 1);
    chain_.mine();
    catch_up();
  }
  const auto levels = [this] {
    return temp_.db
        ->snapshot_blocking<std::vector<store::CoverageRow>>(
            [](store::Tx& tx) { return store::read_coverage(tx, kChain); })
        ->size();
  };
  EXPECT_GE(levels(), 3U * 79) << "checked and trusted blocks alternate";
  source_.faults().omits = nullptr;
  mine(280, 50);
  catch_up();
  verify_all();
  EXPECT_LE(levels(), 3U * 3);
  EXPECT_EQ(stored(), on_chain(1, chain_.head().num));
  expect_covered(1);
}

TEST_P(Follower, SaysWhichContractsStand) {
  contracts_ = chain_.contracts();
  contracts_->validation = *parse_address("0x00000000000000000000000000000000000000aa");
  start();
  run_blocking([this]() -> Task<void> {
    const auto all = co_await follower_->step_probe();
    EXPECT_TRUE(all);
    EXPECT_FALSE(*all);
  });
  const auto deployed = [this](const char* registry) {
    return metrics_.gauge("indexer_contract_deployed", "", {{"chain", "fake"}, {"registry", registry}}).value();
  };
  EXPECT_EQ(deployed("identity"), 1);
  EXPECT_EQ(deployed("validation"), 0);
}

// Random mining, reorgs, faults and restarts: in the end the store holds exactly what the chain holds, without a hole.
TEST_P(Follower, RandomHistoriesEndInTheChainsOwn) {
  const unsigned seeds = GetParam() == "sqlite" ? 20 : 5;
  for (unsigned seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    temp_.db.reset();
    temp_ = GetParam() == "sqlite" ? store::testing::make_temp_sqlite() : store::testing::make_temp_postgres();
    std::destroy_at(&chain_);
    std::construct_at(&chain_, kChain, seed, from_unix_seconds(1'700'000'000), std::chrono::seconds(2));
    mine(static_cast<int>(random() % 40));
    source_.faults().fails = [&random](std::string_view) { return random() % 10 == 0; };
    source_.faults().max_range = 1 + random() % 50;
    source_.faults().finality_lag = random() % 2 == 0 ? 20 : 0;
    bool attached = false;
    for (int tries = 0; tries < 50 && !attached; ++tries) {
      follower_ = std::make_unique<ChainFollower>(source_, *temp_.db, clock_, settings(), metrics_, [] {});
      run_blocking([&]() -> Task<void> { attached = (co_await follower_->attach()).has_value(); });
    }
    const std::uint64_t live_from = row().live_from_block;
    for (int step = 0; step < 60; ++step) {
      switch (random() % 6) {
        case 0:
          mine(static_cast<int>(random() % 30), 3);
          break;
        case 1: {
          const std::uint64_t room = chain_.head().num - live_from + 1;
          if (chain_.head().num >= live_from && room > 1)
            chain_.reorg(1 + random() % std::min<std::uint64_t>(room - 1, 15), random() % 2 == 0);
          mine(static_cast<int>(random() % 6), 2);
          break;
        }
        case 2:
          follower_ = std::make_unique<ChainFollower>(source_, *temp_.db, clock_, settings(), metrics_, [] {});
          attached = false;
          for (int tries = 0; tries < 50 && !attached; ++tries)
            run_blocking([&]() -> Task<void> { attached = (co_await follower_->attach()).has_value(); });
          break;
        case 3:
          run_blocking([this]() -> Task<void> { (void)co_await follower_->step_history(); });
          break;
        default:
          run_blocking([this]() -> Task<void> { (void)co_await follower_->step_live(); });
      }
    }
    source_.faults().fails = nullptr;
    mine(40, 4);
    catch_up();
    read_history();
    ASSERT_EQ(stored(), on_chain(0, chain_.head().num));
    expect_covered(0);
    expect_log_agrees(live_from);
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, Follower, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::chain
