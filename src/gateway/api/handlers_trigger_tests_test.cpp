#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/crypto/crypto.hpp"
#include "gateway/testing/gateway_fixture.hpp"
#include "rules/circuit_breaker.hpp"
#include "rules/evaluate.hpp"
#include "rules/sample_events.hpp"
#include "store/chain_log.hpp"
#include "store/jobs.hpp"
#include "store/leases.hpp"
#include "store/trigger_state.hpp"

namespace agentauri::gateway {
namespace {

using testing::Answer;
using testing::Harness;
using ::testing::HasSubstr;
using testing::HeaderList;
using ::testing::Not;

constexpr domain::ChainId kChain = 8453;

class TriggerTests : public testing::EngineHarness {
 protected:
  std::string made(const std::string& parts, const std::string& more = "") {
    const auto answer = h.post(
        "/api/v1/triggers",
        fmt::format(R"({{"name":"Low score","registry":"reputation","chain_id":{}{},{}}})", kChain, more, parts), user);
    EXPECT_EQ(answer.status, 201) << answer.text;
    first_action = answer.at("data.actions.0.id");
    return "/api/v1/triggers/" + answer.at("data.id");
  }
  Answer test(const std::string& path, const std::string& body, const HeaderList& who) {
    return h.post(path + "/test", body, who);
  }
  Answer test(const std::string& path, const std::string& body) { return test(path, body, user); }
  template <class T>
  Result<T> tx(std::move_only_function<Result<T>(store::Tx&)> body) {
    return h.db().transact_blocking<T>(store::Priority::interactive, std::move(body));
  }
  std::vector<std::pair<store::StateRow, store::StateValue>> state() {
    return *tx<std::vector<std::pair<store::StateRow, store::StateValue>>>(
        [](store::Tx& t) { return store::dump_state(t, kChain); });
  }
  // An event in the store, of the same second as the clock. Returns its id.
  std::string stored(std::int32_t score, domain::Registry registry = domain::Registry::reputation) {
    domain::Event event;
    event.chain_id = kChain;
    event.block_num = 100;
    event.block_hash = crypto::sha256(as_bytes("block"));
    event.block_time = from_unix_seconds(to_unix_seconds(h.clock_.now()));
    event.txn_hash = crypto::sha256(as_bytes("txn"));
    event.log_index = 3;
    event.registry = registry;
    event.event_type = "NewFeedback";
    event.agent_id = Uint256(42);
    event.score = score;
    event.value = score;
    event.value_decimals = std::uint8_t{0};
    const store::BlockRow block{event.block_hash, 100, crypto::sha256(as_bytes("parent")), event.block_time,
                                h.clock_.now()};
    EXPECT_TRUE(tx<void>([&](store::Tx& t) -> Result<void> {
      auto row = store::attach_chain(t, kChain, "base", 100, 100, 1, h.clock_.now());
      if (!row) return fail(row);
      return store::append_blocks(t, kChain, 1, {{block, {event}, true}}, {{Address{}}, true}, {}, {}, h.clock_.now());
    }));
    return domain::event_id(event);
  }
  std::string deliveries(const std::string& path) { return h.get(path + "/deliveries", user).at("pagination.total"); }

