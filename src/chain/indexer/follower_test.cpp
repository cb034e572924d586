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
class Follower : public store::testing::EngineTest {
 protected:
  Follower()
      : chain_(kChain, 1, from_unix_seconds(1'700'000'000), std::chrono::seconds(2)), source_(chain_, Faults{}) {}

  FollowerSettings settings() {
    FollowerSettings s;
    s.chain_id = kChain;
    s.name = "fake";
    s.contracts = contracts_.value_or(chain_.contracts());
    s.epoch = epoch_;
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

  // The block log, replayed: what joined and has not left is what the chain holds, each block joined once at a time.
  void expect_log_agrees(std::uint64_t live_from) {
    auto entries = temp_.db->snapshot_blocking<std::vector<store::LogEntry>>(
        [](store::Tx& tx) { return store::read_block_log(tx, kChain, 0, 100'000); });
    std::set<Hash32> present, expected;
    std::uint64_t last = 0;
    for (const auto& entry : *entries) {
      if (entry.op > 0) {
        EXPECT_TRUE(present.insert(entry.block_hash).second) << "joined twice";
        EXPECT_GT(entry.block_num, last) << "not in order";
        last = entry.block_num;
      } else {
        EXPECT_EQ(present.erase(entry.block_hash), 1U) << "left without having joined";
        EXPECT_EQ(entry.block_num, last) << "not from the top down";
        last = 0;
        for (const auto& hash : present) last = std::max(last, chain_.header(hash)->num);
      }
    }
    for (const auto& log : chain_.logs(live_from, chain_.head().num)) expected.insert(log.block_hash);
    EXPECT_EQ(present, expected);
  }
  Result<LiveStep> step() {
    Result<LiveStep> out;
    run_blocking([this, &out]() -> Task<void> { out = co_await follower_->step_live(); });
    return out;
  }
  void verify_all() {
    run_blocking([this]() -> Task<void> {
      for (int i = 0; i < 1000; ++i) {
        const auto verified = co_await follower_->step_verify();
        EXPECT_TRUE(verified) << verified.error().text;
        if (!verified || !*verified) co_return;
      }
    });
  }
  double metric(std::string_view name) { return metrics_.counter(name, "", {{"chain", "fake"}}).value(); }

  SystemClock clock_;
  Metrics metrics_;
  FakeChain chain_;
  FakeSource source_;
  std::unique_ptr<ChainFollower> follower_;
  std::uint64_t agents_ = 0;
  std::int64_t epoch_ = 1;
  std::optional<Contracts> contracts_;   // configured; the chain's own when unset
};

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
