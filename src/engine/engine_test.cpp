#include "engine/engine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "core/json/json.hpp"
#include "engine/testing/model_chain.hpp"
#include "rules/circuit_breaker.hpp"
#include "store/event_dead_letters.hpp"
#include "store/event_rows.hpp"
#include "store/jobs.hpp"
#include "store/leases.hpp"
#include "store/revisions.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::engine {
namespace {

using testing::kChain;
using testing::ModelChain;
using testing::Txn;

class EngineTest : public store::testing::EngineTest {
 protected:
  EngineTest() {
    testing::attach(db(), clock_.now());
    start();
  }

  // A fresh engine, as after a crash.
  void start() {
    engine_.reset();
    instance_ = domain::InstanceId::make(clock_.now());
    const auto epoch = in_tx<std::int64_t>([this](store::Tx& tx) -> Result<std::int64_t> {
      if (auto added = store::register_instance(tx, instance_, store::this_process(), "engine"); !added)
        return fail(added);
      if (last_instance_) {
        if (auto gone = store::remove_instance(tx, *last_instance_); !gone) return fail(gone);
      }
      auto lease = store::acquire_lease(tx, "engine:0", instance_);
      if (!lease) return fail(lease);
      return lease->value();
    });
    ASSERT_TRUE(epoch);
    last_instance_ = instance_;
    settings_.instance = instance_;
    settings_.epoch = *epoch;
    engine_ = std::make_unique<Engine>(db(), clock_, settings_, metrics_, [this] { ++wakes_; });
  }
  Progress run() {
    Progress total;
    for (;;) {
      auto progress = engine_->step();
      EXPECT_TRUE(progress) << progress.error().text;
      if (!progress) return total;
      total.events += progress->events;
      total.matched += progress->matched;
      total.jobs += progress->jobs;
      if (!progress->more) return total;
    }
  }

