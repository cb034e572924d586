#include "engine/testing/engine_fixture.hpp"

#include "core/json/json.hpp"

namespace agentauri::engine {
namespace {

using testing::HookedDatabase;
using testing::kChain;
using testing::ModelChain;
using testing::Txn;

class EngineTest : public testing::EngineFixture {};

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

TEST_P(EngineTest, ABatchHoldsSoManyBytes) {
  settings_.batch_bytes = 10'000;
  start();
  save(trigger({score_below("200")}));
  for (int i = 0; i < 30; ++i) mine({feedback(i)});
  const auto first = engine_->step();
  ASSERT_TRUE(first);
  EXPECT_GT(first->events, 1);
  EXPECT_LT(first->events, 10);
  EXPECT_EQ(first->events + run().events, 30);
}

// More matches of one event than a batch may hold: they are stored all the same, with it, in one transaction.
TEST_P(EngineTest, TheJobsOfACrowdAreMadeInParts) {
  settings_.batch_bytes = 10'000;
  settings_.jobs_per_hour = 300;
  start();
  std::vector<domain::Trigger> crowd;
  for (int i = 0; i < 600; ++i) {
    crowd.push_back(trigger({i % 2 == 0 ? score_below("60") : ema_below("60")}, i % 2 == 1));
    crowd.back().organization_id = crowd[0].organization_id;
    crowd.back().min_confirmations = i % 3 == 0 ? 1 : 0;
  }
  crowd[500].actions[0].config = R"({"url":"http://127.0.0.1:1/","body":{"x":"{{nonsense}}"}})";
  for (const auto& t : crowd) save(t);
  mine({feedback(45), feedback(200)});
  const auto first = engine_->step();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->events, 1);
  EXPECT_EQ(first->jobs, 600);
  EXPECT_EQ(run().jobs, 0);
  std::size_t throttled = 0;
  for (std::size_t i = 0; i < crowd.size(); ++i) {
    const auto rows = deliveries(crowd[i]);
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows[0].state, i == 500 ? "dead" : i % 3 == 0 ? "held" : "pending");
    EXPECT_THAT(rows[0].explanation, ::testing::HasSubstr(i % 2 == 0 ? "score 45 < 60" : "average"));
    if (rows[0].reason == "throttled") ++throttled;
  }
  EXPECT_EQ(throttled, 299U);
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

INSTANTIATE_TEST_SUITE_P(Engines, EngineTest, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::engine
