#include "app/housekeeping.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "delivery/testing/worker_rig.hpp"
#include "gateway/testing/test_chain.hpp"
#include "store/leases.hpp"
#include "store/testing/temp_database.hpp"
#include "store/trigger_state.hpp"

namespace agentauri::app {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using ::testing::HasSubstr;

class HousekeepingTest : public store::testing::EngineTest {
 protected:
  // Jobs that ended now.
  void add_ended(int from, int to) {
    std::vector<store::NewJob> jobs;
    for (int i = from; i < to; ++i) {
      auto job = alerts_.job(1, "old " + std::to_string(i), "https://example.org:443");
      job.dead_reason = "could not be rendered";
      jobs.push_back(std::move(job));
    }
    alerts_.insert(jobs);
  }
  std::int64_t jobs() {
    auto page = db().snapshot_blocking<store::DeliveryPage>(
        [&](store::Tx& tx) { return store::list_deliveries(tx, alerts_.trigger(), 1, 0); });
    EXPECT_TRUE(page);
    return page ? page->total : -1;
  }
  domain::InstanceId instance() {
    const auto id = domain::InstanceId::make(SystemClock().now());
    EXPECT_TRUE(
        in_tx<void>([id](store::Tx& tx) { return store::register_instance(tx, id, store::this_process(), "worker"); }));
    return id;
  }

  delivery::testing::Alerts alerts_{db()};
  FakeClock clock_{SystemClock().now()};
  Metrics metrics_;
};

TEST_P(HousekeepingTest, APassDeletesWhatIsOldInManyBatches) {
  HousekeepingSettings settings;
  settings.batch = 3;
  add_ended(0, 10);
  Housekeeping housekeeping(db(), clock_, instance(), settings, metrics_);
  clock_.advance(hours(24 * 30) - hours(1));
  run_blocking([&]() -> Task<void> { co_await housekeeping.pass(); });
  EXPECT_EQ(jobs(), 10) << "not old enough";
  clock_.advance(hours(2));
  run_blocking([&]() -> Task<void> { co_await housekeeping.pass(); });
  EXPECT_EQ(jobs(), 0);
  EXPECT_THAT(metrics_.expose(), HasSubstr(R"(background_task_records_deleted{task="deliveries"} 10)"));
  EXPECT_THAT(metrics_.expose(), HasSubstr(R"(background_task_executions_total{task="deliveries"} 2)"));
  EXPECT_THAT(metrics_.expose(), HasSubstr(R"(background_task_duration_seconds_count{task="deliveries"} 2)"));
}

TEST_P(HousekeepingTest, SeveralAtOnceAreHarmless) {
  HousekeepingSettings settings;
  settings.batch = 7;
  add_ended(0, 100);
  clock_.advance(hours(24 * 31));
  const auto pass = [&] {
    Housekeeping housekeeping(db(), clock_, domain::InstanceId::make(clock_.now()), settings, metrics_);
    run_blocking([&]() -> Task<void> { co_await housekeeping.pass(); });
  };
  {
    std::jthread one(pass), two(pass);
  }
  EXPECT_EQ(jobs(), 0);
  EXPECT_THAT(metrics_.expose(), HasSubstr(R"(background_task_records_deleted{task="deliveries"} 100)"))
      << "each row once";
}

TEST_P(HousekeepingTest, OldEventsGoOnlyWhenThatIsSet) {
  gateway::testing::TestChain chain(db(), 1);
  for (int i = 0; i < 30; ++i) chain.grow(2);
  const auto events = [&] {
    return in_tx<store::EventPage>([](store::Tx& tx) { return store::list_events(tx, {}, 1, 0); })->total;
  };
  ASSERT_EQ(events(), 60);
  store::EngineCursor cursor;
  cursor.seq = 30;
  ASSERT_TRUE(in_tx<void>([&](store::Tx& tx) { return store::write_cursor(tx, 0, 1, cursor); }));
  HousekeepingSettings settings;
  settings.undo_blocks = 10;
  settings.event_batch = 7;
  const auto pass = [&] {
    Housekeeping housekeeping(db(), clock_, instance(), settings, metrics_);
    run_blocking([&]() -> Task<void> { co_await housekeeping.pass(); });
  };
  clock_.advance(hours(24 * 365));
  pass();
  EXPECT_EQ(events(), 60) << "kept for ever";
  settings.event_retention = hours(24 * 30);
  pass();
  EXPECT_EQ(events(), 20) << "those of the last ten blocks stay";
  EXPECT_THAT(metrics_.expose(), HasSubstr(R"(background_task_records_deleted{task="events"} 40)"));
}

TEST_P(HousekeepingTest, RunsByItselfForWhoHoldsTheLease) {
  HousekeepingSettings settings;
  settings.first = settings.every = milliseconds(5);
  clock_.advance(hours(24 * 31));
  const auto other = instance();
  const auto lease = [](store::Tx& tx, domain::InstanceId id) { return store::acquire_lease(tx, "housekeeping", id); };
  ASSERT_TRUE(*in_tx<std::optional<std::int64_t>>([&](store::Tx& tx) { return lease(tx, other); }));
  add_ended(0, 5);
  Housekeeping housekeeping(db(), clock_, instance(), settings, metrics_);
  const auto run_until = [&](std::function<bool()> enough) {
    run_blocking([&]() -> Task<void> {
      TaskGroup group(co_await this_executor());
      group.spawn("housekeeping", [&]() -> Task<void> { co_await housekeeping.run(); });
      while (!enough()) co_await sleep_for(milliseconds(5));
      group.cancel();
      co_await group.wait();
    });
  };
  int looks = 0;
  run_until([&] {
    EXPECT_TRUE(in_tx<void>([other](store::Tx& tx) { return store::heartbeat(tx, other); }));
    return ++looks > 20;
  });
  EXPECT_EQ(jobs(), 5) << "somebody else's";
  ASSERT_TRUE(in_tx<void>([&](store::Tx& tx) { return store::remove_instance(tx, other); }));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  run_until([&] { return jobs() == 0 || std::chrono::steady_clock::now() > deadline; });
  EXPECT_EQ(jobs(), 0);
}

INSTANTIATE_TEST_SUITE_P(Engines, HousekeepingTest, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::app
