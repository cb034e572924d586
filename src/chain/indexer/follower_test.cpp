#include "chain/indexer/follower.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <set>

#include "chain/fake/fake_source.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::chain {
namespace {

constexpr domain::ChainId kChain = 31337;

// A follower over a fake chain, driven step by step.
class Follower : public ::testing::Test {
 protected:
  Follower()
      : temp_(store::testing::make_temp_sqlite()),
        chain_(kChain, 1, from_unix_seconds(1'700'000'000), std::chrono::seconds(2)),
        source_(chain_, Faults{}) {}

  FollowerSettings settings() {
    FollowerSettings s;
    s.chain_id = kChain;
    s.name = "fake";
    s.contracts = chain_.contracts();
    s.epoch = 1;
    s.finality_depth = 20;
    s.min_undo_blocks = 64;
    s.max_undo_blocks = 100;
    s.range_lag = 16;
    s.bloom_patience = std::chrono::milliseconds(0);
    return s;
  }
  void start() {
    follower_ = std::make_unique<ChainFollower>(source_, *temp_.db, clock_, settings(), metrics_, [] {});
    run_blocking([this]() -> Task<void> {
      const auto attached = co_await follower_->attach();
      EXPECT_TRUE(attached) << attached.error().text;
    });
  }
  // Until the head is reached (or the chain is halted), through whatever faults there are.
  void catch_up() {
    run_blocking([this]() -> Task<void> {
      for (int i = 0; i < 2000; ++i) {
        const auto found = co_await follower_->step_live();
        if (found && found->blocks == 0 && !found->again &&
            (follower_->head() == chain_.head().num || row().state == "halted"))
          co_return;
      }
      ADD_FAILURE() << "the head is never reached";
    });
  }
  void read_history() {
    run_blocking([this]() -> Task<void> {
      for (int i = 0; i < 10'000; ++i) {
        const auto more = co_await follower_->step_history();
        if (more && !*more) co_return;
      }
      ADD_FAILURE() << "history never ends";
    });
  }
  void feedback(int n = 1) {
    for (int i = 0; i < n; ++i) chain_.give_feedback(++agents_, 1, 87, 0, "starred", "");
  }
  void mine(int blocks, int every = 1) {
    for (int i = 0; i < blocks; ++i) {
      if (i % every == 0) feedback();
      chain_.mine();
    }
  }
  store::ChainRow row() {
    return **temp_.db->snapshot_blocking<std::optional<store::ChainRow>>(
        [](store::Tx& tx) { return store::find_chain(tx, kChain); });
  }
  std::set<std::string> stored() {
    std::set<std::string> out;
    for (std::int64_t offset = 0;; offset += 1000) {
      auto page = temp_.db->snapshot_blocking<store::EventPage>(
          [offset](store::Tx& tx) { return store::list_events(tx, {}, 1000, offset); });
      for (const auto& event : page->rows)
        out.insert(to_hex_0x(event.block_hash) + "/" + std::to_string(event.log_index));
      if (page->rows.size() < 1000) return out;
    }
  }
  std::set<std::string> on_chain(std::uint64_t from, std::uint64_t to) {
    std::set<std::string> out;
    for (const auto& log : chain_.logs(from, to))
      out.insert(to_hex_0x(log.block_hash) + "/" + std::to_string(log.log_index));
    return out;
  }
  // Ranges of one contract without gap or overlap, from `from` to the head.
  void expect_covered(std::uint64_t from) {
    auto ranges = temp_.db->snapshot_blocking<std::vector<store::CoverageRow>>(
        [](store::Tx& tx) { return store::read_coverage(tx, kChain); });
    for (const auto& address : chain_.contracts().all()) {
      std::uint64_t next = from;
      for (const auto& range : *ranges) {
        if (range.contract != address) continue;
        EXPECT_EQ(range.from_block, next);
        next = range.to_block + 1;
      }
      EXPECT_EQ(next, chain_.head().num + 1);
    }
  }

  SystemClock clock_;
  Metrics metrics_;
  store::testing::TempDatabase temp_;
  FakeChain chain_;
  FakeSource source_;
  std::unique_ptr<ChainFollower> follower_;
  std::uint64_t agents_ = 0;
};

TEST_F(Follower, WhatIsBelowTheHeadAtTheStartIsHistory) {
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

TEST_F(Follower, RestartsAtTheExactBlock) {
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

TEST_F(Follower, FollowsReorgsOfEveryDepth) {
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

TEST_F(Follower, AShorterBranchIsFollowedToo) {
  start();
  mine(20);
  catch_up();
  chain_.reorg(5, false);
  mine(2);   // the new head is below ours
  catch_up();
  EXPECT_EQ(stored(), on_chain(1, chain_.head().num));
  EXPECT_EQ(row().head_num, chain_.head().num);
}

TEST_F(Follower, BackToTheFirstBranchIsTheSameRowsAgain) {
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

TEST_F(Follower, AReorgDeeperThanTheUndoHalts) {
  start();
  mine(300, 10);
  catch_up();
  chain_.reorg(200, false);
  mine(201, 10);
  catch_up();
  EXPECT_EQ(row().state, "halted");
  EXPECT_TRUE(row().reason);
}

TEST_F(Follower, ALogWithheldByOneProviderIsFoundAtAnother) {
  source_.faults().providers = 3;
  source_.faults().receipts = false;
  source_.faults().omits = [](const Hash32&, std::size_t provider) { return provider != 2; };
  start();
  mine(10);
  catch_up();
  EXPECT_EQ(stored(), on_chain(1, 10));
}

TEST_F(Follower, ALogWithheldByEverybodyEntersHistoryLater) {
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

TEST_F(Follower, AChainWithEmptyBloomsLosesNothing) {
  source_.faults().empty_blooms = true;
  start();
  mine(40, 3);
  for (int i = 0; i < 40; ++i) {
    mine(1, 2);
    catch_up();
  }
  EXPECT_EQ(stored(), on_chain(1, chain_.head().num));
}

TEST_F(Follower, RangesShrinkToWhatTheProviderTakes) {
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

TEST_F(Follower, SkipsLogsThatItDoesNotKnowAndKeepsThoseThatAreBroken) {
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

TEST_F(Follower, AnotherEpochEndsIt) {
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

// Random mining, reorgs, faults and restarts: in the end the store holds exactly what the chain holds, without a hole.
TEST_F(Follower, RandomHistoriesEndInTheChainsOwn) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    temp_.db.reset();
    temp_ = store::testing::make_temp_sqlite();
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
  }
}

}   // namespace
}   // namespace agentauri::chain
