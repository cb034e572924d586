#include "delivery/dispatcher.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "delivery/standard_webhooks.hpp"
#include "delivery/testing/flaky_database.hpp"
#include "delivery/testing/webhook_sink.hpp"
#include "delivery/testing/worker_rig.hpp"
#include "net/testing/raw_socket.hpp"
#include "rules/action_secrets.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::delivery {
namespace {

using testing::answer_with;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using testing::WebhookSink;
using testing::WorkerRig;

const std::string kSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const std::string kOlderSecret = "whsec_" + crypto::base64(as_bytes("an older secret of 32 bytes, padded"));

class Delivering : public store::testing::EngineTest {
 protected:
  void add(domain::ActionId action, const std::string& name, const std::string& endpoint) {
    alerts_.insert({alerts_.job(action, name, endpoint)});
  }
  domain::ActionId hook(const WebhookSink& sink, const std::string& more = "") {
    return alerts_.add_action(fmt::format(R"({{"url":"{}"{}}})", sink.url(), more), kSecret);
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

TEST_P(Delivering, SignsAndSaysWhatItIs) {
  WebhookSink sink;
  const auto action = hook(
      sink,
      R"(,"headers":{"Authorization":"Bearer s3cret","Content-Type":"application/cloudevents+json","X-Score":"{{score}}"},"secret":"legacy")");
  auto job = alerts_.job(action, "a", sink.endpoint());
  alerts_.insert({job});
  start();
  const auto delivery = alerts_.wait_until_ended("a");
  ASSERT_EQ(delivery.state, "succeeded") << delivery.reason.value_or("");
  const auto seen = sink.seen();
  ASSERT_EQ(seen.size(), 1U);
  const auto& request = seen[0].request;
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.path, "/hook");
  EXPECT_EQ(request.body, *job.body);
  const std::string id = to_hex(job.id.view());
  EXPECT_EQ(field(request, "webhook-id"), id);
  const std::string stamp = field(request, "webhook-timestamp");
  EXPECT_EQ(field(request, "webhook-signature"), sign_webhook({kSecret}, id, std::stoll(stamp), request.body));
  EXPECT_EQ(field(request, "X-AgentAuri-Timestamp"), stamp);
  EXPECT_NEAR(static_cast<double>(std::stoll(stamp)), static_cast<double>(to_unix_seconds(SystemClock().now())), 30);
  EXPECT_EQ(field(request, "X-AgentAuri-Trigger-Id"), to_string(alerts_.trigger()));
  EXPECT_EQ(field(request, "X-AgentAuri-Event-Id"), "a");
  EXPECT_EQ(field(request, "X-AgentAuri-Delivery-Id"), id);
  EXPECT_EQ(field(request, "X-AgentAuri-Attempt"), "1");
  EXPECT_EQ(field(request, "X-Request-ID"), "req-a");
  EXPECT_EQ(field(request, "X-AgentAuri-Signature"), sign_legacy("legacy", request.body));
  EXPECT_EQ(field(request, "Content-Type"), "application/cloudevents+json");
  EXPECT_EQ(field(request, "Authorization"), "Bearer s3cret");
  EXPECT_EQ(field(request, "X-Score"), "42");
  EXPECT_THAT(field(request, "User-Agent"), StartsWith("AgentAuri/"));
  ASSERT_EQ(delivery.tries.size(), 1U);
  EXPECT_EQ(delivery.tries[0].outcome, "ok");
  EXPECT_EQ(delivery.tries[0].status, 200);
  EXPECT_EQ(delivery.tries[0].excerpt, "ok");
  const std::string exposed = rig_->metrics().expose();
  EXPECT_THAT(exposed, HasSubstr(R"(action_worker_jobs_processed_total{action_type="rest",status="success"} 1)"));
  EXPECT_THAT(exposed, HasSubstr(R"(action_worker_attempts_total{action_type="rest",outcome="ok"} 1)"));
}

// The engine renders bodies and has no keys; jobs hold no secret in clear.
TEST_P(Delivering, SecretsOfTheBodyAreInClearOnTheWireOnly) {
  WebhookSink sink;
  const auto action = hook(sink);
  auto job = alerts_.job(action, "a", sink.endpoint());
  const auto hidden = testing::test_keys().encrypt("s3cret of {{score}}", rules::config_aad(action));
  job.body = fmt::format(R"({{"token":"{}","score":42}})", hidden);
  alerts_.insert({job});
  start();
  ASSERT_EQ(alerts_.wait_until_ended("a").state, "succeeded");
  const auto seen = sink.seen();
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].request.body, R"({"token":"s3cret of 42","score":42})");
  const std::string id = to_hex(job.id.view()), stamp = field(seen[0].request, "webhook-timestamp");
  EXPECT_EQ(field(seen[0].request, "webhook-signature"),
            sign_webhook({kSecret}, id, std::stoll(stamp), seen[0].request.body));
}

