// Jobs that are sent because somebody asked for it: tests, and dead ones that are taken up again.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>

#include "delivery/testing/webhook_sink.hpp"
#include "delivery/testing/worker_rig.hpp"
#include "store/dead_jobs.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::delivery {
namespace {

using testing::answer_with;
using testing::WebhookSink;
using testing::WorkerRig;

class SentByHand : public store::testing::EngineTest {
 protected:
  domain::ActionId hook(const WebhookSink& sink) {
    return alerts_.add_action(fmt::format(R"({{"url":"{}"}})", sink.url()));
  }
  void start(WorkerRig::Options options = {}) {
    options.dispatcher.poll = std::chrono::milliseconds(20);   // nobody wakes the worker here
    rig_ = std::make_unique<WorkerRig>(db(), std::move(options));
  }

  testing::Alerts alerts_{db()};
  std::unique_ptr<WorkerRig> rig_;
};

std::string field(const net::HttpRequest& request, std::string_view name) {
  const auto* value = request.headers.find(name);
  return value == nullptr ? "<none>" : *value;
}

// Who tries an action out gets one attempt, marked as what it is.
TEST_P(SentByHand, ATestIsMarkedAndTriedOnce) {
  WebhookSink sink([](const net::HttpRequest&, int n) { return answer_with(n == 1 ? 503 : 200); });
  const auto action = hook(sink);
  auto job = alerts_.job(action, "a", sink.endpoint());
  job.kind = domain::kTestKind;
  alerts_.insert({job});
  start();
  const auto delivery = alerts_.wait_until_ended("a");
  EXPECT_EQ(delivery.state, "dead");
  EXPECT_EQ(delivery.kind, "test");
  EXPECT_EQ(delivery.attempts, 1);
  alerts_.insert({alerts_.job(action, "b", sink.endpoint())});
  EXPECT_EQ(alerts_.wait_until_ended("b").state, "succeeded");
  const auto seen = sink.seen();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(field(seen[0].request, "X-AgentAuri-Test"), "true");
  EXPECT_EQ(field(seen[1].request, "X-AgentAuri-Test"), "<none>");
}

// pipeline.md 7.4: under the same id, with the same bytes, and with every wait between attempts once more.
TEST_P(SentByHand, AReplayedJobIsDeliveredAsWhatItWas) {
  std::atomic<bool> mended{false};
  WebhookSink sink([&mended](const net::HttpRequest&, int n) { return answer_with(mended && n >= 5 ? 200 : 503); });
  const auto action = hook(sink);
  auto job = alerts_.job(action, "a", sink.endpoint());
  job.expires_at = SystemClock().now() + std::chrono::hours(1);
  alerts_.insert({job});
  WorkerRig::Options options;
  options.ladder.waits = {std::chrono::milliseconds(0), std::chrono::milliseconds(5), std::chrono::milliseconds(5)};
  start(std::move(options));
  ASSERT_EQ(alerts_.wait_until_ended("a").state, "dead");
  ASSERT_EQ(sink.count(), 3U);
  mended = true;
  const auto replay = [&] {
    return in_tx<std::int64_t>([&](store::Tx& tx) {
      return store::replay_jobs(tx, {{job.id, std::nullopt, std::nullopt}}, SystemClock().now());
    });
  };
  EXPECT_EQ(replay(), 1);
  const auto delivery = alerts_.wait_until_ended("a");
  EXPECT_EQ(delivery.state, "succeeded") << delivery.reason.value_or("");
  EXPECT_EQ(replay(), 0) << "what has come through is not sent again";
  const auto seen = sink.seen();
  ASSERT_EQ(seen.size(), 5U) << "the fourth attempt failed too, and there was a fifth";
  for (const auto& each : seen) {
    EXPECT_EQ(field(each.request, "webhook-id"), to_hex(job.id.view()));
    EXPECT_EQ(each.request.body, *job.body);
  }
  EXPECT_EQ(field(seen[4].request, "X-AgentAuri-Attempt"), "5");
  ASSERT_EQ(delivery.tries.size(), 5U) << "the history stays";
  EXPECT_EQ(delivery.tries[0].status, 503);
  EXPECT_EQ(delivery.tries[4].status, 200);
}

INSTANTIATE_TEST_SUITE_P(Engines, SentByHand, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::delivery