  domain::Trigger trigger(std::vector<domain::Condition> conditions, bool stateful = false) {
    domain::Trigger t;
    t.id = domain::TriggerId::make(clock_.now());
    t.organization_id = domain::OrganizationId::make(clock_.now());
    t.name = "test";
    t.registry = domain::Registry::reputation;
    t.is_stateful = stateful;
    t.created_at = from_unix_seconds(1'600'000'000);
    for (auto& condition : conditions) {
      condition.id = ++conditions_;
      t.conditions.push_back(condition);
    }
    domain::Action action;
    action.id = ++actions_;
    action.config = R"({"url":"http://127.0.0.1:1/hook"})";
    t.actions.push_back(action);
    return t;
  }
  std::int64_t save(const domain::Trigger& t, bool deleted = false) {
    return in_tx<std::int64_t>([&](store::Tx& tx) { return store::append_revision(tx, t, deleted, clock_.now()); })
        .value();
  }
  static domain::Condition score_below(const char* bound) {
    return {.condition_type = "score_threshold", .field = "score", .op = "<", .value = bound};
  }
  static domain::Condition ema_below(const char* bound) {
    return {.condition_type = "ema_threshold",
            .field = "score",
            .op = "<",
            .value = bound,
            .config = R"({"window_size":10})"};
  }

  void mine(std::vector<Txn> txns) { testing::append(db(), {chain_.mine(std::move(txns))}, clock_.now()); }
  Txn feedback(std::int32_t score, std::uint64_t agent = 42) { return {chain_.next_txn(), agent, score}; }
  std::vector<Txn> reorg(std::size_t depth) {
    auto txns = chain_.drop(depth);
    testing::rewind(db(), chain_.blocks().back(), clock_.now());
    return txns;
  }
  std::vector<store::Delivery> deliveries(const domain::Trigger& t) {
    return in_tx<store::DeliveryPage>([&](store::Tx& tx) { return store::list_deliveries(tx, t.id, 1000, 0); })->rows;
  }
  std::size_t count(const domain::Trigger& t, std::string_view state) {
    const auto rows = deliveries(t);
    return static_cast<std::size_t>(
        std::count_if(rows.begin(), rows.end(), [state](const auto& d) { return d.state == state; }));
  }
  auto state() {
    return in_tx<std::vector<std::pair<store::StateRow, store::StateValue>>>(
               [](store::Tx& tx) { return store::dump_state(tx, kChain); })
        .value();
  }

  FakeClock clock_{from_unix_seconds(1'800'000'000)};
  Metrics metrics_;
  EngineSettings settings_;
  std::unique_ptr<Engine> engine_;
  domain::InstanceId instance_;
  std::optional<domain::InstanceId> last_instance_;
  ModelChain chain_;
  int wakes_ = 0;
  domain::ConditionId conditions_ = 0;
  domain::ActionId actions_ = 0;
};

TEST_P(EngineTest, AMatchBecomesOneJobWithItsReason) {
  const auto t = trigger({score_below("60")});
  save(t);
  mine({feedback(45), feedback(60), feedback(99)});
  EXPECT_EQ(run().jobs, 1);
  const auto rows = deliveries(t);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].state, "pending");
  EXPECT_THAT(rows[0].explanation, ::testing::HasSubstr("score 45 < 60"));
  EXPECT_EQ(wakes_, 1);
  EXPECT_EQ(run().events, 0) << "nothing is read twice";
}

TEST_P(EngineTest, EventsBeforeTheTriggersCreationDoNotFire) {
  auto t = trigger({});
  t.created_at = from_unix_seconds(1'700'000'000 + 24) + Micros(500'000);   // within the second of block 2
  save(t);
  mine({feedback(1)});
  mine({feedback(2)});
  EXPECT_EQ(run().jobs, 1);
}

TEST_P(EngineTest, AReorgTakesUnsentJobsBackAndRevivesThem) {
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

TEST_P(EngineTest, WhatWasSentFiresNoSecondTime) {
  const auto t = trigger({score_below("60")});
  save(t);
  mine({feedback(10)});
  run();
  auto claimed = in_tx<std::vector<store::ClaimedJob>>(
      [this](store::Tx& tx) { return store::claim_jobs(tx, instance_, 10, {}, clock_.now()); });
  ASSERT_EQ(claimed->size(), 1U);
  store::AttemptResult sent;
  sent.job = (*claimed)[0].id;
  sent.lease_epoch = (*claimed)[0].lease_epoch;
  ASSERT_EQ(
      in_tx<std::int64_t>([&](store::Tx& tx) { return store::finish_attempts(tx, {sent}, clock_.now()); }).value(), 1);
  auto txns = reorg(1);
  mine(txns);
  run();
  ASSERT_EQ(deliveries(t).size(), 1U);
  EXPECT_EQ(deliveries(t)[0].state, "succeeded");
  EXPECT_FALSE(deliveries(t)[0].orphaned);
}

TEST_P(EngineTest, UndoRestoresTheStateExactly) {
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

TEST_P(EngineTest, TheWorkedMovingAverageFiresWhereItShould) {
  const auto t = trigger(
      {{.condition_type = "agent_id_equals", .field = "agent_id", .op = "=", .value = "42"}, ema_below("70")}, true);
  save(t);
  for (int score : {80, 60}) mine({feedback(score)});
  mine({feedback(5, 43)});
  mine({{chain_.next_txn(), 42, std::nullopt}});
  run();
  EXPECT_EQ(deliveries(t).size(), 0U);
  mine({feedback(40)});
  run();
  EXPECT_EQ(deliveries(t).size(), 1U);
  for (int score : {90, 95}) mine({feedback(score)});
  run();
  EXPECT_EQ(deliveries(t).size(), 1U);
  mine({feedback(10)});
  run();
  EXPECT_EQ(deliveries(t).size(), 2U);
}

TEST_P(EngineTest, EditsAreAdoptedBetweenBatches) {
  auto t = trigger({score_below("60")});
  save(t);
  mine({feedback(50)});
  run();
  EXPECT_EQ(deliveries(t).size(), 1U);
  t.conditions[0].value = "40";
  t.conditions[0].revision = 2;
  save(t);
  mine({feedback(50)});
  run();
  EXPECT_EQ(deliveries(t).size(), 1U);
  t.enabled = false;
  save(t);
  mine({feedback(1)});
  run();
  EXPECT_EQ(deliveries(t).size(), 1U);
  save(t, true);
  run();
  EXPECT_EQ(count(t, "cancelled"), 1U);
}

// The indexer is ahead: what its log still wants undone was done far below its head.
TEST_P(EngineTest, AnEngineThatLagsKeepsTheImagesThatItsLogStillNeeds) {
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
  const auto plain = in_tx<std::vector<std::pair<store::StateRow, store::StateValue>>>(
                         [](store::Tx& tx) { return store::dump_state(tx, kOther); })
                         .value();
  ASSERT_EQ(plain.size(), 1U);
  ASSERT_EQ(state().size(), 1U);
  EXPECT_EQ(state()[0].second.state, plain[0].second.state);
  // Once it has caught up, they go.
  for (int i = 0; i < 40; ++i) mine({});
  mine({feedback(20)});
  run();
  EXPECT_TRUE(in_tx<std::vector<store::StateImage>>([](store::Tx& tx) {
                return store::read_images(tx, kChain, 1);
              })->empty());
}

TEST_P(EngineTest, AChangedConditionStartsFresh) {
  auto t = trigger({ema_below("70")}, true);
  save(t);
  mine({feedback(100)});
  run();
  t.conditions[0].revision = 2;
  save(t);
  mine({feedback(10)});
  run();
  EXPECT_EQ(deliveries(t).size(), 1U) << "the first score of a fresh average is the average";
}

TEST_P(EngineTest, ALargeBlockIsTakenInParts) {
  settings_.batch_events = 10;
  start();
  const auto t = trigger({score_below("200")});
  save(t);
  std::vector<Txn> txns;
  for (int i = 0; i < 35; ++i) txns.push_back(feedback(i));
  mine(txns);
  const auto first = engine_->step();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->events, 10);
  EXPECT_TRUE(first->more);
  start();   // a crash inside the block
  EXPECT_EQ(run().events, 25);
  EXPECT_EQ(deliveries(t).size(), 35U);
}

TEST_P(EngineTest, AnEngineWithoutItsLeaseCannotCommit) {
  const auto t = trigger({});
  save(t);
  mine({feedback(1)});
  auto old = std::move(engine_);
  start();
  const auto late = old->step();
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::fenced);
  EXPECT_EQ(deliveries(t).size(), 0U);
  run();
  EXPECT_EQ(deliveries(t).size(), 1U);
}

TEST_P(EngineTest, JobsAreHeldForTheirConfirmations) {
  auto t = trigger({});
  t.min_confirmations = 2;
  save(t);
  mine({feedback(1)});
  run();
  EXPECT_EQ(count(t, "held"), 1U);
  mine({});
  ASSERT_TRUE(
      in_tx<std::int64_t>([this](store::Tx& tx) { return store::release_held_jobs(tx, kChain, 2, clock_.now()); }));
  EXPECT_EQ(count(t, "held"), 1U);
  ASSERT_TRUE(
      in_tx<std::int64_t>([this](store::Tx& tx) { return store::release_held_jobs(tx, kChain, 3, clock_.now()); }));
  EXPECT_EQ(count(t, "pending"), 1U);
}

TEST_P(EngineTest, ABodyThatCannotBeMadeIsVisible) {
  auto t = trigger({});
  t.actions[0].config = R"({"url":"http://127.0.0.1:1/","body":{"x":"{{nonsense}}"}})";
  save(t);
  mine({feedback(1)});
  run();
  ASSERT_EQ(count(t, "dead"), 1U);
  EXPECT_THAT(*deliveries(t)[0].reason, ::testing::HasSubstr("nonsense"));
}

// A clock that lets something happen in the middle of a step.
class InterruptingClock final : public Clock {
 public:
  Time now() const override {
    if (interrupt) std::exchange(interrupt, nullptr)();
    return from_unix_seconds(1'800'000'000);
  }
  mutable std::function<void()> interrupt;
};

TEST_P(EngineTest, ATriggerThatWasThereBeforeTheBlockSeesTheBlock) {
  const auto t = trigger({score_below("50")});
  InterruptingClock clock;
  Engine engine(db(), clock, settings_, metrics_, [] {});
  ASSERT_TRUE(engine.step());
  // In the middle of a step that has found a block: an edit, then another block.
  mine({feedback(99)});
  clock.interrupt = [&] {
    save(t);
    mine({feedback(1)});
  };
  ASSERT_TRUE(engine.step());
  ASSERT_TRUE(engine.step());
  EXPECT_EQ(deliveries(t).size(), 1U);
}

// --- what cannot be processed (pipeline.md 6.9) ----------------------------------------------------------------------

const store::Query kSpoil{store::Query::Unlisted{}, "spoil_event",
                          "UPDATE events SET registry = 'nonsense' WHERE block_num = :num AND log_index = :index"};

TEST_P(EngineTest, APoisonEventIsSetAsideAfterFiveAttemptsAndItsChainGoesOn) {
  const auto t = trigger({score_below("50")});
  save(t);
  mine({feedback(1), feedback(2), feedback(3)});
  mine({feedback(4)});
  const auto num = static_cast<std::int64_t>(chain_.blocks().back().num) - 1;
  const auto first_index = in_tx<std::int64_t>([&](store::Tx& tx) -> Result<std::int64_t> {
    auto events = store::read_block_events(tx, kChain, chain_.blocks()[static_cast<std::size_t>(num)].hash,
                                           chain_.blocks()[static_cast<std::size_t>(num)].time, 0, 10);
    if (!events) return fail(events);
    return (*events)[1].log_index;
  });
  ASSERT_TRUE(first_index) << first_index.error().text;
  ASSERT_TRUE(in_tx<void>([&](store::Tx& tx) -> Result<void> {
    auto spoiled = tx.run(kSpoil, store::Params().i64("num", num).i64("index", *first_index));
    if (!spoiled) return fail(spoiled);
    return {};
  }));
  const auto began = clock_.now();
  for (int second = 0; second < 900 && count(t, "pending") < 3; ++second) {
    const auto progress = engine_->step();
    ASSERT_TRUE(progress) << progress.error().text;
    clock_.advance(std::chrono::seconds(1));
  }
  // The events beside it and after it have fired, nothing twice.
  EXPECT_EQ(deliveries(t).size(), 3U);
  const auto letters = in_tx<std::vector<store::EventDeadLetter>>(
      [](store::Tx& tx) { return store::list_event_dead_letters(tx, kChain, 10); });
  ASSERT_EQ(letters->size(), 1U);
  EXPECT_EQ((*letters)[0].block_hash, chain_.blocks()[static_cast<std::size_t>(num)].hash);
  EXPECT_EQ((*letters)[0].position, 1);
  EXPECT_EQ((*letters)[0].attempts, 5);
  EXPECT_THAT((*letters)[0].error, ::testing::HasSubstr("registry"));
  // Back-off of 5 + 30 + 120 + 300 s between its attempts, after a second for the batch.
  EXPECT_GE(clock_.now() - began, std::chrono::seconds(455));
  EXPECT_LE(clock_.now() - began, std::chrono::seconds(475));
  // The trouble is over: new blocks come through at once.
  mine({feedback(5)});
  run();
  EXPECT_EQ(deliveries(t).size(), 4U);
}

TEST_P(EngineTest, AChainInTroubleHoldsUpNoOther) {
  constexpr domain::ChainId kOther = kChain + 1;
  testing::attach(db(), clock_.now(), kOther);
  auto t = trigger({score_below("50")});
  save(t);
  mine({feedback(1)});
  ASSERT_TRUE(in_tx<void>([&](store::Tx& tx) -> Result<void> {
    auto spoiled = tx.run(kSpoil, store::Params().i64("num", 1).i64("index", 0));
    if (!spoiled) return fail(spoiled);
    return {};
  }));
  const auto failed = engine_->step();
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->failed_chains, 1);
  ModelChain other;
  testing::append(db(), {other.mine({{other.next_txn(), 7, 1}})}, clock_.now(), kOther);
  const auto progress = engine_->step();
  ASSERT_TRUE(progress);
  EXPECT_EQ(progress->jobs, 1);
  EXPECT_EQ(progress->failed_chains, 1);
}

// --- a trigger that cannot be evaluated (6.7) ------------------------------------------------------------------------

TEST_P(EngineTest, ATriggerThatFailsAgainAndAgainIsLeftAloneForAWhile) {
  auto broken = trigger({{.condition_type = "no_such_type", .field = "f", .op = "=", .value = "1"}});
  broken.breaker.failure_threshold = 3;
  const auto sound = trigger({score_below("50")});
  save(broken);
  save(sound);
  const auto breaker = [&] {
    std::optional<std::string> text;
    for (const auto& [row, value] : state()) {
      if (row.trigger == broken.id && row.condition == rules::kBreakerCondition) text = value.state;
    }
    return rules::read_breaker(text);
  };
  using Phase = rules::BreakerState::Phase;
  for (int i = 0; i < 2; ++i) mine({feedback(1)});
  run();
  EXPECT_EQ(breaker().phase, Phase::closed);
  EXPECT_EQ(breaker().failure_count, 2);
  start();   // what was counted outlives the process
  mine({feedback(1)});
  run();
  EXPECT_EQ(breaker().phase, Phase::open);
  EXPECT_EQ(breaker().opened_at, chain_.blocks().back().time);
  mine({feedback(1), feedback(1)});
  const auto alone = engine_->step();
  ASSERT_TRUE(alone);
  EXPECT_EQ(breaker().opened_at, chain_.blocks()[3].time) << "nothing is evaluated, so nothing changes";
  EXPECT_EQ(deliveries(sound).size(), 5U);

  // A reorganisation takes the failures of its blocks back.
  reorg(2);
  run();
  EXPECT_EQ(breaker().phase, Phase::closed);
  EXPECT_EQ(breaker().failure_count, 2);
  mine({feedback(1)});
  run();
  EXPECT_EQ(breaker().phase, Phase::open);

  // Mended, it still waits; block time decides how long.
  broken.conditions[0] = score_below("50");
  broken.conditions[0].id = 99;
  save(broken);
  mine({feedback(1)});
  run();
  EXPECT_EQ(deliveries(broken).size(), 0U);
  // A reset starts anew.
  ++broken.breaker.revision;
  save(broken);
  mine({feedback(1)});
  run();
  EXPECT_EQ(deliveries(broken).size(), 1U);
  EXPECT_EQ(breaker(), rules::BreakerState{});
  EXPECT_TRUE(state().empty());
}

TEST_P(EngineTest, ATriggerThatWasLeftAloneIsTriedAgainAfterItsTime) {
  auto t = trigger({{.condition_type = "no_such_type", .field = "f", .op = "=", .value = "1"}});
  t.breaker = {.failure_threshold = 1, .recovery_timeout_seconds = 60};
  save(t);
  mine({feedback(1)});
  run();
  t.conditions[0] = score_below("50");
  t.conditions[0].id = 99;
  save(t);
  for (int i = 0; i < 4; ++i) mine({feedback(1)});   // up to 48 s of block time
  run();
  EXPECT_EQ(deliveries(t).size(), 0U);
  mine({feedback(1)});
  mine({feedback(1)});
  run();
  EXPECT_EQ(deliveries(t).size(), 2U);
  EXPECT_TRUE(state().empty()) << "a success forgets it";
}

// --- the ceiling of an organization (6.10) ---------------------------------------------------------------------------

TEST_P(EngineTest, JobsAboveTheCeilingBecomeDueLaterAndSaySo) {
  settings_.jobs_per_hour = 4;
  start();
  const auto busy = trigger({score_below("50")}), quiet = trigger({score_below("2")});
  save(busy);
  save(quiet);
  mine({feedback(1), feedback(10), feedback(10), feedback(10), feedback(10), feedback(10)});
  run();
  const auto due_later = [this](const domain::Trigger& t) {
    std::vector<std::int64_t> seconds;
    for (const auto& d : deliveries(t)) {
      if (d.reason == "throttled") seconds.push_back((d.next_at.value() - clock_.now()) / std::chrono::seconds(1));
    }
    std::sort(seconds.begin(), seconds.end());
    return seconds;
  };
  EXPECT_EQ(deliveries(busy).size(), 6U);
  EXPECT_THAT(due_later(busy), ::testing::ElementsAre(900, 1800));
  EXPECT_THAT(due_later(quiet), ::testing::IsEmpty());
  // A restart does not hand out a second hour.
  start();
  mine({feedback(10)});
  run();
  EXPECT_THAT(due_later(busy), ::testing::ElementsAre(900, 1800, 2700));
  // An hour and the backlog later everything is as at first.
  clock_.advance(std::chrono::seconds(3600 + 2700));
  mine({feedback(10)});
  run();
  EXPECT_EQ(due_later(busy).size(), 3U);
  EXPECT_EQ(deliveries(busy).size(), 8U);
}

INSTANTIATE_TEST_SUITE_P(Engines, EngineTest, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::engine