TEST_P(Delivering, TriesAgainWithTheSameIdAndBytes) {
  WebhookSink sink([](const net::HttpRequest&, int n) {
    return answer_with(n == 1 ? 500 : n == 2 ? 429 : 202, "answer " + std::to_string(n));
  });
  const auto action = hook(sink);
  add(action, "a", sink.endpoint());
  start();
  const auto delivery = alerts_.wait_until_ended("a");
  ASSERT_EQ(delivery.state, "succeeded") << delivery.reason.value_or("");
  const auto seen = sink.seen();
  ASSERT_EQ(seen.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(seen[i].request.body, seen[0].request.body);
    EXPECT_EQ(field(seen[i].request, "webhook-id"), field(seen[0].request, "webhook-id"));
    EXPECT_EQ(field(seen[i].request, "X-AgentAuri-Attempt"), std::to_string(i + 1));
    if (i > 0) EXPECT_GE(seen[i].at - seen[i - 1].at, std::chrono::milliseconds(20)) << "the ladder's wait";
  }
  ASSERT_EQ(delivery.tries.size(), 3U);
  EXPECT_EQ(delivery.tries[0].outcome, "http");
  EXPECT_EQ(delivery.tries[0].status, 500);
  EXPECT_EQ(delivery.tries[0].excerpt, "answer 1");
  EXPECT_EQ(delivery.tries[2].outcome, "ok");
}

TEST_P(Delivering, GivesUpAfterTheLadderAndAtOnceWhereTryingIsPointless) {
  WebhookSink busy([](const net::HttpRequest&, int) { return answer_with(503); });
  WebhookSink missing([](const net::HttpRequest&, int) { return answer_with(404); });
  WebhookSink moved([](const net::HttpRequest& request, int) {
    auto out = answer_with(request.path == "/hook" ? 302 : 200);
    out.headers.set("Location", "/elsewhere");
    return out;
  });
  add(hook(busy), "busy", busy.endpoint());
  add(hook(busy, R"(,"retry_count":1)"), "shortened", busy.endpoint());
  add(hook(missing), "missing", missing.endpoint());
  add(hook(moved), "moved", moved.endpoint());
  start();
  EXPECT_EQ(alerts_.wait_until_ended("busy").reason, "gave up after 3 attempts");
  EXPECT_EQ(alerts_.wait_until_ended("shortened").reason, "gave up after 2 attempts");
  EXPECT_EQ(busy.count(), 5U);
  const auto not_found = alerts_.wait_until_ended("missing");
  EXPECT_EQ(not_found.state, "dead");
  EXPECT_EQ(not_found.tries.size(), 1U);
  const auto redirect = alerts_.wait_until_ended("moved");
  EXPECT_EQ(redirect.state, "dead");
  EXPECT_EQ(redirect.tries[0].status, 302);
  EXPECT_EQ(moved.count(), 1U) << "a redirect is not followed";
}

