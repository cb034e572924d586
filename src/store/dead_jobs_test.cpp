// Replays of many at once, on both engines: what is dead is taken up once.
#include "store/dead_jobs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "core/crypto/crypto.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::store {
namespace {

const Time kStart = from_unix_seconds(1'768'471'200);

class DeadJobs : public testing::EngineTest {
 protected:
  NewJob job(const std::string& name, std::string kind = "alert") {
    NewJob out;
    out.id = crypto::sha256(as_bytes(name));
    out.organization_id = organization_;
    out.trigger_id = trigger_;
    out.action_id = 7;
    out.kind = std::move(kind);
    out.event_id = name;
    out.event_data = out.explanation = "{}";
    out.dead_reason = "on purpose";
    out.request_id = "r";
    return out;
  }
  void insert(const std::vector<NewJob>& jobs) {
    ASSERT_TRUE(in_tx<std::int64_t>([&](Tx& tx) { return insert_jobs(tx, jobs, kStart); }));
  }
  domain::OrganizationId organization_ = domain::OrganizationId::make(kStart);
  domain::TriggerId trigger_ = domain::TriggerId::make(kStart);
};

TEST_P(DeadJobs, ManyReplaysAtOnceTakeEachJobOnce) {
  std::vector<NewJob> jobs;
  std::vector<Replay> replays;
  for (int i = 0; i < 20; ++i) {
    jobs.push_back(job("e" + std::to_string(i)));
    replays.push_back({jobs.back().id, "{}", std::nullopt});
  }
  insert(jobs);
  std::atomic<std::int64_t> taken{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 6; ++t) {
      threads.emplace_back([&, t] {
        auto own = replays;
        if (t % 2 == 1) std::reverse(own.begin(), own.end());   // crosswise, so that locks meet
        const auto done = in_tx<std::int64_t>([&](Tx& tx) { return replay_jobs(tx, own, kStart); });
        ASSERT_TRUE(done) << done.error().text;
        taken += *done;
      });
    }
  }
  EXPECT_EQ(taken, 20);
  EXPECT_EQ(in_tx<std::int64_t>([&](Tx& tx) { return count_dead_jobs(tx, trigger_); }), 0);
}

const Query kRequestIds{Query::Unlisted{}, "test_request_ids", "SELECT request_id FROM jobs ORDER BY event_id"};

TEST_P(DeadJobs, AttemptsToComeCarryTheIdOfWhoeverSentThemAgain) {
  insert({job("a"), job("b")});
  const std::vector<Replay> replays{{job("a").id, "{}", std::nullopt, "by-hand"}, {job("b").id, "{}", std::nullopt}};
  ASSERT_TRUE(in_tx<std::int64_t>([&](Tx& tx) { return replay_jobs(tx, replays, kStart); }));
  const auto rows = db().query_blocking(kRequestIds);
  ASSERT_TRUE(rows) << rows.error().text;
  EXPECT_EQ(rows->text(0, 0), "by-hand");
  EXPECT_EQ(rows->text(1, 0), "r") << "of nobody: it keeps its own";
}

TEST_P(DeadJobs, TestsAreNoDeadLetters) {
  insert({job("alert"), job("test", "test")});
  EXPECT_EQ(in_tx<std::int64_t>([&](Tx& tx) { return count_dead_jobs(tx, trigger_); }), 1);
  const auto listed = in_tx<DeliveryPage>([&](Tx& tx) { return list_dead_jobs(tx, trigger_, 10, 0); });
  ASSERT_EQ(listed->rows.size(), 1U);
  EXPECT_EQ(listed->rows[0].event_id, "alert");
  EXPECT_FALSE(*in_tx<std::optional<DeadJob>>([&](Tx& tx) { return lock_job(tx, trigger_, job("test").id); }));
  EXPECT_EQ(in_tx<std::int64_t>([&](Tx& tx) { return purge_dead_jobs(tx, trigger_, {}, {}, 10, kStart); }), 1);
}

TEST_P(DeadJobs, ThoseOfAnotherTriggerAreOutOfReach) {
  insert({job("a")});
  const auto other = domain::TriggerId::make(kStart);
  EXPECT_FALSE(*in_tx<std::optional<DeadJob>>([&](Tx& tx) { return lock_job(tx, other, job("a").id); }));
  EXPECT_TRUE(in_tx<std::vector<DeadJob>>([&](Tx& tx) { return lock_dead_jobs_of(tx, other, "a"); })->empty());
  EXPECT_EQ(in_tx<std::int64_t>([&](Tx& tx) { return purge_dead_jobs(tx, other, job("a").id, {}, 10, kStart); }), 0);
}

INSTANTIATE_TEST_SUITE_P(Engines, DeadJobs, testing::kEngines, testing::engine_name);

}   // namespace
}   // namespace agentauri::store
