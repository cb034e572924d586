// Events and triggers that cannot be processed, a store that fails, organizations above their ceiling.
#include "engine/testing/engine_fixture.hpp"

#include "rules/circuit_breaker.hpp"
#include "store/event_dead_letters.hpp"
#include "store/event_rows.hpp"

namespace agentauri::engine {
namespace {

using testing::HookedDatabase;
using testing::kChain;
using testing::ModelChain;
using testing::Txn;

class EngineTrouble : public testing::EngineFixture {
 protected:
  void execute(const store::Query& query) {
    const auto done = in_tx<bool>([&](store::Tx& tx) -> Result<bool> {
      auto ran = tx.run(query);
      if (!ran) return fail(ran);
      return true;
    });
    ASSERT_TRUE(done) << done.error().text;
  }
};

// --- what cannot be processed (pipeline.md 6.9) ----------------------------------------------------------------------

const store::Query kSpoil{store::Query::Unlisted{}, "spoil_event",
                          "UPDATE events SET registry = 'nonsense' WHERE block_num = :num AND log_index = :index"};

TEST_P(EngineTrouble, APoisonEventIsSetAsideAfterFiveAttemptsAndItsChainGoesOn) {
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

TEST_P(EngineTrouble, AChainInTroubleHoldsUpNoOther) {
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

// A store that fails at everything accuses each event; what it cannot even set aside was perhaps never at fault.
TEST_P(EngineTrouble, AStoreThatFailsSetsNoInnocentEventAside) {
  const auto t = trigger({score_below("50")});
  save(t);
  HookedDatabase hooked(db());
  Engine engine(hooked, clock_, settings_, metrics_, [] {});
  ASSERT_TRUE(engine.step());
  mine({feedback(1), feedback(2)});
  hooked.instead = [] { return Result<void>(fail(Code::internal, "the store says no")); };
  for (int second = 0; second < 1000; ++second) {
    ASSERT_TRUE(engine.step());
    clock_.advance(std::chrono::seconds(1));
  }
  hooked.instead = nullptr;
  for (int second = 0; second < 400; ++second) {
    ASSERT_TRUE(engine.step());
    clock_.advance(std::chrono::seconds(1));
  }
  EXPECT_EQ(count(t, "pending"), 2U);
  const auto letters = in_tx<std::vector<store::EventDeadLetter>>(
      [](store::Tx& tx) { return store::list_event_dead_letters(tx, kChain, 10); });
  EXPECT_TRUE(letters->empty());
}

TEST_P(EngineTrouble, TheEngineGoesOnSoonAfterTheStoreIsBack) {
  const auto t = trigger({score_below("50")});
  save(t);
  HookedDatabase hooked(db());
  Engine engine(hooked, clock_, settings_, metrics_, [] {});
  ASSERT_TRUE(engine.step());
  mine({feedback(1)});
  hooked.instead = [] { return Result<void>(fail(Code::unavailable, "gone")); };
  for (int second = 0; second < 600; ++second) {
    ASSERT_TRUE(engine.step());
    clock_.advance(std::chrono::seconds(1));
  }
  hooked.instead = nullptr;   // within a second of the last failure
  ASSERT_TRUE(engine.step());
  EXPECT_EQ(count(t, "pending"), 1U);
}

const store::Query kRefuse{store::Query::Unlisted{}, "refuse_undo",
                           "CREATE TRIGGER refuse_undo BEFORE DELETE ON state_images BEGIN SELECT RAISE(ABORT, 'no "
                           "undo today'); END"};
const store::Query kRefuseFunction{store::Query::Unlisted{}, "refuse_undo_function",
                                   "CREATE FUNCTION refuse_undo() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE "
                                   "EXCEPTION 'no undo today'; END $$"};
const store::Query kRefusePostgres{store::Query::Unlisted{}, "refuse_undo",
                                   "CREATE TRIGGER refuse_undo BEFORE DELETE ON state_images FOR EACH ROW EXECUTE "
                                   "FUNCTION refuse_undo()"};
const store::Query kAllow{store::Query::Unlisted{}, "allow_undo", "DROP TRIGGER refuse_undo"};
const store::Query kAllowPostgres{store::Query::Unlisted{}, "allow_undo", "DROP TRIGGER refuse_undo ON state_images"};

// An undo cannot be passed over: who looks after the chain must see that it stands.
TEST_P(EngineTrouble, AnUndoThatFailsForGoodShowsOnItsChain) {
  save(trigger({ema_below("50")}, true));
  mine({feedback(1)});
  run();
  const auto chain = [this] {
    return in_tx<std::optional<store::ChainRow>>([](store::Tx& tx) { return store::find_chain(tx, kChain); })->value();
  };
  const auto stalled = [this] {
    return metrics_.gauge("engine_stalled", "", {{"chain_id", std::to_string(kChain)}}).value();
  };
  EXPECT_EQ(stalled(), 0);
  reorg(1);
  const bool sqlite = GetParam() == "sqlite";
  if (!sqlite) execute(kRefuseFunction);
  execute(sqlite ? kRefuse : kRefusePostgres);
  for (int second = 0; second < 800; ++second) {
    ASSERT_TRUE(engine_->step());
    clock_.advance(std::chrono::seconds(1));
  }
  EXPECT_EQ(chain().state, "down");
  EXPECT_THAT(chain().reason.value_or(""), ::testing::HasSubstr("no undo today"));
  EXPECT_EQ(stalled(), 1);
  execute(sqlite ? kAllow : kAllowPostgres);
  clock_.advance(std::chrono::seconds(301));
  run();
  EXPECT_EQ(chain().state, "ok");
  EXPECT_EQ(chain().reason, std::nullopt);
  EXPECT_EQ(stalled(), 0);
}

// --- a trigger that cannot be evaluated (6.7) ------------------------------------------------------------------------

TEST_P(EngineTrouble, ATriggerThatFailsAgainAndAgainIsLeftAloneForAWhile) {
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

TEST_P(EngineTrouble, ATriggerThatWasLeftAloneIsTriedAgainAfterItsTime) {
  auto t = trigger({{.condition_type = "no_such_type", .field = "f", .op = "=", .value = "1"}});
  t.breaker = {.failure_threshold = 1, .recovery_timeout_seconds = 60};
  save(t);
  const auto shown = [this](const char* state) {
    return metrics_.gauge("circuit_breaker_state", "", {{"state", state}}).value();
  };
  const auto transitions = [this] { return metrics_.counter("circuit_breaker_state_transitions_total", "").value(); };
  run();
  EXPECT_EQ(shown("closed"), 1);
  mine({feedback(1)});
  run();
  EXPECT_EQ(shown("closed"), 0);
  EXPECT_EQ(shown("open") + shown("half_open"), 1);
  EXPECT_EQ(transitions(), 1);
  EXPECT_EQ(metrics_.counter("circuit_breaker_failures_total", "").value(), 1);
  start();
  run();
  EXPECT_EQ(shown("open") + shown("half_open"), 1) << "a new engine knows of it";
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
  EXPECT_EQ(shown("closed"), 1);
  EXPECT_EQ(shown("open") + shown("half_open"), 0);
  EXPECT_EQ(transitions(), 3) << "half open, then closed";
  EXPECT_THAT(metrics_.expose(), ::testing::HasSubstr("circuit_breaker_open_duration_seconds_sum 60\n"));
}

TEST_P(EngineTrouble, ATriggerThatIsMendedResetOrDeletedIsNoLongerLookedAfter) {
  const auto troubled = [this] { return metrics_.gauge("troubled_triggers", "").value(); };
  const auto broken = [this] {
    auto t = trigger({{.condition_type = "no_such_type", .field = "f", .op = "=", .value = "1"}});
    t.breaker = {.failure_threshold = 5, .recovery_timeout_seconds = 60};
    save(t);
    return t;
  };
  auto mended = broken(), reset = broken(), deleted = broken();
  mine({feedback(1)});
  run();
  EXPECT_EQ(troubled(), 3);
  start();
  run();
  mine({});
  mended.conditions[0] = score_below("50");
  mended.conditions[0].id = 98;
  save(mended);
  mine({feedback(1)});
  run();
  EXPECT_EQ(troubled(), 2) << "a success: all is forgotten";
  save(deleted, true);
  run();
  EXPECT_EQ(troubled(), 1);
  reset.conditions[0] = score_below("0");
  reset.conditions[0].id = 99;
  ++reset.breaker.revision;
  save(reset);
  run();
  EXPECT_EQ(troubled(), 0);
  // An undo that brings a failure back brings the trigger back too.
  reorg(1);
  run();
  EXPECT_EQ(troubled(), 1);
}

// --- the ceiling of an organization (6.10) ---------------------------------------------------------------------------

TEST_P(EngineTrouble, JobsAboveTheCeilingBecomeDueLaterAndSaySo) {
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

TEST_P(EngineTrouble, TheCeilingBindsJobsThatWaitForConfirmationsToo) {
  settings_.jobs_per_hour = 2;
  start();
  auto t = trigger({score_below("50")});
  t.min_confirmations = 1;
  save(t);
  mine({feedback(1), feedback(2), feedback(3), feedback(4)});
  run();
  EXPECT_EQ(count(t, "held"), 4U);
  clock_.advance(std::chrono::seconds(60));
  mine({});
  EXPECT_EQ(count(t, "pending"), 4U);
  std::vector<std::int64_t> seconds;
  for (const auto& d : deliveries(t)) seconds.push_back((d.next_at.value() - clock_.now()) / std::chrono::seconds(1));
  std::sort(seconds.begin(), seconds.end());
  EXPECT_THAT(seconds, ::testing::ElementsAre(0, 0, 1740, 3540));
}

INSTANTIATE_TEST_SUITE_P(Engines, EngineTrouble, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::engine
