#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "gateway/testing/gateway_fixture.hpp"
#include "rules/action_secrets.hpp"
#include "store/revisions.hpp"
#include "store/triggers.hpp"

namespace agentauri::gateway {
namespace {

using testing::Answer;
using testing::Call;
using testing::Harness;
using ::testing::HasSubstr;
using testing::HeaderList;
using ::testing::StartsWith;

const std::string kHook =
    R"({"action_type":"webhook","config":{"url":"https://example.org/hook","headers":{"Authorization":"Bearer s3cret"}}})";
const std::string kChat = R"({"action_type":"telegram","config":{"chat_id":"@x"}})";

class FollowsApi : public testing::EngineHarness {
 protected:
  Answer follow(const std::string& agent, const std::string& actions, const HeaderList& who,
                std::int64_t chain = 8453) {
    return h.post("/api/v1/agents/" + agent + "/follow",
                  fmt::format(R"({{"chain_id":{},"actions":[{}]}})", chain, actions), who);
  }
  Answer follow(const std::string& agent, const std::string& actions = kHook) { return follow(agent, actions, user); }
  Answer update(const std::string& agent, const std::string& body, const std::string& query = "?chain_id=8453") {
    return h.put("/api/v1/agents/" + agent + "/follow" + query, body, user);
  }
  Answer unfollow(const std::string& agent, const std::string& query = "?chain_id=8453") {
    return h.erase("/api/v1/agents/" + agent + "/follow" + query, user);
  }
  Answer following(const std::string& query = "") { return h.get("/api/v1/agents/following" + query, user); }
  Answer trigger(const std::string& id) { return h.get("/api/v1/triggers/" + id, user); }
  std::string triggers() { return h.get("/api/v1/triggers", user).at("pagination.total"); }

  // The user's own limit of writes is not the question here.
  void another_minute() { h.clock_.advance(std::chrono::seconds(61)); }

