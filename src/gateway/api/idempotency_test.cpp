#include "gateway/api/idempotency.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "gateway/testing/gateway_fixture.hpp"
#include "store/idempotency.hpp"

namespace agentauri::gateway {
namespace {

using testing::Answer;
using testing::Call;
using testing::Harness;
using testing::HeaderList;
using namespace std::chrono_literals;

const std::string kTriggers = "/api/v1/triggers";
const std::string kTrigger = R"({"name":"low score","registry":"reputation"})";

HeaderList with_idempotency_key(HeaderList who, std::string key) {
  who.emplace_back("Idempotency-Key", std::move(key));
  return who;
}

class Idempotency : public testing::EngineHarness {
 protected:
  HeaderList ada = h.signed_in("ada");
  HeaderList once = with_idempotency_key(ada, "one");
  std::string keys = "/api/v1/organizations/" + h.organization_id(ada) + "/api-keys";

  std::string count(const HeaderList& who) { return h.get(kTriggers, who).at("pagination.total"); }
};

TEST_P(Idempotency, TheSameRequestIsDoneOnce) {
  const auto first = h.post(kTriggers, kTrigger, once);
  ASSERT_EQ(first.status, 201) << first.text;
  EXPECT_EQ(first.header("Idempotency-Replayed"), "");
  h.clock_.advance(23h);
  once = with_idempotency_key(Harness::bearer(h.log_in("ada", testing::kPassword)), "one");   // the token had its hour
  const auto again = h.post(kTriggers, kTrigger, once);
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again.text, first.text);
  EXPECT_EQ(again.header("Idempotency-Replayed"), "true");
  EXPECT_EQ(again.header("Content-Type"), "application/json");
  EXPECT_EQ(count(once), "1");
}

TEST_P(Idempotency, OfManyAtOnceOneDoesIt) {
  const std::vector<Call> calls(20, Call{"POST", kTriggers, kTrigger, once});
  std::set<std::string> answers;
  std::size_t replayed = 0;
  for (const auto& answer : h.call_all(calls)) {
    EXPECT_EQ(answer.status, 201) << answer.text;
    answers.insert(answer.text);
    replayed += answer.header("Idempotency-Replayed") == "true" ? 1 : 0;
  }
  EXPECT_EQ(answers.size(), 1U);
  EXPECT_EQ(replayed, calls.size() - 1);
  EXPECT_EQ(count(ada), "1");
}

TEST_P(Idempotency, AKeyBelongsToOneRequestOfOnePrincipal) {
  ASSERT_EQ(h.post(kTriggers, kTrigger, once).status, 201);
  const auto other = h.post(kTriggers, R"({"name":"another","registry":"reputation"})", once);
  EXPECT_EQ(other.status, 422) << other.text;
  EXPECT_EQ(other.at("error"), "idempotency_key_reused");
  EXPECT_EQ(count(ada), "1");
  const auto eve = with_idempotency_key(h.signed_in("eve"), "one");
  const auto hers = h.post(kTriggers, kTrigger, eve);
  EXPECT_EQ(hers.status, 201);
  EXPECT_EQ(hers.header("Idempotency-Replayed"), "");
  // Of another route it is another key.
  EXPECT_EQ(h.post("/api/v1/organizations", R"({"name":"Orbit","slug":"orbit"})", once).status, 201);
}

TEST_P(Idempotency, TheSamePathInAnotherPlaceIsAnotherRequest) {
  const auto a = h.post(kTriggers, kTrigger, ada).at("data.id"), b = h.post(kTriggers, kTrigger, ada).at("data.id");
  const std::string condition = R"({"condition_type":"agent_id_equals","field":"agent_id","operator":"=","value":"7"})";
  EXPECT_EQ(h.post(kTriggers + "/" + a + "/conditions", condition, once).status, 201);
  const auto elsewhere = h.post(kTriggers + "/" + b + "/conditions", condition, once);
  EXPECT_EQ(elsewhere.status, 422) << elsewhere.text;
}

TEST_P(Idempotency, WhatWasRefusedMayBeTriedAgain) {
  const auto path = kTriggers + "/" + h.post(kTriggers, kTrigger, ada).at("data.id") + "/conditions";
  const auto refused = h.post(path, R"({"condition_type":"nonsense"})", once);
  EXPECT_EQ(refused.status, 400) << refused.text;
  const auto mended =
      h.post(path, R"({"condition_type":"agent_id_equals","field":"agent_id","operator":"=","value":"7"})", once);
  EXPECT_EQ(mended.status, 201) << mended.text;
  EXPECT_EQ(mended.header("Idempotency-Replayed"), "");
}

TEST_P(Idempotency, ASecretIsNotKept) {
  const std::string body = R"({"name":"CI","environment":"live"})";
  const auto made = h.post(keys, body, once);
  ASSERT_EQ(made.status, 201) << made.text;
  const auto again = h.post(keys, body, once);
  EXPECT_EQ(again.status, 409) << again.text;
  EXPECT_EQ(again.at("error"), "already_created");
  EXPECT_THAT(again.at("message"), ::testing::HasSubstr(made.at("data.id")));
  const store::Query kKept{"test_idempotency_kept", "SELECT body FROM idempotency_keys WHERE body IS NOT NULL"};
  EXPECT_EQ(h.db().query_blocking(kKept)->size(), 0U);
}

// A new route whose answer holds a secret must say so: what is kept is searched for what secrets look like.
TEST_P(Idempotency, NoRouteThatShowsASecretKeepsIt) {
  const std::string action =
      R"({"action_type":"rest","config":{"url":"https://example.org/hook","secret":"hunter2hunter2"}})";
  const auto trigger = h.post(kTriggers, R"({"name":"x","registry":"reputation","actions":[)" + action + "]}", once);
  ASSERT_EQ(trigger.status, 201) << trigger.text;
  const auto actions = kTriggers + "/" + trigger.at("data.id") + "/actions";
  const auto made = h.post(actions, action, once);
  ASSERT_EQ(made.status, 201) << made.text;
  EXPECT_EQ(h.post(actions + "/" + made.at("data.id") + "/rotate-secret", "{}", once).status, 200);
  const auto key = h.post(keys, R"({"name":"CI","environment":"live"})", once);
  EXPECT_EQ(h.post("/api/v1/api-keys/" + key.at("data.id") + "/rotate", "{}", once).status, 200);
  EXPECT_EQ(h.post(actions, action, once).status, 409);
  EXPECT_EQ(h.post(actions + "/" + made.at("data.id") + "/rotate-secret", "{}", once).status, 409);
  const store::Query kSecrets{"test_idempotency_secrets",
                              "SELECT body FROM idempotency_keys WHERE body LIKE '%whsec_%' OR body LIKE '%sk_live_%' "
                              "OR body LIKE '%hunter2%'"};
  EXPECT_EQ(h.db().query_blocking(kSecrets)->size(), 0U);
}

TEST_P(Idempotency, AKeyLivesForADay) {
  ASSERT_EQ(h.post(kTriggers, kTrigger, once).status, 201);
  h.clock_.advance(24h);
  const auto tomorrow = with_idempotency_key(Harness::bearer(h.log_in("ada", testing::kPassword)), "one");
  const auto again = h.post(kTriggers, kTrigger, tomorrow);
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again.header("Idempotency-Replayed"), "");
  EXPECT_EQ(count(tomorrow), "2");
  const auto gone = h.db().transact_blocking<std::int64_t>(
      store::Priority::bulk, [&](store::Tx& tx) { return store::delete_old_idempotency_keys(tx, h.clock_.now(), 10); });
  EXPECT_EQ(*gone, 1);
}

TEST_P(Idempotency, AKeyIsPrintableAndShort) {
  for (const auto& key : {std::string(), std::string(256, 'k'), std::string("caf\xc3\xa9")}) {
    const auto refused = h.post(kTriggers, kTrigger, with_idempotency_key(ada, key));
    EXPECT_EQ(refused.status, 400) << refused.text;
    EXPECT_EQ(refused.at("details.0.field"), "Idempotency-Key");
  }
  EXPECT_EQ(h.post(kTriggers, kTrigger, with_idempotency_key(ada, std::string(255, 'k'))).status, 201);
}

INSTANTIATE_TEST_SUITE_P(Engines, Idempotency, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::gateway