  HeaderList user = h.signed_in("orbit7");
  std::string first_action;
  const std::string low =
      R"("conditions":[{"condition_type":"score_threshold","field":"score","operator":"<","value":"60"}])";
  const std::string hook =
      R"("actions":[{"action_type":"rest","config":{"url":"https://example.org/{{agent_id}}","headers":{"Authorization":"Bearer s3cret","X-Score":"{{score}}"},"body":{"score":"{{score}}","chain":"{{chain_name}}","api_key":"k3y","trigger":"{{trigger_name}}"}}}])";
};

TEST_P(TriggerTests, ASampleIsEvaluatedAndShown) {
  const auto path = made(low + "," + hook);
  const auto answer = h.call({"POST", path + "/test", std::nullopt, user});
  ASSERT_EQ(answer.status, 200) << answer.text;
  EXPECT_EQ(answer.at("data.fires"), "true");
  EXPECT_EQ(answer.at("data.selected"), "true");
  EXPECT_EQ(answer.at("data.decision"), "match");
  EXPECT_EQ(answer.at("data.source"), "sample");
  EXPECT_EQ(answer.at("data.event.event_type"), "NewFeedback");
  EXPECT_EQ(answer.at("data.event.chain_id"), std::to_string(kChain));
  EXPECT_EQ(answer.at("data.explanation.steps.0.result"), "passed");
  EXPECT_THAT(answer.at("data.explanation.steps.0.text"), HasSubstr("45"));
  EXPECT_EQ(answer.at("data.actions.0.method"), "POST");
  EXPECT_EQ(answer.at("data.actions.0.url"), "https://example.org/42");
  EXPECT_EQ(answer.at("data.actions.0.headers.Authorization"), "***");
  EXPECT_EQ(answer.at("data.actions.0.headers.X-Score"), "45");
  EXPECT_EQ(answer.at("data.actions.0.headers.X-AgentAuri-Test"), "true");
  EXPECT_EQ(answer.at("data.actions.0.body"),
            R"({"score":45,"chain":"chain 8453","api_key":"***","trigger":"Low score"})");
  EXPECT_EQ(answer.at("data.actions.0.error"), "null");
  EXPECT_EQ(answer.at("data.actions.0.delivery_id"), "null");
  EXPECT_THAT(answer.text, Not(HasSubstr("s3cret")));
  EXPECT_THAT(answer.text, Not(HasSubstr("k3y")));
  EXPECT_EQ(deliveries(path), "0") << "sent only when asked";
}

TEST_P(TriggerTests, EveryTypeHasASample) {
  const auto path = made(hook);
  for (const char* type :
       {"Registered", "MetadataSet", "URIUpdated", "Transfer", "Approval", "ApprovalForAll", "NewFeedback",
        "FeedbackRevoked", "ResponseAppended", "ValidationRequest", "ValidationResponse", "FeedbackSubmitted"}) {
    h.clock_.advance(std::chrono::minutes(2));
    const auto answer = test(path, fmt::format(R"({{"sample":"{}"}})", type));
    EXPECT_EQ(answer.status, 200) << answer.text;
    EXPECT_EQ(answer.at("data.decision"), "match") << type;
  }
  const auto unknown = test(path, R"({"sample":"NoSuchEvent"})");
  EXPECT_EQ(unknown.at("error"), "validation_error");
  EXPECT_THAT(unknown.at("message"), HasSubstr("NewFeedback"));
}

TEST_P(TriggerTests, AnEventOfOnesOwn) {
  const auto path = made(low + "," + hook);
  const auto miss = test(
      path,
      R"({"event":{"event_type":"NewFeedback","agent_id":"115792089237316195423570985008687907853269984665640564039457584007913129639935","data":{"score":61,"tag1":"x","client_address":"0xABCDEF0000000000000000000000000000000001","value":"61.50","value_decimals":3}}})");
  ASSERT_EQ(miss.status, 200) << miss.text;
  EXPECT_EQ(miss.at("data.source"), "event");
  EXPECT_EQ(miss.at("data.fires"), "false");
  EXPECT_EQ(miss.at("data.decision"), "no_match");
  EXPECT_EQ(miss.at("data.explanation.steps.0.result"), "failed");
  EXPECT_EQ(miss.at("data.event.data.client_address"), "0xabcdef0000000000000000000000000000000001");
  EXPECT_EQ(miss.at("data.event.data.value"), "61.500");
  EXPECT_THAT(miss.at("data.event.agent_id"), HasSubstr("639935"));
  // What the API shows of an event can be given back as it is.
  const auto again = test(path, R"({"event":)" + miss.at("data.event") + "}");
  ASSERT_EQ(again.status, 200) << again.text;
  EXPECT_EQ(again.at("data.event"), miss.at("data.event"));
}

TEST_P(TriggerTests, BadOrdersAreToldByName) {
  const auto path = made(hook);
  const std::vector<std::pair<std::string, std::string>> bad{
      {R"({"event":[]})", "event"},
      {R"({"event":{}})", "event.missing field `event_type`"},
      {R"({"event":{"event_type":5}})", "event_type"},
      {R"({"event":{"event_type":")" + std::string(101, 'X') + "\"}}", "event_type"},
      {R"({"event":{"event_type":"X","registry":"no"}})", "registry"},
      {R"({"event":{"event_type":"X","chain_id":0}})", "chain_id"},
      {R"({"event":{"event_type":"X","agent_id":-1}})", "agent_id"},
      {R"({"event":{"event_type":"X","agent_id":"x"}})", "agent_id"},
      {R"({"event":{"event_type":"X","tx_hash":"0x12"}})", "tx_hash"},
      {R"({"event":{"event_type":"X","timestamp":253402300800}})", "timestamp"},
      {R"({"event":{"event_type":"X","data":{"score":"5"}}})", "event.data.field `score`"},
      {R"({"event":{"event_type":"X","data":{"value":"1.25","value_decimals":1}}})", "value"},
      {R"({"event":{"event_type":"X","data":{"feedback_index":"18446744073709551616"}}})", "feedback_index"},
      {R"({"send":"yes"})", "send"},
      {R"({"event_id":7})", "event_id"},
  };
  for (const auto& [body, says] : bad) {
    const auto answer = test(path, body);
    EXPECT_EQ(answer.status, 400) << body << answer.text;
    EXPECT_EQ(answer.at("error"), "bad_request") << body;
    EXPECT_THAT(answer.at("message"), HasSubstr(says)) << body;
  }
  EXPECT_EQ(test(path, R"({"sample":"Transfer","event_id":"x"})").at("details.0.code"), "exclusive");
  EXPECT_EQ(test(path, R"({"event_id":"reputation-1-0x00-1"})").at("message"), "Event not found");
  EXPECT_EQ(test(path, R"({"action_id":2147483647})").at("message"), "Action not found");
}

TEST_P(TriggerTests, AStoredEventAndWhyItWouldNotHaveBeenLookedAt) {
  const auto path = made(low + "," + hook);
  const auto event = stored(31);
  const auto body = fmt::format(R"({{"event_id":"{}"}})", event);
  const auto answer = test(path, body);
  ASSERT_EQ(answer.status, 200) << answer.text;
  EXPECT_EQ(answer.at("data.source"), "stored");
  EXPECT_EQ(answer.at("data.event.id"), event);
  EXPECT_EQ(answer.at("data.fires"), "true");
  EXPECT_EQ(h.put(path, R"({"enabled":false,"chain_id":1})", user).status, 200);
  const auto unselected = test(path, body);
  EXPECT_EQ(unselected.at("data.decision"), "match");
  EXPECT_EQ(unselected.at("data.selected"), "false");
  EXPECT_EQ(unselected.at("data.fires"), "false");
  EXPECT_EQ(unselected.at("warnings.0.code"), "trigger_disabled");
  EXPECT_EQ(unselected.at("warnings.1.code"), "other_chain");
  h.clock_.advance(std::chrono::seconds(5));
  const auto younger = made(low + "," + hook, R"(,"enabled":true)");
  EXPECT_EQ(test(younger, body).at("warnings.0.code"), "before_creation");
  EXPECT_EQ(test(younger, R"({"sample":"Transfer"})").at("warnings.0.code"), "other_registry");
}

// From the state as it is, and it stays as it is.
TEST_P(TriggerTests, StateIsReadAndNeverWritten) {
  const auto path = made(
      R"("conditions":[{"condition_type":"rate_limit","field":"count","operator":">=","value":"3","config":{"time_window":"1h"}}],)" +
          hook,
      R"(,"is_stateful":true)");
  const auto first = test(path, R"({"sample":"NewFeedback"})");
  ASSERT_EQ(first.status, 200) << first.text;
  EXPECT_EQ(first.at("data.decision"), "no_match") << first.text;
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(test(path, R"({"sample":"NewFeedback","send":true})").at("data.decision"), "no_match") << i;
  EXPECT_TRUE(state().empty());
  const auto trigger = *domain::TriggerId::parse(path.substr(path.rfind('/') + 1));
  const auto condition = std::stoll(h.get(path, user).at("data.conditions.0.id"));
  // Two have been seen.
  const auto compiled = rules::compile_condition({.id = condition,
                                                  .condition_type = "rate_limit",
                                                  .field = "count",
                                                  .op = ">=",
                                                  .value = "3",
                                                  .config = R"({"time_window":"1h"})"},
                                                 true);
  ASSERT_TRUE(compiled) << compiled.error().text;
  std::optional<std::string> seen;
  for (int i = 0; i < 2; ++i) {
    rules::CompiledTrigger two;
    two.conditions = {*compiled};
    const auto evaluated = rules::evaluate(*rules::sample_event("NewFeedback", kChain, h.clock_.now()), two,
                                           [&seen](const rules::StateKey&) { return seen; });
    seen = evaluated.changes.at(0).after;
  }
  ASSERT_TRUE(tx<void>([&](store::Tx& t) {
    return store::write_states(t, {{{trigger, condition, 1, kChain, ""}, store::StateValue{*seen, 1}}});
  }));
  const auto before = state();
  const auto answer = test(path, R"({"sample":"NewFeedback"})");
  EXPECT_EQ(answer.at("data.decision"), "match") << answer.text;
  EXPECT_EQ(test(path, R"({"sample":"NewFeedback","send":true})").at("data.decision"), "match");
  EXPECT_EQ(state(), before);
}

TEST_P(TriggerTests, AnOpenBreakerIsSaid) {
  const auto path = made(low + "," + hook);
  rules::BreakerState open;
  open.phase = rules::BreakerState::Phase::open;
  open.opened_at = h.clock_.now();
  ASSERT_TRUE(tx<void>([&](store::Tx& t) {
    return store::write_states(t, {{{*domain::TriggerId::parse(path.substr(path.rfind('/') + 1)), 0, 1, kChain, ""},
                                    store::StateValue{*rules::breaker_text(open), 1}}});
  }));
  const auto answer = test(path, "{}");
  EXPECT_EQ(answer.at("data.decision"), "match");
  EXPECT_EQ(answer.at("data.fires"), "false");
  EXPECT_EQ(answer.at("warnings.0.code"), "breaker_open");
}

TEST_P(TriggerTests, SendMakesOneDeliveryOfItsOwnKindForEachAction) {
  const auto path = made(low + R"(,"actions":[{"action_type":"rest","config":{"url":"https://example.org/a"}},
                                             {"action_type":"rest","config":{"url":"https://example.org/b"}}])");
  const auto event = stored(90);   // which does not match: whoever asks to send gets it sent
  const auto body = fmt::format(R"({{"event_id":"{}","send":true}})", event);
  const auto answer = test(path, body);
  ASSERT_EQ(answer.status, 202) << answer.text;
  EXPECT_EQ(answer.at("data.fires"), "false");
  EXPECT_THAT(answer.at("data.actions.0.body"), HasSubstr(R"("test":true)"));
  EXPECT_NE(answer.at("data.actions.0.delivery_id"), answer.at("data.actions.1.delivery_id"));
  const auto again = test(path, body);
  EXPECT_NE(again.at("data.actions.0.delivery_id"), answer.at("data.actions.0.delivery_id"));
  const auto listed = h.get(path + "/deliveries", user);
  EXPECT_EQ(listed.at("pagination.total"), "4");
  EXPECT_EQ(listed.at("data.0.kind"), "test");
  EXPECT_EQ(listed.at("data.0.state"), "pending");
  EXPECT_EQ(listed.at("data.0.event_id"), event);
  EXPECT_EQ(listed.at("data.0.explanation.decision"), "no_match");
  const auto only = test(path, fmt::format(R"({{"send":true,"action_id":{}}})", first_action));
  EXPECT_EQ(only.find("data.actions")->get_array().size(), 1U);
  EXPECT_EQ(deliveries(path), "5");
  EXPECT_THAT(h.metrics_.expose(), HasSubstr("test_deliveries_total 5"));
}