TEST_P(Delivering, GoneDisablesTheAction) {
  WebhookSink sink([](const net::HttpRequest&, int) { return answer_with(410); });
  const auto action = hook(sink);
  add(action, "a", sink.endpoint());
  start();
  EXPECT_EQ(alerts_.wait_until_ended("a").state, "dead");
  add(action, "b", sink.endpoint());
  const auto second = alerts_.wait_until_ended("b");
  EXPECT_EQ(second.state, "dead");
  EXPECT_THAT(second.reason.value_or(""), HasSubstr("disabled"));
  EXPECT_EQ(sink.count(), 1U);
}

TEST_P(Delivering, ALongAnswerIsCutNotJudged) {
  WebhookSink sink([](const net::HttpRequest&, int) { return answer_with(200, std::string(3'000'000, 'x') + "\xff"); });
  add(hook(sink), "a", sink.endpoint());
  start();
  const auto delivery = alerts_.wait_until_ended("a");
  EXPECT_EQ(delivery.state, "succeeded");
  EXPECT_EQ(delivery.tries[0].excerpt, std::string(500, 'x'));
}

TEST_P(Delivering, BytesThatLeftWithoutAnAnswerAreUnknownAndTriedAgain) {
  std::atomic<int> requests{0};
  net::testing::RawPeer peer([&requests](net::testing::RawSocket socket) {
    socket.read_request();
    if (++requests < 3) return socket.reset();
    socket.send("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n");
  });
  const std::string endpoint = fmt::format("http://127.0.0.1:{}", peer.port());
  add(alerts_.add_action(fmt::format(R"({{"url":"{}/"}})", endpoint)), "a", endpoint);
  start();
  const auto delivery = alerts_.wait_until_ended("a");
  ASSERT_EQ(delivery.state, "succeeded") << delivery.reason.value_or("");
  ASSERT_EQ(delivery.tries.size(), 3U);
  EXPECT_EQ(delivery.tries[0].outcome, "unknown");
  EXPECT_EQ(delivery.tries[1].outcome, "unknown");
  EXPECT_EQ(delivery.tries[2].outcome, "ok");
}

