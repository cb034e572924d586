// What happens to secrets around a webhook: those that do not decrypt, and those that a receiver says back.
#include "delivery/channels/webhook.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "core/json/json.hpp"
#include "delivery/testing/webhook_sink.hpp"
#include "delivery/testing/worker_rig.hpp"
#include "rules/action_secrets.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::delivery {
namespace {

using testing::answer_with;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::WebhookSink;
using testing::WorkerRig;

const std::string kSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const crypto::DataKeys& foreign_keys() {
  static const auto keys = crypto::DataKeys::derive("a secret of another installation, long enough", "");
  return keys;
}

class Webhooks : public store::testing::EngineTest {
 protected:
  domain::ActionId hook(const WebhookSink& sink, const std::string& more = "", std::optional<std::string> secret = {}) {
    return alerts_.add_action(fmt::format(R"({{"url":"{}"{}}})", sink.url(), more), std::move(secret));
  }
  void add(domain::ActionId action, const std::string& name, const WebhookSink& sink) {
    alerts_.insert({alerts_.job(action, name, sink.endpoint())});
  }
  void start() {
    WorkerRig::Options options;
    options.dispatcher.poll = std::chrono::milliseconds(10);
    rig_ = std::make_unique<WorkerRig>(db(), std::move(options));
  }
  // The action's configuration, encrypted with `keys`.
  void configure(domain::ActionId action, const std::string& config, const crypto::DataKeys& keys) {
    const auto sealed = json::dump(rules::encrypt_config(json::parse(config)->as_object(), action, keys));
    ASSERT_TRUE(in_tx<void>([&](store::Tx& tx) { return store::set_action_config(tx, action, sealed, now()); }));
  }
  void sign_with(domain::ActionId action, const crypto::DataKeys& keys) {
    const store::SigningSecrets secrets{keys.encrypt(kSecret, rules::signing_secret_aad(action)), {}, {}};
    ASSERT_TRUE(in_tx<void>([&](store::Tx& tx) { return store::set_signing_secrets(tx, action, secrets, now()); }));
  }
  store::Delivery wait_for_attempts(const std::string& name, std::int32_t attempts) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    for (;;) {
      auto found = alerts_.find(name);
      if (found->attempts >= attempts || std::chrono::steady_clock::now() > deadline) return *found;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  Time now() const { return clock_.now(); }

  SystemClock clock_;
  testing::Alerts alerts_{db()};
  std::unique_ptr<WorkerRig> rig_;
};

// The rig's ladder has three steps: what is at fault here is the operator's to mend, so no number of tries ends it.
TEST_P(Webhooks, AnAlertWhoseSecretDoesNotDecryptWaitsForItsKey) {
  WebhookSink sink;
  const std::string more = R"(,"headers":{"Authorization":"Bearer s3cret"},"retry_count":0)";
  const std::string config = fmt::format(R"({{"url":"{}"{}}})", sink.url(), more);
  const auto by_config = hook(sink, more);
  const auto by_signature = hook(sink, "", kSecret);
  configure(by_config, config, foreign_keys());
  sign_with(by_signature, foreign_keys());
  add(by_config, "config", sink);
  add(by_signature, "signature", sink);
  start();
  for (const char* name : {"config", "signature"}) {
    const auto delivery = wait_for_attempts(name, 5);
    EXPECT_GE(delivery.attempts, 5) << name << ": " << delivery.state << " " << delivery.reason.value_or("");
    EXPECT_TRUE(delivery.state == "pending" || delivery.state == "leased") << delivery.state;
    EXPECT_EQ(delivery.tries[0].outcome, "refused");
    EXPECT_THAT(delivery.tries[0].excerpt.value_or(""), HasSubstr("data key"));
  }
  EXPECT_TRUE(sink.seen().empty()) << "nothing leaves unsigned or with a secret that is not the user's";

  configure(by_config, config, testing::test_keys());
  sign_with(by_signature, testing::test_keys());
  EXPECT_EQ(alerts_.wait_until_ended("config").state, "succeeded");
  EXPECT_EQ(alerts_.wait_until_ended("signature").state, "succeeded");
}

TEST_P(Webhooks, SecretsThatAReceiverSaysBackAreNotKept) {
  // As debug pages do: the whole request.
  WebhookSink sink([](const net::HttpRequest& request, int) {
    std::string page = "<h1>failed</h1> ";
    for (const char* name : {"Authorization", "X-Api-Key", "Cookie", "X-Score"}) {
      const auto* value = request.headers.find(name);
      page += fmt::format("{}={} ", name, value == nullptr ? "" : *value);
    }
    page += request.body;
    return answer_with(500, page);
  });
  const auto action = hook(
      sink,
      R"(,"headers":{"Authorization":"Bearer t0ken-of-ada","X-Api-Key":"key of {{score}} points","Cookie":"sid=c00kie-jar","X-Score":"{{score}}"},"retry_count":0)");
  auto job = alerts_.job(action, "a", sink.endpoint());
  job.body = fmt::format(R"({{"password":"{}","score":42}})",
                         testing::test_keys().encrypt("p4ss of {{score}}", rules::config_aad(action)));
  alerts_.insert({job});
  start();
  const auto delivery = alerts_.wait_until_ended("a");
  ASSERT_EQ(delivery.tries.size(), 1U);
  const std::string excerpt = delivery.tries[0].excerpt.value_or("");
  for (const char* secret : {"t0ken-of-ada", "key of 42 points", "c00kie-jar", "p4ss of 42"})
    EXPECT_THAT(excerpt, Not(HasSubstr(secret)));
  EXPECT_THAT(excerpt, HasSubstr("Authorization=***"));
  EXPECT_THAT(excerpt, HasSubstr("X-Score=42")) << "what is no secret stays readable";
  EXPECT_THAT(excerpt, HasSubstr("<h1>failed</h1>"));
}

INSTANTIATE_TEST_SUITE_P(Engines, Webhooks, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::delivery