const store::Query kDisable{store::Query::Unlisted{}, "test_disable_actions",
                            "UPDATE trigger_actions SET disabled_reason = '410'"};

TEST_P(TriggerTests, WhatCannotBeSentSaysWhy) {
  const auto path = made(low + "," + hook);
  ASSERT_TRUE(tx<bool>([](store::Tx& t) -> Result<bool> {
    auto done = t.run(kDisable);
    if (!done) return fail(done);
    return true;
  }));
  const auto answer = test(path, R"({"send":true})");
  EXPECT_EQ(answer.status, 202);
  EXPECT_EQ(answer.at("data.actions.0.error"), "the action is disabled: 410");
  EXPECT_EQ(answer.at("data.actions.0.delivery_id"), "null");
  EXPECT_EQ(deliveries(path), "0");
}

// A dead test is no dead letter: it is made anew instead.
TEST_P(TriggerTests, ADeadTestIsNoDeadLetter) {
  const auto path = made(low + "," + hook);
  const auto id = test(path, R"({"send":true})").at("data.actions.0.delivery_id");
  const auto worker = domain::InstanceId::make(h.clock_.now());
  ASSERT_TRUE(tx<std::int64_t>([&](store::Tx& t) -> Result<std::int64_t> {
    if (auto added = store::register_instance(t, worker, store::this_process(), "worker"); !added) return fail(added);
    auto claim = store::claim_batch(t, worker, 1, {}, h.clock_.now());
    if (!claim) return fail(claim);
    store::AttemptResult result;
    result.job = claim->jobs.at(0).id;
    result.lease_epoch = claim->jobs[0].lease_epoch;
    result.outcome = domain::Outcome::http;
    result.next = domain::JobState::dead;
    return store::finish_attempts(t, {result}, h.clock_.now());
  }));
  EXPECT_EQ(h.get(path + "/deliveries", user).at("data.0.state"), "dead");
  EXPECT_EQ(h.get(path + "/dlq", user).at("pagination.total"), "0");
  EXPECT_EQ(h.call({"POST", path + "/dlq/" + id + "/replay", std::nullopt, user}).status, 404);
  EXPECT_EQ(h.call({"POST", path + "/dlq/replay", std::nullopt, user}).at("data.replayed"), "[]");
}