TEST_P(Delivering, NobodyListeningIsNetworkAndSilenceIsUnknown) {
  std::uint16_t port = 0;
  {
    net::testing::RawPeer gone([](net::testing::RawSocket) {});
    port = gone.port();
  }
  WebhookSink silent;
  silent.hold();
  const std::string endpoint = fmt::format("http://127.0.0.1:{}", port);
  add(alerts_.add_action(fmt::format(R"({{"url":"{}/","retry_count":0}})", endpoint)), "gone", endpoint);
  add(hook(silent, R"(,"timeout_ms":1000,"retry_count":0)"), "silent", silent.endpoint());
  start();
  const auto refused = alerts_.wait_until_ended("gone");
  EXPECT_EQ(refused.state, "dead");
  EXPECT_EQ(refused.tries[0].outcome, "network");
  const auto unanswered = alerts_.wait_until_ended("silent");
  EXPECT_EQ(unanswered.tries[0].outcome, "unknown");
  EXPECT_GE(unanswered.tries[0].duration_us, 900'000);
}

TEST_P(Delivering, BothSecretsSignWhileTheOlderOneIsValid) {
  WebhookSink sink;
  const Time now = SystemClock().now();
  const std::string config = fmt::format(R"({{"url":"{}"}})", sink.url());
  add(alerts_.add_action(config, kSecret, kOlderSecret, now + std::chrono::hours(1)), "during", sink.endpoint());
  start();
  alerts_.wait_until_ended("during");
  add(alerts_.add_action(config, kSecret, kOlderSecret, now - std::chrono::hours(1)), "after", sink.endpoint());
  ASSERT_EQ(alerts_.wait_until_ended("after").state, "succeeded");
  const auto seen = sink.seen();
  ASSERT_EQ(seen.size(), 2U);
  const auto expected = [](const net::HttpRequest& request, const std::vector<std::string>& secrets) {
    return sign_webhook(secrets, field(request, "webhook-id"), std::stoll(field(request, "webhook-timestamp")),
                        request.body);
  };
  EXPECT_EQ(field(seen[0].request, "webhook-signature"), expected(seen[0].request, {kSecret, kOlderSecret}));
  EXPECT_EQ(field(seen[1].request, "webhook-signature"), expected(seen[1].request, {kSecret}));
}

TEST_P(Delivering, WhatCannotBeSentEndsWithAReason) {
  WebhookSink sink;
  const auto action = hook(sink);
  auto old = alerts_.job(action, "old", sink.endpoint());
  old.expires_at = SystemClock().now() - std::chrono::seconds(1);
  auto telegram = alerts_.job(action, "telegram", "");
  telegram.action_type = domain::ActionType::telegram;
  telegram.endpoint.reset();
  auto orphan = alerts_.job(action + 1000, "no action", sink.endpoint());
  const auto broken = alerts_.add_action(R"({"url":"not a url"})");
  alerts_.insert({old, telegram, orphan, alerts_.job(broken, "broken", "x")});
  start();
  EXPECT_EQ(alerts_.wait_until_ended("old").state, "expired");
  const auto unsupported = alerts_.wait_until_ended("telegram");
  EXPECT_EQ(unsupported.state, "dead");
  EXPECT_EQ(unsupported.reason, "this version does not deliver telegram actions");
  EXPECT_EQ(alerts_.wait_until_ended("no action").state, "cancelled");
  const auto bad = alerts_.wait_until_ended("broken");
  EXPECT_EQ(bad.state, "dead");
  EXPECT_EQ(bad.tries[0].outcome, "refused");
  EXPECT_EQ(sink.count(), 0U);
}

TEST_P(Delivering, TheGuardRefusesPrivateAddresses) {
  WebhookSink sink;
  add(hook(sink), "a", sink.endpoint());
  WorkerRig::Options options;
  options.allow.clear();
  start(options);
  const auto delivery = alerts_.wait_until_ended("a");
  EXPECT_EQ(delivery.state, "dead");
  EXPECT_EQ(delivery.tries[0].outcome, "refused");
  EXPECT_EQ(sink.count(), 0U);
}

// Ten receivers that never answer, with work for all of the worker's places many times over, and one that does.
TEST_P(Delivering, SilentReceiversDoNotHoldUpOthers) {
  std::vector<std::unique_ptr<WebhookSink>> holes;
  std::vector<store::NewJob> jobs;
  for (int i = 0; i < 10; ++i) {
    holes.push_back(std::make_unique<WebhookSink>());
    holes.back()->hold();
    const auto action = hook(*holes.back());
    for (int n = 0; n < 40; ++n)
      jobs.push_back(alerts_.job(action, fmt::format("hole {} {}", i, n), holes.back()->endpoint()));
  }
  alerts_.insert(jobs);   // all of them are due before the others
  WebhookSink healthy;
  const auto action = hook(healthy);
  jobs.clear();
  for (int n = 0; n < 200; ++n) jobs.push_back(alerts_.job(action, fmt::format("healthy {}", n), healthy.endpoint()));
  alerts_.insert(jobs);

  WorkerRig::Options options;
  options.dispatcher.lanes.concurrent = 8;
  options.dispatcher.lanes.slow_after = std::chrono::milliseconds(50);
  start(options);
  ASSERT_TRUE(healthy.wait_for(200)) << healthy.count();
  for (const auto& hole : holes) {
    EXPECT_LE(hole->count(), 4U) << "a receiver that has never answered gets the first few only";
    EXPECT_TRUE(hole->wait_for(1)) << "it has its turn too";
  }
  rig_->stop(true);
}

// All of one organization, whose own bound must not be used up by those that are silent. No attempt of theirs ends
// before the others have all been served: the test waits for less than the timeout of 30 s.
TEST_P(Delivering, AHundredSilentReceiversAmongAThousand) {
  constexpr std::size_t kReceivers = 1000, kSilent = 100, kEach = 3;
  testing::Crowd crowd(kReceivers, kSilent);
  std::vector<store::NewJob> jobs;
  for (std::size_t i = 0; i < kReceivers; ++i) {
    const auto action = alerts_.add_action(fmt::format(R"({{"url":"{}/"}})", crowd.endpoint(i)), kSecret);
    for (std::size_t n = 0; n < (i < kSilent ? 10 : kEach); ++n)
      jobs.push_back(alerts_.job(action, fmt::format("{} {}", i, n), crowd.endpoint(i)));
  }
  alerts_.insert(jobs);   // the silent ones first
  start();
  ASSERT_TRUE(crowd.wait_until_answered((kReceivers - kSilent) * kEach)) << crowd.answered();
  for (std::size_t i = 0; i < kSilent; ++i) EXPECT_LE(crowd.count(i), LaneSettings().first);
  for (std::size_t i = kSilent; i < kReceivers; ++i) EXPECT_EQ(crowd.count(i), kEach);
  rig_->stop(true);
}

TEST_P(Delivering, ResultsWaitForAStoreThatIsAway) {
  testing::FlakyDatabase flaky(db());
  WebhookSink sink;
  sink.hold();
  const auto action = hook(sink);
  for (int i = 0; i < 3; ++i) add(action, std::to_string(i), sink.endpoint());
  {
    WorkerRig::Options options;
    options.dispatcher.poll = std::chrono::milliseconds(20);
    WorkerRig rig(flaky, options);
    ASSERT_TRUE(sink.wait_for(3));
    flaky.go_away();
    const int before = flaky.refused();
    sink.release();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while ((rig.dispatcher().in_flight() > 0 || flaky.refused() < before + 3) &&
           std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    EXPECT_EQ(alerts_.find("0")->state, "leased");
    flaky.come_back();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(alerts_.wait_until_ended(std::to_string(i)).state, "succeeded");
    EXPECT_EQ(sink.count(), 3U) << "none was sent twice";
  }
}

TEST_P(Delivering, StoppingFinishesWhatIsInHand) {
  WebhookSink sink;
  sink.hold();
  const auto action = hook(sink);
  add(action, "in hand", sink.endpoint());
  start();
  ASSERT_TRUE(sink.wait_for(1));
  rig_->ask_to_stop();
  add(action, "later", sink.endpoint());
  sink.release();
  rig_->stop();
  EXPECT_EQ(alerts_.find("in hand")->state, "succeeded");
  EXPECT_EQ(alerts_.find("later")->state, "pending");
  EXPECT_EQ(sink.count(), 1U);
}

TEST_P(Delivering, InsistingCutsAttemptsAndSaysSo) {
  WebhookSink sink;
  sink.hold();
  add(hook(sink, R"(,"retry_count":0)"), "a", sink.endpoint());
  start();
  ASSERT_TRUE(sink.wait_for(1));
  rig_->stop(true);
  const auto cut = alerts_.find("a");
  EXPECT_EQ(cut->state, "pending") << "our own stop does not use up a retry";
  ASSERT_EQ(cut->tries.size(), 1U);
  EXPECT_EQ(cut->tries[0].outcome, "unknown");
  sink.release();
  start();
  EXPECT_EQ(alerts_.wait_until_ended("a").state, "succeeded");
  const auto seen = sink.seen();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].request.body, seen[1].request.body);
  EXPECT_EQ(field(seen[0].request, "webhook-id"), field(seen[1].request, "webhook-id"));
}

INSTANTIATE_TEST_SUITE_P(Engines, Delivering, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::delivery