  HeaderList user = h.signed_in("orbit7");
};

TEST_P(FollowsApi, MakesOneTriggerForEachRegistry) {
  const auto made = follow("42", kHook + "," + kChat);
  ASSERT_EQ(made.status, 201) << made.text;
  EXPECT_EQ(made.at("data.agent_id"), "42");
  EXPECT_TRUE(made.find("data.agent_id")->is_int64());
  EXPECT_EQ(made.at("data.chain_id"), "8453");
  EXPECT_EQ(made.at("data.organization_id"), h.organization_id(user));
  EXPECT_EQ(made.at("data.enabled"), "true");
  EXPECT_EQ(made.at("data.registries_monitored"), "3");
  EXPECT_EQ(made.at("data.actions.0.action_type"), "rest");
  EXPECT_EQ(made.at("data.actions.0.config_preview.headers.Authorization"), "***");
  EXPECT_THAT(made.at("data.actions.0.signing_secret"), StartsWith("whsec_"));
  EXPECT_EQ(made.at("data.actions.1.action_type"), "telegram");
  EXPECT_EQ(made.find("data.actions.1.signing_secret"), nullptr);
  EXPECT_EQ(made.find("data.actions.2"), nullptr);
  std::set<domain::ActionId> rest;
  for (const std::string registry : {"identity", "reputation", "validation"}) {
    const auto one = trigger(made.at("data.trigger_ids." + registry));
    EXPECT_EQ(one.at("data.name"), "Follow Agent 42 - " + registry);
    EXPECT_EQ(one.at("data.description"), "Auto-generated trigger for following agent 42 on " + registry + " registry");
    EXPECT_EQ(one.at("data.registry"), registry);
    EXPECT_EQ(one.at("data.chain_id"), "8453");
    EXPECT_EQ(one.at("data.enabled"), "true");
    EXPECT_EQ(one.at("data.is_stateful"), "false");
    EXPECT_EQ(one.at("data.conditions.0.condition_type"), "agent_id_equals");
    EXPECT_EQ(one.at("data.conditions.0.field"), "agent_id");
    EXPECT_EQ(one.at("data.conditions.0.operator"), "=");
    EXPECT_EQ(one.at("data.conditions.0.value"), "42");
    EXPECT_EQ(one.find("data.conditions.1"), nullptr);
    EXPECT_EQ(one.at("data.actions.0.priority"), "0");
    EXPECT_EQ(one.at("data.actions.1.priority"), "1");
    EXPECT_EQ(one.at("data.actions.1.action_type"), "telegram");
    rest.insert(std::stoi(one.at("data.actions.0.id")));
  }
  // One secret, kept for each action under its own id.
  const auto keys = crypto::DataKeys::derive(testing::kJwtSecret, "");
  EXPECT_EQ(rest.size(), 3U);
  for (const auto id : rest) {
    const auto secrets = h.db().snapshot_blocking<store::SigningSecrets>(
        [id](store::Tx& tx) { return store::read_signing_secrets(tx, id); });
    EXPECT_EQ(keys.decrypt(*secrets->current, rules::signing_secret_aad(id)).value_or("?"),
              made.at("data.actions.0.signing_secret"));
  }
  // The engine has heard of all three, as they are.
  const auto revisions = *h.db().snapshot_blocking<std::vector<store::Revision>>(
      [](store::Tx& tx) { return store::read_revisions(tx, 0, 100); });
  ASSERT_EQ(revisions.size(), 3U);
  for (const auto& revision : revisions) {
    EXPECT_EQ(revision.trigger.conditions.size(), 1U);
    EXPECT_EQ(revision.trigger.actions.size(), 2U);
  }
}

TEST_P(FollowsApi, AgentIdsAreWholeNumbersOf256Bits) {
  const std::string largest = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
  const auto big = follow(largest);
  ASSERT_EQ(big.status, 201) << big.text;
  EXPECT_TRUE(big.find("data.agent_id")->is_string());
  EXPECT_EQ(big.at("data.agent_id"), largest);
  EXPECT_TRUE(follow("9007199254740991").find("data.agent_id")->is_int64());
  EXPECT_TRUE(follow("9007199254740992").find("data.agent_id")->is_string());
  EXPECT_EQ(follow("0").status, 201);
  EXPECT_EQ(follow("007").at("data.agent_id"), "7");
  EXPECT_EQ(follow("7").at("error"), "already_following");
  for (const char* bad : {"115792089237316195423570985008687907853269984665640564039457584007913129639936", "-1", "1.5",
                          "0x2a", "x", "%20"}) {
    const auto answer = follow(bad);
    EXPECT_EQ(answer.status, 404) << bad;
    EXPECT_EQ(answer.at("error"), "not_found") << bad;
  }
}

TEST_P(FollowsApi, BadOnesLeaveNothingBehind) {
  std::string eleven = kChat;
  for (int i = 0; i < 10; ++i) eleven += "," + kChat;
  const std::vector<std::tuple<std::string, std::string, std::string>> bad{
      {R"({"actions":[]})", "bad_request", "chain_id"},
      {R"({"chain_id":1})", "bad_request", "actions"},
      {R"({"chain_id":"1","actions":[]})", "bad_request", "chain_id"},
      {R"({"chain_id":1,"actions":[1]})", "bad_request", "actions[0]"},
      {R"({"chain_id":1,"actions":[{"action_type":"rest"}]})", "bad_request", "config"},
      {R"({"chain_id":1,"actions":[]})", "validation_error", "actions"},
      {R"({"chain_id":0,"actions":[)" + kChat + "]}", "validation_error", "chain_id"},
      {R"({"chain_id":1,"actions":[)" + eleven + "]}", "validation_error", "actions"},
      {R"({"chain_id":1,"actions":[{"action_type":"pigeon","config":{}}]})", "validation_error",
       "actions[0].action_type"},
      {R"({"chain_id":1,"actions":[)" + kChat + R"(,{"action_type":"rest","config":{"url":"ftp://x"}}]})",
       "validation_error", "actions[1].config.url"},
      {R"({"chain_id":1,"actions":[{"action_type":"rest","config":{"url":"https://x.example","secret":"***"}}]})",
       "validation_error", "actions[0].config.secret"},
  };
  for (const auto& [body, code, says] : bad) {
    const auto answer = h.post("/api/v1/agents/1/follow", body, user);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_EQ(answer.at("error"), code) << body << answer.text;
    EXPECT_THAT(answer.at("message"), HasSubstr(says)) << body;
  }
  EXPECT_EQ(triggers(), "0");
  EXPECT_EQ(following().at("pagination.total"), "0");
}

TEST_P(FollowsApi, OncePerAgentChainAndOrganization) {
  EXPECT_EQ(follow("42").status, 201);
  const auto again = follow("42", kChat);
  EXPECT_EQ(again.status, 409);
  EXPECT_EQ(again.at("error"), "already_following");
  EXPECT_EQ(again.at("message"), "Already following this agent. Use PUT to update.");
  EXPECT_EQ(follow("42", kHook, user, 1).status, 201);
  EXPECT_EQ(follow("42", kHook, h.signed_in("other")).status, 201);
  EXPECT_EQ(triggers(), "6");
}

TEST_P(FollowsApi, ListsInPagesWithFilters) {
  for (const char* agent : {"1", "2", "3"}) {
    h.clock_.advance(std::chrono::seconds(1));
    ASSERT_EQ(follow(agent).status, 201);
  }
  h.clock_.advance(std::chrono::seconds(1));   // lists are newest first
  ASSERT_EQ(follow("1", kChat, user, 10).status, 201);
  EXPECT_EQ(update("2", R"({"enabled":false})").at("data.enabled"), "false");
  const auto all = following();
  EXPECT_EQ(all.at("pagination.total"), "4");
  EXPECT_EQ(all.at("data.0.chain_id"), "10");
  EXPECT_EQ(all.at("data.1.agent_id"), "3");
  EXPECT_EQ(all.at("data.1.actions.0.config_preview.url"), "https://example.org/hook");
  EXPECT_EQ(all.at("data.1.actions.0.config_preview.headers.Authorization"), "***");
  EXPECT_EQ(all.find("data.1.actions.0.signing_secret"), nullptr);
  EXPECT_EQ(all.find("data.0.trigger_ids"), nullptr);
  EXPECT_EQ(following("?chain_id=10").at("pagination.total"), "1");
  EXPECT_EQ(following("?enabled=false").at("data.0.agent_id"), "2");
  EXPECT_EQ(following("?enabled=true").at("pagination.total"), "3");
  EXPECT_EQ(following("?enabled=true&chain_id=8453&limit=1&offset=1").at("data.0.agent_id"), "1");
  for (const char* bad : {"?limit=0", "?limit=101", "?offset=-1"})
    EXPECT_EQ(following(bad).at("error"), "validation_error") << bad;
  for (const char* bad : {"?enabled=1", "?chain_id=x"}) EXPECT_EQ(following(bad).at("error"), "bad_request") << bad;
}

TEST_P(FollowsApi, APutReachesAllThreeTriggers) {
  const auto made = follow("42", kHook + "," + kChat);
  const auto secret = made.at("data.actions.0.signing_secret");
  h.clock_.advance(std::chrono::seconds(3));
  const auto off = update("42", R"({"enabled":false})");
  ASSERT_EQ(off.status, 200) << off.text;
  EXPECT_EQ(off.at("data.enabled"), "false");
  EXPECT_EQ(off.find("data.trigger_ids"), nullptr);
  EXPECT_EQ(off.find("data.actions")->get_array().size(), 2U);
  EXPECT_NE(off.at("data.updated_at"), off.at("data.created_at"));
  for (const std::string registry : {"identity", "reputation", "validation"})
    EXPECT_EQ(trigger(made.at("data.trigger_ids." + registry)).at("data.enabled"), "false") << registry;

  // The secrets at its place stay: `***`, and the one that signs.
  const auto changed = update(
      "42",
      R"({"actions":[{"action_type":"rest","config":{"url":"https://example.org/new","headers":{"Authorization":"***"}}}]})");
  ASSERT_EQ(changed.status, 200) << changed.text;
  EXPECT_EQ(changed.at("data.enabled"), "false");
  EXPECT_EQ(changed.at("data.actions.0.config_preview.url"), "https://example.org/new");
  EXPECT_EQ(changed.find("data.actions.1"), nullptr);
  EXPECT_EQ(changed.find("data.actions.0.signing_secret"), nullptr);
  const auto keys = crypto::DataKeys::derive(testing::kJwtSecret, "");
  for (const std::string registry : {"identity", "reputation", "validation"}) {
    const auto one = trigger(made.at("data.trigger_ids." + registry));
    ASSERT_EQ(one.find("data.actions")->get_array().size(), 1U) << registry;
    EXPECT_EQ(one.at("data.actions.0.config.url"), "https://example.org/new");
    const auto id = static_cast<domain::ActionId>(std::stoi(one.at("data.actions.0.id")));
    const auto secrets = h.db().snapshot_blocking<store::SigningSecrets>(
        [id](store::Tx& tx) { return store::read_signing_secrets(tx, id); });
    EXPECT_EQ(keys.decrypt(*secrets->current, rules::signing_secret_aad(id)).value_or("?"), secret) << registry;
    const auto found = h.db().snapshot_blocking<std::optional<domain::Trigger>>([&](store::Tx& tx) {
      return store::find_trigger(tx, *domain::OrganizationId::parse(h.organization_id(user)),
                                 *domain::TriggerId::parse(one.at("data.id")));
    });
    const auto opened = rules::decrypt_config(json::parse((**found).actions[0].config)->get_object(), id, keys);
    ASSERT_TRUE(opened) << registry;
    EXPECT_THAT(json::dump(*opened), HasSubstr("Bearer s3cret"));
  }
  EXPECT_EQ(update("42", R"({"enabled":true})").at("data.enabled"), "true");
  EXPECT_EQ(update("42", "{}").status, 200);
  EXPECT_EQ(update("42", R"({"actions":[]})").at("error"), "validation_error");
  EXPECT_EQ(update("42", R"({"actions":[{"action_type":"pigeon","config":{}}]})").at("error"), "validation_error");
  EXPECT_EQ(update("42", "{}", "").at("error"), "bad_request");
  EXPECT_EQ(update("43", "{}").at("message"), "Not following this agent");
  EXPECT_EQ(update("42", "{}", "?chain_id=1").status, 404);
}

TEST_P(FollowsApi, UnfollowingTakesTheTriggersAlong) {
  const auto made = follow("42");
  EXPECT_EQ(unfollow("42", "?chain_id=1").at("message"), "Not following this agent");
  EXPECT_EQ(unfollow("42", "").at("error"), "bad_request");
  EXPECT_EQ(unfollow("42").status, 204);
  EXPECT_EQ(unfollow("42").status, 404);
  EXPECT_EQ(triggers(), "0");
  EXPECT_EQ(following().at("pagination.total"), "0");
  EXPECT_EQ(follow("42").status, 201);
}

// Its triggers are ordinary ones: what was done to them by hand is what the follow says.
TEST_P(FollowsApi, ATriggerThatIsChangedByHand) {
  const auto made = follow("42");
  const auto path = [&](const std::string& registry) {
    return "/api/v1/triggers/" + made.at("data.trigger_ids." + registry);
  };
  EXPECT_EQ(h.put(path("identity"), R"({"enabled":false,"name":"mine"})", user).status, 200);
  EXPECT_EQ(following().at("data.0.enabled"), "true") << "two of them still are";
  for (const char* registry : {"reputation", "validation"}) h.put(path(registry), R"({"enabled":false})", user);
  EXPECT_EQ(following().at("data.0.enabled"), "false");
  EXPECT_EQ(following("?enabled=true").at("pagination.total"), "0");
  EXPECT_EQ(h.post(path("validation") + "/actions", kChat, user).status, 201);
  EXPECT_EQ(following().at("data.0.actions.1.action_type"), "telegram") << "all that any of them does";
  EXPECT_EQ(update("42", R"({"enabled":true,"actions":[)" + kChat + "]}").find("data.actions")->get_array().size(), 1U);
  EXPECT_EQ(h.get(path("identity"), user).at("data.enabled"), "true");
  EXPECT_EQ(h.get(path("identity"), user).at("data.name"), "mine");
}

TEST_P(FollowsApi, ATriggerThatIsDeletedByHand) {
  const auto made = follow("42");
  const auto path = [&](const std::string& registry) {
    return "/api/v1/triggers/" + made.at("data.trigger_ids." + registry);
  };
  EXPECT_EQ(h.erase(path("reputation"), user).status, 204);
  EXPECT_EQ(following().at("data.0.registries_monitored"), "2");
  EXPECT_EQ(follow("42").at("error"), "already_following");
  // A PUT makes the bundle whole again, with what the others do.
  h.clock_.advance(std::chrono::seconds(1));   // so that the new trigger is the first of the list
  const auto whole = update("42", "{}");
  ASSERT_EQ(whole.status, 200) << whole.text;
  EXPECT_EQ(whole.at("data.registries_monitored"), "3");
  EXPECT_EQ(whole.find("data.actions")->get_array().size(), 1U);
  EXPECT_EQ(triggers(), "3");
  const auto remade = h.get("/api/v1/triggers", user).at("data.0.id");
  EXPECT_EQ(trigger(remade).at("data.name"), "Follow Agent 42 - reputation");
  const auto keys = crypto::DataKeys::derive(testing::kJwtSecret, "");
  const auto id = static_cast<domain::ActionId>(std::stoi(trigger(remade).at("data.actions.0.id")));
  const auto secrets = h.db().snapshot_blocking<store::SigningSecrets>(
      [id](store::Tx& tx) { return store::read_signing_secrets(tx, id); });
  EXPECT_EQ(keys.decrypt(*secrets->current, rules::signing_secret_aad(id)).value_or("?"),
            made.at("data.actions.0.signing_secret"));
  // With the last of them the follow is gone.
  for (const auto& id_of : {made.at("data.trigger_ids.identity"), made.at("data.trigger_ids.validation"), remade})
    EXPECT_EQ(h.erase("/api/v1/triggers/" + id_of, user).status, 204);
  EXPECT_EQ(following().at("pagination.total"), "0");
  EXPECT_EQ(update("42", "{}").status, 404);
  EXPECT_EQ(follow("42").status, 201);
}

// Deleted all at once, by hand and as a whole: nothing is left over, and nothing fails.
TEST_P(FollowsApi, DeletedFromAllSidesAtOnce) {
  for (int round = 0; round < 4; ++round) {
    const auto made = follow("42");
    ASSERT_EQ(made.status, 201) << made.text;
    std::vector<Call> calls;
    for (const char* registry : {"validation", "identity", "reputation"})
      calls.push_back(
          {"DELETE", "/api/v1/triggers/" + made.at("data.trigger_ids." + std::string(registry)), std::nullopt, user});
    if (round % 2 == 0) calls.push_back({"DELETE", "/api/v1/agents/42/follow?chain_id=8453", std::nullopt, user});
    for (const auto& answer : h.call_all(std::move(calls)))
      EXPECT_TRUE(answer.status == 204 || answer.status == 404) << answer.text;
    EXPECT_EQ(triggers(), "0");
    EXPECT_EQ(following().at("pagination.total"), "0");
    another_minute();
  }
}

TEST_P(FollowsApi, AtMostAHundredHoweverManyAskAtOnce) {
  int agent = 0;
  for (int minute = 0; minute < 2; ++minute) {
    for (int i = 0; i < 48; ++i) ASSERT_EQ(follow(std::to_string(++agent), kChat).status, 201) << agent;
    another_minute();
  }
  std::vector<Call> calls;
  for (int i = 0; i < 12; ++i)
    calls.push_back({"POST", fmt::format("/api/v1/agents/{}/follow", ++agent),
                     R"({"chain_id":8453,"actions":[)" + kChat + "]}", user});
  int made = 0;
  for (const auto& answer : h.call_all(std::move(calls))) {
    if (answer.status == 201) {
      ++made;
      continue;
    }
    EXPECT_EQ(answer.status, 429) << answer.text;
    EXPECT_EQ(answer.at("error"), "rate_limited");
    EXPECT_EQ(answer.at("message"), "Maximum 100 follows per organization");
    EXPECT_NE(answer.header("Retry-After"), "");
  }
  EXPECT_EQ(made, 4);
  EXPECT_EQ(following().at("pagination.total"), "100");
  EXPECT_EQ(triggers(), "300");
  another_minute();
  EXPECT_EQ(unfollow("1").status, 204);
  EXPECT_EQ(follow("1000").status, 201);
}

TEST_P(FollowsApi, TheSameAgentAtOnceIsFollowedOnce) {
  std::vector<Call> calls;
  for (int i = 0; i < 6; ++i)
    calls.push_back({"POST", "/api/v1/agents/42/follow", R"({"chain_id":1,"actions":[)" + kChat + "]}", user});
  int made = 0;
  for (const auto& answer : h.call_all(std::move(calls))) {
    if (answer.status == 201)
      ++made;
    else
      EXPECT_EQ(answer.at("error"), "already_following") << answer.text;
  }
  EXPECT_EQ(made, 1);
  EXPECT_EQ(triggers(), "3");
}

// Whoever makes triggers, by hand or by following.
TEST_P(FollowsApi, AnOrganizationHasAtMostAThousandTriggers) {
  const auto organization = *domain::OrganizationId::parse(h.organization_id(user));
  const auto account = *domain::AccountId::parse(h.user_id(user));
  const auto filled = h.db().transact_blocking<void>(store::Priority::bulk, [&](store::Tx& tx) -> Result<void> {
    for (int i = 0; i < 996; ++i) {
      domain::Trigger one;
      one.id = domain::TriggerId::make(h.clock_.now());
      one.organization_id = organization;
      one.account_id = account;
      one.name = "t";
      one.created_at = one.updated_at = h.clock_.now();
      if (auto made = store::insert_trigger(tx, one); !made) return made;
    }
    return {};
  });
  ASSERT_TRUE(filled);
  std::vector<Call> calls;
  for (int i = 0; i < 4; ++i) {
    calls.push_back(
        {"POST", fmt::format("/api/v1/agents/{}/follow", i), R"({"chain_id":1,"actions":[)" + kChat + "]}", user});
    calls.push_back({"POST", "/api/v1/triggers", R"({"name":"t","registry":"identity"})", user});
  }
  for (const auto& answer : h.call_all(std::move(calls))) {
    EXPECT_TRUE(answer.status == 201 || answer.at("message") == "An organization has at most 1000 triggers")
        << answer.text;
  }
  EXPECT_EQ(triggers(), "1000");
}

TEST_P(FollowsApi, OfOthersAndWhoMayOnlyLook) {
  ASSERT_EQ(follow("42").status, 201);
  const auto stranger = h.signed_in("stranger");
  EXPECT_EQ(h.get("/api/v1/agents/following", stranger).at("pagination.total"), "0");
  EXPECT_EQ(h.put("/api/v1/agents/42/follow?chain_id=8453", "{}", stranger).status, 404);
  EXPECT_EQ(h.erase("/api/v1/agents/42/follow?chain_id=8453", stranger).status, 404);
  const auto viewer = h.joined("viewer", "viewer", user);
  EXPECT_EQ(h.get("/api/v1/agents/following", viewer).at("pagination.total"), "1");
  EXPECT_EQ(follow("43", kHook, viewer).at("message"), "Insufficient permissions to follow agents");
  EXPECT_EQ(h.put("/api/v1/agents/42/follow?chain_id=8453", "{}", viewer).at("message"),
            "Insufficient permissions to update follow");
  EXPECT_EQ(h.erase("/api/v1/agents/42/follow?chain_id=8453", viewer).at("message"),
            "Insufficient permissions to unfollow agents");
  const auto member = h.joined("member", "member", user);
  EXPECT_EQ(follow("43", kHook, member).status, 201);
  EXPECT_EQ(h.erase("/api/v1/agents/42/follow?chain_id=8453", member).status, 204);
}

INSTANTIATE_TEST_SUITE_P(Engines, FollowsApi, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::gateway
