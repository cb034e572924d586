// Jobs taken back from workers: what is open stays open, what is closed is closed with its job.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "core/crypto/crypto.hpp"
#include "store/jobs.hpp"
#include "store/leases.hpp"
#include "store/postgres/session.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::store {
namespace {

using namespace std::chrono_literals;

const Time kStart = from_unix_seconds(1'768'471'200);
const Query kJob{"test_recovered_job", "SELECT state, finished_at, lease_instance FROM jobs WHERE id = :job"};
const Query kStrays{"test_stray_attempts",
                    "SELECT count(*) FROM attempts a JOIN jobs j ON j.id = a.job_id WHERE a.finished_at IS NULL AND "
                    "j.state <> 'leased'"};
const Query kOpen{"test_open_attempts", "SELECT count(*) FROM attempts WHERE finished_at IS NULL"};
const Query kBlocked{Query::Unlisted{}, "test_blocked",
                     "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = "
                     "'Lock'"};

class Recovery : public testing::EngineTest {
 protected:
  Recovery() {
    for (const auto worker : {alice_, bob_})
      EXPECT_TRUE(in_tx<void>([&](Tx& tx) { return register_instance(tx, worker, this_process(), "worker"); }));
  }
  static Hash32 hash(const std::string& text) { return crypto::sha256(as_bytes(text)); }
  void insert(const std::string& name) {
    NewJob job;
    job.id = hash(name);
    job.organization_id = domain::OrganizationId::make(kStart);
    job.trigger_id = domain::TriggerId::make(kStart);
    job.chain_id = 1;
    job.block_hash = hash("block of " + name);
    job.event_id = name;
    job.event_data = job.explanation = "{}";
    ASSERT_TRUE(in_tx<std::int64_t>([&](Tx& tx) { return insert_jobs(tx, {job}, kStart); }));
  }
  void claim(domain::InstanceId worker) {
    const auto claimed = in_tx<Claim>([&](Tx& tx) { return claim_batch(tx, worker, 10, {}, kStart); });
    ASSERT_TRUE(claimed) << claimed.error().text;
    ASSERT_EQ(claimed->jobs.size(), 1U);
  }
  void remove(domain::InstanceId worker) {
    ASSERT_TRUE(in_tx<void>([&](Tx& tx) { return remove_instance(tx, worker); }));
  }
  Result<std::int64_t> recover() {
    return in_tx<std::int64_t>([](Tx& tx) { return recover_jobs(tx, from_unix_seconds(0), kStart); });
  }
  Rows job(const std::string& name) {
    return db().query_blocking(kJob, Params().blob("job", hash(name).view())).value();
  }
  std::int64_t number(const Query& query) { return db().query_blocking(query)->i64(0, 0); }

  domain::InstanceId alice_ = domain::InstanceId::make(kStart), bob_ = domain::InstanceId::make(kStart);
};

TEST_P(Recovery, AJobWhoseBlockHasLeftEndsThen) {
  insert("a");
  claim(alice_);
  ASSERT_TRUE(in_tx<std::int64_t>([](Tx& tx) { return orphan_jobs(tx, 1, hash("block of a"), kStart); }));
  remove(alice_);
  EXPECT_EQ(recover().value(), 1);
  EXPECT_EQ(job("a").text(0, 0), "cancelled");
  EXPECT_EQ(job("a").time_or_null(0, 1), kStart);
}

TEST_P(Recovery, GivesBackOnlyWhatIsStillHeldUnderThatLease) {
  insert("a");
  claim(alice_);
  insert("b");
  claim(bob_);
  const auto leased = in_tx<std::vector<LeasedJob>>([&](Tx& tx) { return leased_jobs(tx, alice_); }).value();
  ASSERT_EQ(leased.size(), 1U);
  EXPECT_EQ(leased[0].id, hash("a"));
  const auto give_back = [&](domain::InstanceId worker, std::vector<LeasedJob> jobs) {
    return in_tx<std::int64_t>([&](Tx& tx) { return give_back_jobs(tx, worker, jobs, kStart); }).value();
  };
  EXPECT_EQ(give_back(alice_, {{hash("a"), leased[0].lease_epoch + 1}, {hash("b"), leased[0].lease_epoch}}), 0);
  EXPECT_EQ(number(kOpen), 2);
  EXPECT_EQ(give_back(alice_, leased), 1);
  EXPECT_EQ(job("a").text(0, 0), "pending");
  EXPECT_TRUE(job("a").is_null(0, 1));
  EXPECT_EQ(job("b").text(0, 0), "leased");
  EXPECT_EQ(number(kOpen), 1);
  EXPECT_EQ(give_back(alice_, leased), 0);
}

// On PostgreSQL each statement sees its own moment: a worker may go between two of them.
TEST_P(Recovery, AWorkerThatGoesMeanwhileIsLeftForTheNextTime) {
  if (GetParam() != "postgres") GTEST_SKIP() << "SQLite has one writer";
  insert("a");
  claim(alice_);
  insert("b");
  claim(bob_);
  remove(alice_);
  auto holder = postgres::Session::connect(temp_.postgres);
  ASSERT_TRUE(holder);
  ASSERT_TRUE((*holder)->execute("BEGIN; UPDATE attempts SET n = n WHERE finished_at IS NULL", 5s));
  std::jthread recovering([this] { EXPECT_EQ(recover().value(), 1); });
  while (number(kBlocked) == 0) std::this_thread::sleep_for(5ms);
  remove(bob_);
  ASSERT_TRUE((*holder)->execute("COMMIT", 5s));
  recovering.join();
  EXPECT_EQ(number(kStrays), 0);
  EXPECT_EQ(recover().value(), 1);
  EXPECT_EQ(number(kOpen), 0);
}

INSTANTIATE_TEST_SUITE_P(Engines, Recovery, testing::kEngines, testing::engine_name);

}   // namespace
}   // namespace agentauri::store
