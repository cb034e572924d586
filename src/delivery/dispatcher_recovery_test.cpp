// Jobs whose worker is gone, silent, or does not know that it has them.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "delivery/dispatcher.hpp"
#include "delivery/testing/flaky_database.hpp"
#include "delivery/testing/webhook_sink.hpp"
#include "delivery/testing/worker_rig.hpp"
#include "store/leases.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::delivery {
namespace {

using testing::WebhookSink;
using testing::WorkerRig;

const store::Query kSilence{"test_long_silence", "UPDATE instances SET heartbeat_at = :at WHERE id = :id"};
const store::Query kDisabled{"test_action_disabled", "SELECT disabled_reason FROM trigger_actions WHERE id = :action"};
const store::Query kNoTeapotsSqlite{
    store::Query::Unlisted{}, "test_no_teapots",
    "CREATE TRIGGER no_teapots BEFORE UPDATE ON attempts WHEN NEW.status = 418 BEGIN INSERT INTO coverage (chain_id, "
    "contract, from_block, to_block, level) VALUES (1, x'00', 2, 1, 'header_checked'); END"};
const store::Query kNoTeapotsPostgres{store::Query::Unlisted{}, "test_no_teapots",
                                      "ALTER TABLE attempts ADD CONSTRAINT no_teapots CHECK (status <> 418)"};

class Recovering : public store::testing::EngineTest {
 protected:
  void add(const WebhookSink& sink, const std::string& name) {
    const auto action = alerts_.add_action(fmt::format(R"({{"url":"{}"}})", sink.url()));
    alerts_.insert({alerts_.job(action, name, sink.endpoint())});
  }
  std::unique_ptr<WorkerRig> start(store::Database& database) {
    WorkerRig::Options options;
    options.dispatcher.poll = options.dispatcher.recover_every = std::chrono::milliseconds(20);
    return std::make_unique<WorkerRig>(database, std::move(options));
  }
  // As a worker would that then says nothing more.
  std::vector<store::ClaimedJob> claim(domain::InstanceId worker) {
    auto claimed =
        in_tx<store::Claim>([&](store::Tx& tx) { return store::claim_batch(tx, worker, 10, {}, SystemClock().now()); });
    EXPECT_TRUE(claimed) << claimed.error().text;
    return claimed->jobs;
  }

  bool is_disabled(domain::ActionId action) {
    return !db().query_blocking(kDisabled, store::Params().i64("action", action))->is_null(0, 0);
  }

