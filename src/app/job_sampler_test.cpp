#include "app/job_sampler.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "delivery/testing/worker_rig.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::app {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class JobSamplerTest : public store::testing::EngineTest {
 protected:
  std::string sample(const Roles& roles) {
    Metrics metrics;
    JobSampler sampler(db(), clock_, roles, metrics);
    run_blocking([&]() -> Task<void> { co_await sampler.sample(); });
    return metrics.expose();
  }

  delivery::testing::Alerts alerts_{db()};
  FakeClock clock_{SystemClock().now()};
};

TEST_P(JobSamplerTest, ShowsWhatWaitsAndForHowLong) {
  EXPECT_THAT(sample({}), HasSubstr("delivery_oldest_due_age_seconds 0\n"));
  auto dead = alerts_.job(1, "dead", "https://example.org:443");
  dead.dead_reason = "could not be rendered";
  alerts_.insert(
      {alerts_.job(1, "a", "https://example.org:443"), alerts_.job(1, "b", "https://example.org:443"), dead});
  clock_.advance(std::chrono::seconds(90));
  const auto text = sample({});
  for (const char* name : {"action_queue_depth", "action_worker_queue_depth", "event_processor_queue_depth"})
    EXPECT_THAT(text, HasSubstr(std::string(name) + " 2\n"));
  EXPECT_THAT(text, AllOf(HasSubstr("action_worker_dlq_size 1\n"), HasSubstr(R"(jobs{state="dead"} 1)"),
                          HasSubstr("event_processor_queue_depth_high 0\n")));
  const auto at = text.find("\ndelivery_oldest_due_age_seconds ");
  ASSERT_NE(at, std::string::npos);
  EXPECT_NEAR(std::stod(text.substr(at + 33)), 90, 30) << "the rows were made by the real clock";
}

TEST_P(JobSamplerTest, EachRoleShowsItsOwn) {
  const auto engine = sample({.gateway = false, .indexer = false, .engine = true, .worker = false});
  EXPECT_THAT(engine, AllOf(HasSubstr("action_queue_depth 0\n"), HasSubstr("event_processor_queue_depth 0\n"),
                            Not(HasSubstr("action_worker"))));
  const auto worker = sample({.gateway = false, .indexer = false, .engine = false, .worker = true});
  EXPECT_THAT(worker, AllOf(HasSubstr("action_queue_depth 0\n"), HasSubstr("action_worker_queue_depth 0\n"),
                            Not(HasSubstr("event_processor"))));
}

TEST_P(JobSamplerTest, AnOlderSchemaIsToldOf) {
  EXPECT_THAT(sample({}), HasSubstr("migrations_pending 0\n"));
  const store::Query forget{store::Query::Unlisted{}, "forget_newest_migration",
                            "DELETE FROM agentauri_migrations WHERE version = (SELECT max(version) FROM "
                            "agentauri_migrations)"};
  ASSERT_TRUE(db().transact_blocking<bool>(store::Priority::interactive, [&](store::Tx& tx) -> Result<bool> {
    auto gone = tx.run(forget);
    if (!gone) return fail(gone);
    return true;
  }));
  EXPECT_THAT(sample({}), HasSubstr("migrations_pending 1\n"));
}

INSTANTIATE_TEST_SUITE_P(Engines, JobSamplerTest, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::app
