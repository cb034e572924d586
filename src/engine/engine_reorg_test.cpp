// Blocks that leave, come back, or wait for their confirmations.
#include "engine/testing/engine_fixture.hpp"

#include <atomic>
#include <latch>
#include <thread>

namespace agentauri::engine {
namespace {

using testing::HookedDatabase;
using testing::kChain;
using testing::ModelChain;
using testing::Txn;

class EngineReorg : public testing::EngineFixture {};

TEST_P(EngineReorg, AReorgTakesUnsentJobsBackAndRevivesThem) {
  const auto t = trigger({score_below("60")});
  save(t);
  mine({feedback(10)});
  run();
  const auto id = deliveries(t)[0].id;
  auto txns = reorg(1);
  run();
  EXPECT_EQ(deliveries(t)[0].state, "cancelled");
  EXPECT_EQ(deliveries(t)[0].reason, "orphaned");
  mine({});
  mine(txns);   // the same transaction, two blocks later
  run();
  ASSERT_EQ(deliveries(t).size(), 1U);
  EXPECT_EQ(deliveries(t)[0].id, id);
  EXPECT_EQ(deliveries(t)[0].state, "pending");
}

TEST_P(EngineReorg, WhatWasSentFiresNoSecondTime) {
  const auto t = trigger({score_below("60")});
  save(t);
  mine({feedback(10)});
  run();
  auto claimed =
      in_tx<store::Claim>([this](store::Tx& tx) { return store::claim_batch(tx, instance_, 10, {}, clock_.now()); });
  ASSERT_EQ(claimed->jobs.size(), 1U);
  store::AttemptResult sent;
  sent.job = claimed->jobs[0].id;
  sent.lease_epoch = claimed->jobs[0].lease_epoch;
  ASSERT_EQ(
      in_tx<std::int64_t>([&](store::Tx& tx) { return store::finish_attempts(tx, {sent}, clock_.now()); }).value(), 1);
  auto txns = reorg(1);
  mine(txns);
  run();
  ASSERT_EQ(deliveries(t).size(), 1U);
  EXPECT_EQ(deliveries(t)[0].state, "succeeded");
  EXPECT_FALSE(deliveries(t)[0].orphaned);
}

TEST_P(EngineReorg, UndoRestoresTheStateExactly) {
  save(trigger({ema_below("70")}, true));
  for (int score : {80, 60, 40}) mine({feedback(score)});
  run();
  const auto before = state();
  mine({feedback(5), feedback(6)});
  mine({feedback(7)});
  run();
  EXPECT_NE(state(), before);
  reorg(2);
  run();
  EXPECT_EQ(state(), before);
  start();   // also for an engine that has nothing in memory
  run();
  EXPECT_EQ(state(), before);
}

// The indexer is ahead: what its log still wants undone was done far below its head.
TEST_P(EngineReorg, AnEngineThatLagsKeepsTheImagesThatItsLogStillNeeds) {
  settings_.min_undo_blocks = 2;
  settings_.batch_events = 1;
  start();
  constexpr domain::ChainId kOther = kChain + 1;
  testing::attach(db(), clock_.now(), kOther);
  save(trigger({ema_below("70")}, true));
  mine({feedback(100)});
  reorg(1);
  mine({feedback(10)});
  testing::append(db(), {chain_.blocks().back()}, clock_.now(), kOther);   // the chain that never saw the fork
  for (int i = 0; i < 100; ++i) mine({});
  run();
  const auto plain = in_tx<std::vector<std::pair<store::StateRow, store::StateValue>>>([](store::Tx& tx) {
                       return store::dump_state(tx, kOther);
                     }).value();
  ASSERT_EQ(plain.size(), 1U);
  ASSERT_EQ(state().size(), 1U);
  EXPECT_EQ(state()[0].second.state, plain[0].second.state);
  // Once it has caught up, they go.
  for (int i = 0; i < 40; ++i) mine({});
  mine({feedback(20)});
  run();
  EXPECT_TRUE(
      in_tx<std::vector<store::StateImage>>([](store::Tx& tx) { return store::read_images(tx, kChain, 1); })->empty());
}

TEST_P(EngineReorg, JobsAreHeldForTheirConfirmations) {
  auto t = trigger({});
  t.min_confirmations = 2;
  save(t);
  mine({feedback(1)});
  run();
  EXPECT_EQ(count(t, "held"), 1U);
  mine({});
  EXPECT_EQ(count(t, "held"), 1U);
  mine({});
  EXPECT_EQ(count(t, "pending"), 1U);
  // What has its confirmations when it is found is not held at all.
  mine({feedback(2)});
  mine({});
  mine({});
  run();
  EXPECT_EQ(count(t, "pending"), 2U);
}

// The promise of `min_confirmations`, however late the engine is.
TEST_P(EngineReorg, NoAlertOfABlockThatHasLeftIsEverReleased) {
  auto t = trigger({score_below("50")});
  t.min_confirmations = 1;
  save(t);
  // The engine has made the job; nobody waits for it to hear of the reorganisation.
  mine({feedback(1)});
  run();
  EXPECT_EQ(count(t, "held"), 1U);
  reorg(1);
  EXPECT_EQ(count(t, "cancelled"), 1U);
  mine({});
  mine({});
  EXPECT_EQ(count(t, "pending"), 0U);
  run();
  EXPECT_EQ(count(t, "cancelled"), 1U);

  // It comes late to a block that left long ago.
  settings_.batch_events = 1;
  start();
  mine({feedback(2)});
  reorg(1);
  mine({});
  mine({});
  ASSERT_TRUE(engine_->step());
  EXPECT_EQ(deliveries(t).size(), 2U);
  EXPECT_EQ(count(t, "pending"), 0U);
  mine({});
  EXPECT_EQ(count(t, "pending"), 0U);
  run();
  EXPECT_EQ(count(t, "cancelled"), 2U);

  // The block leaves between its evaluation and the commit.
  HookedDatabase hooked(db());
  Engine engine(hooked, clock_, settings_, metrics_, [] {});
  ASSERT_TRUE(engine.step());
  mine({feedback(3)});
  hooked.before_write = [this] {
    reorg(1);
    mine({});
    mine({});
  };
  ASSERT_TRUE(engine.step());
  EXPECT_EQ(deliveries(t).size(), 3U);
  EXPECT_EQ(count(t, "pending"), 0U);
  while (engine.step().value().more) {
  }
  EXPECT_EQ(count(t, "cancelled"), 3U);
}

TEST_P(EngineReorg, AnAlertOfABlockThatComesBackIsRevived) {
  for (const int confirmations : {0, 1}) {
    auto t = trigger({score_below("50")});
    t.min_confirmations = confirmations;
    save(t);
    const auto block = chain_.mine({feedback(1)});
    testing::append(db(), {block}, clock_.now());
    run();
    reorg(1);
    mine({});
    reorg(1);
    testing::append(db(), {block}, clock_.now());
    EXPECT_EQ(count(t, "cancelled"), 1U) << "until the engine gets there";
    run();
    EXPECT_EQ(count(t, confirmations > 0 ? "held" : "pending"), 1U);
    const auto again = chain_.mine({});
    EXPECT_EQ(again.num, block.num);
    reorg(1);
    run();
    EXPECT_EQ(count(t, "cancelled"), 1U);
    t.enabled = false;
    save(t);
  }
}

const store::Query kWaiting{store::Query::Unlisted{}, "waiting_for_a_lock",
                            "SELECT count(*) FROM pg_locks WHERE NOT granted"};

// PostgreSQL lets the two write at once: the block that a job waits for must not slip in between.
TEST_P(EngineReorg, AJobDoesNotWaitForABlockThatCameWhileItWasStored) {
  if (GetParam() != "postgres") return;   // SQLite has one writer
  auto t = trigger({score_below("50")});
  t.min_confirmations = 1;
  save(t);
  ASSERT_TRUE(engine_->step());
  mine({feedback(1)});
  const auto next = chain_.mine({});
  std::latch written(1);
  std::atomic<bool> stepped = false;
  std::jthread follower([&] {
    auto done = in_tx<void>([&](store::Tx& tx) -> Result<void> {
      auto appended = store::append_blocks(tx, kChain, 1, {testing::to_ingested(next)}, {{Address{}}, true},
                                           std::nullopt, std::nullopt, clock_.now());
      if (!appended) return appended;
      auto released = store::release_held_jobs(tx, kChain, next.num, clock_.now());
      if (!released) return fail(released);
      written.count_down();
      while (!stepped) {
        const auto waiting = db().query_blocking(kWaiting);
        if (waiting && waiting->i64(0, 0) > 0) break;
        std::this_thread::yield();
      }
      return {};
    });
    EXPECT_TRUE(done) << done.error().text;
  });
  written.wait();
  ASSERT_TRUE(engine_->step());
  stepped = true;
  follower.join();
  EXPECT_EQ(count(t, "held"), 0U);
  EXPECT_EQ(count(t, "pending"), 1U);
}

INSTANTIATE_TEST_SUITE_P(Engines, EngineReorg, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::engine
