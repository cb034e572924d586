// Old jobs go with their attempts; what may still be needed stays.
#include "store/forget_jobs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/crypto/crypto.hpp"
#include "store/chain_log.hpp"
#include "store/jobs.hpp"
#include "store/leases.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::store {
namespace {

using std::chrono::hours;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr domain::ChainId kChain = 31337;
constexpr std::uint64_t kUndo = 50;
const Time kStart = from_unix_seconds(1'768'471'200);
const Time kLater = kStart + hours(24 * 40);

const Query kNames{"test_forget_names", "SELECT event_id FROM jobs ORDER BY event_id"};
const Query kTries{"test_forget_tries", "SELECT count(*) FROM attempts"};
const Query kHead{"test_forget_head",
                  "INSERT INTO chains (chain_id, name, start_block, live_from_block, head_num, updated_at) VALUES "
                  "(:chain, 'anvil', 0, 0, :head, :now)"};

class ForgettingJobs : public testing::EngineTest {
 protected:
  void insert(const std::string& name, Time at, std::uint64_t block = 100) {
    NewJob job;
    job.id = crypto::sha256(as_bytes(name));
    job.organization_id = organization_;
    job.trigger_id = trigger_;
    job.chain_id = kChain;
    job.block_num = block;
    job.event_id = name;
    job.event_data = job.explanation = "{}";
    job.endpoint = "https://example.org:443";
    if (name.starts_with("held")) job.hold_until_block = 1'000'000;
    ASSERT_TRUE(in_tx<std::int64_t>([&](Tx& tx) { return insert_jobs(tx, {job}, at); }));
  }
  std::vector<ClaimedJob> claim(Time at) {
    auto claimed = in_tx<Claim>([&](Tx& tx) { return claim_batch(tx, worker_, 100, {}, at); });
    EXPECT_TRUE(claimed) << claimed.error().text;
    return claimed.value_or(Claim{}).jobs;
  }
  // Everything that is due ends like this.
  void end_as(domain::JobState state, Time at) {
    std::vector<AttemptResult> results;
    for (const auto& job : claim(at)) {
      AttemptResult result;
      result.job = job.id;
      result.attempt = job.attempt;
      result.lease_epoch = job.lease_epoch;
      result.next = state;
      results.push_back(result);
    }
    ASSERT_TRUE(in_tx<std::int64_t>([&](Tx& tx) { return finish_attempts(tx, results, at); }));
  }
  Forgotten forget(Time before, std::optional<EndedJob> after = {}, std::size_t limit = 100) {
    auto gone = in_tx<Forgotten>([&](Tx& tx) { return forget_jobs(tx, before, kUndo, after, limit); });
    EXPECT_TRUE(gone) << gone.error().text;
    return gone.value_or(Forgotten{});
  }
  std::vector<std::string> names() {
    auto rows = db().query_blocking(kNames);
    EXPECT_TRUE(rows) << rows.error().text;
    std::vector<std::string> out;
    for (std::size_t i = 0; i < rows->size(); ++i) out.push_back(rows->text(i, 0));
    return out;
  }
  std::int64_t tries() { return db().query_blocking(kTries)->i64(0, 0); }
  void set_head(std::int64_t head) {
    auto row = in_tx<void>([&](Tx& tx) -> Result<void> {
      auto made = tx.run(kHead, Params().i64("chain", kChain).i64("head", head).time("now", kStart));
      if (!made) return fail(made);
      return {};
    });
    ASSERT_TRUE(row) << row.error().text;
  }
  void SetUp() override {
    ASSERT_TRUE(in_tx<void>([&](Tx& tx) { return register_instance(tx, worker_, this_process(), "worker"); }));
  }

  const domain::InstanceId worker_ = domain::InstanceId::make(kStart);
  const domain::OrganizationId organization_ = domain::OrganizationId::make(kStart);
  const domain::TriggerId trigger_ = domain::TriggerId::make(kStart);
};

TEST_P(ForgettingJobs, EveryEndIsForgottenAfterItsTimeWithItsAttempts) {
  using domain::JobState;
  for (const auto state : {JobState::succeeded, JobState::dead, JobState::expired}) {
    insert(std::string(domain::to_string(state)), kStart);
    end_as(state, kStart);
  }
  insert("cancelled", kStart);
  ASSERT_TRUE(in_tx<std::int64_t>([&](Tx& tx) { return cancel_jobs(tx, trigger_, std::nullopt, "deleted", kStart); }));
  insert("recent", kStart);
  end_as(JobState::succeeded, kStart + hours(1));
  ASSERT_EQ(tries(), 4);
  EXPECT_EQ(forget(kStart).jobs, 0) << "ended at that moment, not before it";
  const auto gone = forget(kStart + hours(1));
  EXPECT_EQ(gone.jobs, 4);
  EXPECT_EQ(gone.attempts, 3);
  EXPECT_THAT(names(), ElementsAre("recent"));
  EXPECT_EQ(tries(), 1);
}

TEST_P(ForgettingJobs, WhatHasNotEndedStaysHoweverOld) {
  insert("leased", kStart);
  ASSERT_EQ(claim(kStart).size(), 1U);
  insert("retried", kStart);
  end_as(domain::JobState::pending, kStart);   // due again: claimed by nobody below
  insert("held", kStart);
  insert("pending", kStart);
  EXPECT_EQ(forget(kLater).jobs, 0);
  EXPECT_THAT(names(), ElementsAre("held", "leased", "pending", "retried"));
  EXPECT_EQ(tries(), 2);
}

// The engine makes the jobs of a block again when the block comes back; a job that is there is not made twice.
TEST_P(ForgettingJobs, WhatAReorganisationCouldMakeAgainStays) {
  set_head(150);
  insert("deep", kStart, 100);
  insert("shallow", kStart, 101);
  end_as(domain::JobState::succeeded, kStart);
  EXPECT_EQ(forget(kLater).jobs, 1);
  EXPECT_THAT(names(), ElementsAre("shallow"));
}

TEST_P(ForgettingJobs, APassGoesOnWhereItStopped) {
  set_head(150);
  for (int i = 0; i < 5; ++i) {
    insert("kept " + std::to_string(i), kStart, 149);
    insert("old " + std::to_string(i), kStart);
  }
  end_as(domain::JobState::succeeded, kStart);   // all at one moment
  std::optional<EndedJob> after;
  std::int64_t jobs = 0;
  int batches = 0;
  for (;; ++batches) {
    const auto gone = forget(kLater, after, 3);
    EXPECT_LE(gone.jobs, 3);
    jobs += gone.jobs;
    if (!gone.last) break;
    after = gone.last;
    ASSERT_LT(batches, 10);
  }
  EXPECT_EQ(jobs, 5);
  EXPECT_EQ(batches, 4);
  EXPECT_EQ(names().size(), 5U);
  EXPECT_EQ(tries(), 5);
}

INSTANTIATE_TEST_SUITE_P(Engines, ForgettingJobs, testing::kEngines, testing::engine_name);

}   // namespace
}   // namespace agentauri::store