TEST_P(TriggerTests, TelegramAndMcpAreShownToo) {
  const auto path = made(
      R"("actions":[{"action_type":"telegram","config":{"chat_id":"@x","message_template":"score {{score}}.","parse_mode":"none","bot_token":"t0ken"}},
                    {"action_type":"mcp","config":{"server_url":"https://mcp.example.org/","tool_name":"alert","arguments_template":{"agent":"{{agent_id}}"},"auth_token":"t0ken"}}])");
  const auto answer = test(path, "{}");
  ASSERT_EQ(answer.status, 200) << answer.text;
  EXPECT_EQ(answer.at("data.actions.0.body"), "score 45.");
  EXPECT_EQ(answer.at("data.actions.1.url"), "https://mcp.example.org/");
  EXPECT_EQ(answer.at("data.actions.1.body"), R"({"agent":42})");
  EXPECT_THAT(answer.text, Not(HasSubstr("t0ken")));
}

TEST_P(TriggerTests, TestsCountAsChangesOfTheOrganization) {
  const auto path = made(low + "," + hook);
  EXPECT_EQ(test(path, "{}").header("X-RateLimit-Limit"), "60") << "the user's own limit is the nearer";
  int passed = 2;
  for (int minute = 0; minute < 6; ++minute) {
    while (test(path, "{}").status == 200) ++passed;
    h.clock_.advance(std::chrono::seconds(61));
  }
  EXPECT_EQ(passed, 300);
  const auto refused = test(path, "{}");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.at("error"), "rate_limited");
  EXPECT_EQ(refused.header("X-RateLimit-Limit"), "300");
  EXPECT_EQ(h.put(path, "{}", user).status, 429);
}

TEST_P(TriggerTests, OfOthersAndWhoMayOnlyLook) {
  const auto path = made(low + "," + hook);
  EXPECT_EQ(test(path, "{}", h.signed_in("stranger")).at("message"), "Trigger not found");
  EXPECT_EQ(test(path, "{}", h.joined("viewer", "viewer", user)).at("message"),
            "Insufficient permissions to test triggers");
  EXPECT_EQ(test(path, "{}", h.joined("member", "member", user)).status, 200);
}

INSTANTIATE_TEST_SUITE_P(Engines, TriggerTests, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::gateway
