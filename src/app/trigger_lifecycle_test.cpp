// What users do to a trigger, seen by the parts that it is for: the API, the engine and the worker over one store.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "delivery/testing/webhook_sink.hpp"
#include "delivery/testing/worker_rig.hpp"
#include "engine/engine.hpp"
#include "engine/testing/model_chain.hpp"
#include "gateway/testing/gateway_fixture.hpp"
#include "store/leases.hpp"

namespace agentauri::app {
namespace {

using engine::testing::kChain;
using gateway::testing::Answer;
using gateway::testing::Harness;
using gateway::testing::HeaderList;
using ::testing::HasSubstr;

class TriggerLifecycle : public gateway::testing::EngineHarness {
 protected:
  TriggerLifecycle() {
    // The blocks of the model chain are of 2023: triggers of today do not listen to them.
    h.clock_.set(from_unix_seconds(1'690'000'000));
    // The worker's data keys, which come of this secret, and receivers on this machine.
    h.settings_.jwt_secret = crypto::Secret<std::string>(std::string("a secret that only tests know, long enough"));
    h.guard_ = net::AddressGuard::make({"127.0.0.0/8"}, false).value();
    h.gateway_ = h.another();
    user = h.signed_in("orbit7");
    engine::testing::attach(h.db(), h.clock_.now());
    engine::EngineSettings settings;
    settings.instance = domain::InstanceId::make(h.clock_.now());
    const auto epoch = h.db().transact_blocking<std::int64_t>(
        store::Priority::interactive, [&](store::Tx& tx) -> Result<std::int64_t> {
          auto added = store::register_instance(tx, settings.instance, store::this_process(), "engine");
          if (!added) return fail(added);
          auto lease = store::acquire_lease(tx, "engine:0", settings.instance);
          if (!lease) return fail(lease);
          return lease->value();
        });
    EXPECT_TRUE(epoch);
    settings.epoch = epoch.value_or(0);
    engine_ = std::make_unique<engine::Engine>(h.db(), h.clock_, settings, h.metrics_, [] {});
  }

  // One block with feedback of this score for agent 42; the engine reads it.
  void feedback(std::int32_t score) {
    engine::testing::append(h.db(), {chain_.mine({{chain_.next_txn(), 42, score}})}, h.clock_.now());
    step();
  }
  void step() {
    for (;;) {
      const auto progress = engine_->step();
      ASSERT_TRUE(progress) << progress.error().text;
      if (!progress->more) return;
    }
  }
  std::string made(const std::string& url) {
    const auto answer = h.post(
        "/api/v1/triggers",
        fmt::format(
            R"({{"name":"t","registry":"reputation","conditions":[{{"condition_type":"score_threshold","field":"score","operator":"<","value":"60"}}],"actions":[{{"action_type":"rest","config":{{"url":"{}","retry_count":0}}}}]}})",
            url),
        user);
    EXPECT_EQ(answer.status, 201) << answer.text;
    return "/api/v1/triggers/" + answer.at("data.id");
  }
  void start_worker() {
    delivery::testing::WorkerRig::Options options;
    options.dispatcher.poll = std::chrono::milliseconds(20);
    worker_ = std::make_unique<delivery::testing::WorkerRig>(h.db(), std::move(options));
  }
  std::string deliveries(const std::string& path) { return h.get(path + "/deliveries", user).at("pagination.total"); }

  HeaderList user;
  engine::testing::ModelChain chain_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<delivery::testing::WorkerRig> worker_;
};

const store::Query kBreak{store::Query::Unlisted{}, "test_break_condition",
                          "UPDATE trigger_conditions SET condition_type = 'no_such_type'"};

TEST_P(TriggerLifecycle, ATriggerThatWasResetFiresAgain) {
  const auto path = made("https://example.org/hook");
  // A row that an older program might have left: every evaluation of it is an error.
  ASSERT_TRUE(h.db().transact_blocking<bool>(store::Priority::interactive, [](store::Tx& tx) -> Result<bool> {
    auto done = tx.run(kBreak);
    if (!done) return fail(done);
    return true;
  }));
  EXPECT_EQ(
      h.patch(path + "/circuit-breaker", R"({"failure_threshold":2,"recovery_timeout_seconds":604800})", user).status,
      200);
  feedback(10);
  EXPECT_EQ(h.get(path + "/circuit-breaker", user).at("data.state"), "Closed");
  EXPECT_EQ(h.get(path + "/circuit-breaker", user).at("data.failure_count"), "1");
  feedback(10);
  const auto open = h.get(path + "/circuit-breaker", user);
  EXPECT_EQ(open.at("data.state"), "Open") << "the engine goes by the settings that were given: " << open.text;
  EXPECT_EQ(open.at("data.chains.0.chain_id"), std::to_string(kChain));
  EXPECT_EQ(open.at("data.opened_at"), to_rfc3339(chain_.blocks().back().time));
  EXPECT_THAT(h.get(path, user).at("data.last_error"), HasSubstr("no_such_type"));

  // Mended, it is still left alone.
  const auto condition = h.get(path, user).at("data.conditions.0.id");
  EXPECT_EQ(h.put(path + "/conditions/" + condition, R"({"condition_type":"score_threshold"})", user).status, 200);
  feedback(10);
  EXPECT_EQ(deliveries(path), "0");
  const auto low =
      fmt::format(R"({{"event":{{"event_type":"NewFeedback","chain_id":{},"data":{{"score":10}}}}}})", kChain);
  EXPECT_EQ(h.post(path + "/test", low, user).at("warnings.0.code"), "breaker_open");
  // Reset, it fires.
  EXPECT_EQ(h.call({"POST", path + "/circuit-breaker/reset", std::nullopt, user}).at("data.state"), "Closed");
  feedback(10);
  EXPECT_EQ(deliveries(path), "1");
  EXPECT_EQ(h.get(path + "/circuit-breaker", user).at("data.state"), "Closed");
  EXPECT_EQ(h.get(path, user).at("data.last_error"), "null");
}

// What the test says is what the engine does.
TEST_P(TriggerLifecycle, ATestPredictsTheEngine) {
  const auto path = made("https://example.org/hook");
  for (const int score : {10, 59, 60, 61}) {
    const auto before = deliveries(path);
    const auto body = fmt::format(
        R"({{"event":{{"event_type":"NewFeedback","chain_id":{},"agent_id":42,"timestamp":{},"data":{{"score":{}}}}}}})",
        kChain, to_unix_seconds(h.clock_.now()), score);
    const auto fires = h.post(path + "/test", body, user).at("data.fires");
    EXPECT_EQ(deliveries(path), before);
    feedback(score);
    EXPECT_EQ(deliveries(path) != before, fires == "true") << score;
  }
}

TEST_P(TriggerLifecycle, AFollowFiresForItsAgent) {
  const auto made_follow =
      h.post("/api/v1/agents/42/follow",
             fmt::format(
                 R"({{"chain_id":{},"actions":[{{"action_type":"rest","config":{{"url":"https://example.org/a"}}}}]}})",
                 kChain),
             user);
  ASSERT_EQ(made_follow.status, 201) << made_follow.text;
  const auto reputation = "/api/v1/triggers/" + made_follow.at("data.trigger_ids.reputation");
  feedback(99);
  EXPECT_EQ(deliveries(reputation), "1");
  EXPECT_EQ(deliveries("/api/v1/triggers/" + made_follow.at("data.trigger_ids.identity")), "0");
  EXPECT_EQ(h.put(fmt::format("/api/v1/agents/42/follow?chain_id={}", kChain), R"({"enabled":false})", user).status,
            200);
  feedback(99);
  EXPECT_EQ(deliveries(reputation), "1");
  EXPECT_EQ(h.put(fmt::format("/api/v1/agents/42/follow?chain_id={}", kChain), R"({"enabled":true})", user).status,
            200);
  feedback(99);
  EXPECT_EQ(deliveries(reputation), "2");
}

TEST_P(TriggerLifecycle, ADeadAlertIsReplayedAndATestIsSent) {
  std::atomic<bool> mended{false};
  delivery::testing::WebhookSink sink(
      [&mended](const net::HttpRequest&, int) { return delivery::testing::answer_with(mended ? 200 : 500); });
  const auto path = made(sink.url());
  feedback(10);
  start_worker();
  const auto until = [&](const std::string& state) {
    const auto id = *domain::TriggerId::parse(path.substr(path.rfind('/') + 1));
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < end) {
      const auto page = h.db().snapshot_blocking<store::DeliveryPage>(
          [id](store::Tx& tx) { return store::list_deliveries(tx, id, 1, 0); });
      if (page && !page->rows.empty() && page->rows[0].state == state) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return h.get(path + "/deliveries", user);
  };
  const auto dead = until("dead");
  ASSERT_EQ(dead.at("data.0.state"), "dead") << dead.text;
  const auto id = dead.at("data.0.id");
  EXPECT_EQ(h.get(path + "/dlq", user).at("data.0.id"), id);
  mended = true;
  EXPECT_EQ(h.call({"POST", path + "/dlq/" + id + "/replay", std::nullopt, user}).status, 202);
  const auto replayed = until("succeeded");
  ASSERT_EQ(replayed.at("data.0.state"), "succeeded") << replayed.text;
  EXPECT_EQ(replayed.at("data.0.id"), id);
  EXPECT_EQ(replayed.at("data.0.attempts.0.status"), "500");
  EXPECT_EQ(replayed.at("data.0.attempts.1.status"), "200");

  h.clock_.set(SystemClock().now());   // a test is for now, and so is the worker's clock
  const auto again = h.log_in("orbit7", gateway::testing::kPassword);
  const auto tested = h.post(path + "/test", R"({"send":true})", Harness::bearer(again));
  ASSERT_EQ(tested.status, 202) << tested.text;
  ASSERT_TRUE(sink.wait_for(3));
  const auto seen = sink.seen();
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[0].request.body, seen[1].request.body);
  EXPECT_EQ(*seen[0].request.headers.find("webhook-id"), *seen[1].request.headers.find("webhook-id"));
  EXPECT_EQ(*seen[2].request.headers.find("webhook-id"), tested.at("data.actions.0.delivery_id"));
  EXPECT_EQ(*seen[2].request.headers.find("X-AgentAuri-Test"), "true");
  EXPECT_EQ(seen[2].request.body, tested.at("data.actions.0.body")) << "what was shown is what is sent";
}

INSTANTIATE_TEST_SUITE_P(Engines, TriggerLifecycle, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::app