  testing::Alerts alerts_{db()};
};

TEST_P(Recovering, ANewWorkerTakesOverFromOneThatIsGone) {
  WebhookSink sink;
  add(sink, "a");
  const auto claimed = claim(domain::InstanceId::make(SystemClock().now()));
  ASSERT_EQ(claimed.size(), 1U);
  const auto rig = start(db());
  const auto delivery = alerts_.wait_until_ended("a");
  EXPECT_EQ(delivery.state, "succeeded");
  ASSERT_EQ(delivery.tries.size(), 2U);
  EXPECT_EQ(delivery.tries[0].outcome, "unknown");
  EXPECT_EQ(delivery.tries[1].outcome, "ok");
  const auto seen = sink.seen();
  const auto* id = seen[0].request.headers.find("webhook-id");
  ASSERT_NE(id, nullptr);
  EXPECT_EQ(*id, to_hex(claimed[0].id.view()));
}

// After an outage of the store everybody has been silent.
TEST_P(Recovering, SilenceIsBelievedOnlyByAWorkerThatCouldHaveHeard) {
  WebhookSink sink;
  add(sink, "silent");
  const auto silent = domain::InstanceId::make(SystemClock().now());
  ASSERT_TRUE(in_tx<void>([&](store::Tx& tx) -> Result<void> {
    if (auto in = store::register_instance(tx, silent, store::this_process(), "worker"); !in) return in;
    auto at = tx.run(kSilence, store::Params().id("id", silent).time("at", from_unix_seconds(1'000'000)));
    if (!at) return fail(at);
    return {};
  }));
  ASSERT_EQ(claim(silent).size(), 1U);
  const auto started = std::chrono::steady_clock::now();
  const auto rig = start(db());
  EXPECT_EQ(alerts_.wait_until_ended("silent").state, "succeeded");
  EXPECT_GE(std::chrono::steady_clock::now() - started, store::kSilence);
}

TEST_P(Recovering, AClaimWhoseAnswerIsLostLeavesNothingBehind) {
  testing::FlakyDatabase flaky(db());
  WebhookSink sink;
  add(sink, "a");
  flaky.lose_commit(2);   // the worker enters, and claims
  const auto rig = start(flaky);
  const auto delivery = alerts_.wait_until_ended("a");
  EXPECT_TRUE(flaky.lost());
  EXPECT_EQ(delivery.state, "succeeded");
  ASSERT_EQ(delivery.tries.size(), 2U);
  EXPECT_EQ(delivery.tries[0].outcome, "unknown");
  EXPECT_EQ(delivery.tries[1].outcome, "ok");
  EXPECT_EQ(sink.count(), 1U);
}

TEST_P(Recovering, WhatIsInHandIsNotTakenForLost) {
  testing::FlakyDatabase flaky(db());
  WebhookSink sink;
  sink.hold();
  add(sink, "slow");
  const auto rig = start(flaky);
  ASSERT_TRUE(sink.wait_for(1));
  flaky.lose_commit(1);   // of a claim without jobs, after which the worker looks
  WebhookSink other;
  add(other, "other");
  EXPECT_EQ(alerts_.wait_until_ended("other").state, "succeeded");
  EXPECT_TRUE(flaky.lost());
  sink.release();
  EXPECT_EQ(alerts_.wait_until_ended("slow").tries.size(), 1U);
  EXPECT_EQ(sink.count(), 1U);
}

TEST_P(Recovering, AResultThatTheStoreRefusesIsRecordedWithoutWhatItSaid) {
  ASSERT_TRUE(in_tx<void>([&](store::Tx& tx) -> Result<void> {
    auto made = tx.run(GetParam() == "sqlite" ? kNoTeapotsSqlite : kNoTeapotsPostgres);
    if (!made) return fail(made);
    return {};
  }));
  WebhookSink teapot([](const net::HttpRequest&, int) { return testing::answer_with(418); });
  WebhookSink sink;
  add(teapot, "teapot");
  add(sink, "other");
  const auto rig = start(db());
  const auto delivery = alerts_.wait_until_ended("teapot");
  EXPECT_EQ(delivery.state, "dead");
  ASSERT_EQ(delivery.tries.size(), 1U);
  EXPECT_EQ(delivery.tries[0].outcome, "http");
  EXPECT_FALSE(delivery.tries[0].status);
  EXPECT_EQ(alerts_.wait_until_ended("other").state, "succeeded");
  EXPECT_EQ(teapot.count(), 1U);
}

// A receiver says that it is gone; meanwhile somebody gives the action another URL, or the job is somebody else's.
TEST_P(Recovering, AnActionIsNotDisabledByAnAnswerFromBeforeItWasMended) {
  WebhookSink sink;
  const auto action = alerts_.add_action(fmt::format(R"({{"url":"{}"}})", sink.url()));
  const auto worker = domain::InstanceId::make(SystemClock().now());
  const auto gone = [&](const store::ClaimedJob& job) {
    store::AttemptResult result;
    result.job = job.id;
    result.attempt = job.attempt;
    result.lease_epoch = job.lease_epoch;
    result.outcome = domain::Outcome::http;
    result.next = domain::JobState::dead;
    result.reason = "410 Gone";
    result.disable_action = true;
    result.action_id = action;
    return in_tx<std::int64_t>([&](store::Tx& tx) { return store::finish_attempts(tx, {result}, SystemClock().now()); })
        .value();
  };
  const auto claim_one = [&](const std::string& name) {
    alerts_.insert({alerts_.job(action, name, sink.endpoint())});
    return claim(worker).at(0);
  };
  const auto mended = claim_one("mended");
  ASSERT_TRUE(in_tx<void>([&](store::Tx& tx) {
    return store::set_action_config(tx, action, fmt::format(R"({{"url":"{}"}})", sink.url()),
                                    SystemClock().now() + std::chrono::milliseconds(1));
  }));
  EXPECT_EQ(gone(mended), 1);
  EXPECT_FALSE(is_disabled(action));

  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  const auto late = claim_one("late");
  ASSERT_EQ(in_tx<std::int64_t>([&](store::Tx& tx) {
              return store::recover_jobs(tx, from_unix_seconds(0), SystemClock().now());
            }).value(),
            1);
  EXPECT_EQ(gone(late), 0);
  EXPECT_FALSE(is_disabled(action));

  EXPECT_EQ(gone(claim(worker).at(0)), 1);
  EXPECT_TRUE(is_disabled(action));
}

INSTANTIATE_TEST_SUITE_P(Engines, Recovering, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::delivery
