// API keys as credentials: what opens with them, what is written of it, and how soon a revoked one is refused.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/async/task.hpp"
#include "gateway/auth/api_key.hpp"
#include "gateway/auth/key_trail.hpp"
#include "gateway/housekeeping.hpp"
#include "gateway/testing/gateway_fixture.hpp"

namespace agentauri::gateway {
namespace {

using testing::Answer;
using testing::Call;
using testing::Harness;
using ::testing::HasSubstr;
using testing::HeaderList;
using namespace std::chrono_literals;

const std::string kKeys = "/api/v1/api-keys";
const std::string kTriggers = "/api/v1/triggers";
const std::string kNewTrigger = R"({"name":"t","registry":"identity"})";

const store::Query kTrail{"test_key_trail",
                          "SELECT event_type, details, ip, endpoint, actor_id FROM api_key_audit WHERE event_type IN "
                          "('used', 'auth_failed') ORDER BY created_at, id"};
const store::Query kFailures{
    "test_auth_failures",
    "SELECT failure_type, key_prefix, details, ip, endpoint FROM auth_failures ORDER BY created_at, id"};
const store::Query kDeactivate{"test_deactivate", "UPDATE accounts SET is_active = :no WHERE username = :name"};
const store::Query kSetPlan{"test_set_plan", "UPDATE organizations SET plan = :plan"};

class KeyAuthentication : public testing::EngineHarness {
 protected:
  HeaderList owner = h.signed_in("ada");
  std::string organization = h.organization_id(owner);

  Answer made(const std::string& permissions, const std::string& more = "") {
    const auto answer =
        h.post(kKeys + "?organization_id=" + organization,
               fmt::format(R"({{"name":"k","environment":"live","permissions":{}{}}})", permissions, more), owner);
    EXPECT_EQ(answer.status, 201) << answer.text;
    return answer;
  }
  HeaderList key(const std::string& permissions, const std::string& more = "") {
    return Harness::with_key(made(permissions, more).at("data.key"));
  }
  void write(const store::Query& query, store::Params params) {
    auto done = h.db().transact_blocking<void>(store::Priority::interactive, [&](store::Tx& tx) -> Result<void> {
      auto row = tx.run(query, params);
      return row ? Result<void>() : Result<void>(std::unexpected(row.error()));
    });
    ASSERT_TRUE(done) << done.error().text;
  }
  // The gateway's own work, until `done` or the end of patience.
  void run_until(const std::function<bool()>& done) {
    run_blocking([&]() -> Task<void> {
      TaskGroup group(co_await this_executor());
      group.spawn("run", [this]() -> Task<void> { co_await h.gateway_->run(); });
      const auto started = std::chrono::steady_clock::now();
      while (!done() && std::chrono::steady_clock::now() - started < 20s) co_await sleep_for(20ms);
      group.cancel();
      co_await group.wait();
    });
  }
};

TEST_P(KeyAuthentication, EverySpellingOpens) {
  const auto created = made(R"(["read"])");
  const std::string text = created.at("data.key");
  for (const HeaderList& headers : {HeaderList{{"X-API-Key", text}}, HeaderList{{"Authorization", text}},
                                    HeaderList{{"Authorization", "Bearer " + text}}})
    EXPECT_EQ(h.get(kTriggers, headers).status, 200) << headers[0].first;
  // What is presented and wrong fails, whatever comes after it.
  EXPECT_EQ(h.get(kTriggers, {{"Authorization", "Bearer x"}, {"X-API-Key", text}}).at("error"), "token_invalid");
  EXPECT_EQ(h.get(kTriggers, {{"X-API-Key", "x"}, {"Cookie", "auth-token=x"}}).at("error"), "api_key_invalid");
}

TEST_P(KeyAuthentication, WhatIsNotAGoodKeyIsRefusedAlike) {
  const auto created = made(R"(["read"])", R"(,"expires_at":"2026-01-01T00:11:00Z")");
  const std::string text = created.at("data.key");
  std::string mistyped = text;
  mistyped[30] = mistyped[30] == 'A' ? 'B' : 'A';
  const auto unknown = make_api_key(KeyEnvironment::live);
  const auto refused = [&](const std::string& what) {
    const auto answer = h.get(kTriggers, Harness::with_key(what));
    EXPECT_EQ(answer.status, 401) << answer.text;
    EXPECT_EQ(answer.at("error"), "api_key_invalid");
    EXPECT_EQ(answer.at("message"), "Invalid or expired API key");
  };
  refused(mistyped);
  refused(unknown);
  refused("\x01\xff");
  EXPECT_EQ(h.get(kTriggers, Harness::with_key(text)).status, 200);
  h.clock_.set(*parse_rfc3339("2026-01-01T00:11:00Z"));
  EXPECT_EQ(h.get(kTriggers, Harness::with_key(text)).status, 200) << "until then, inclusive";
  h.clock_.advance(1us);
  refused(text);
  // A new expiry counts at once.
  h.clock_.advance(1s);
  EXPECT_EQ(h.patch(kKeys + "/" + created.at("data.id"), R"({"expires_at":"2027-01-01T00:00:00Z"})", owner).status,
            200);
  EXPECT_EQ(h.get(kTriggers, Harness::with_key(text)).status, 200);
  EXPECT_EQ(h.erase(kKeys + "/" + created.at("data.id"), owner).status, 200);
  refused(text);

  run_until([&] { return h.db().query_blocking(kTrail)->size() >= 5; });
  const auto trail = *h.db().query_blocking(kTrail);
  ASSERT_EQ(trail.size(), 5U);
  const std::vector<std::string> events{"used", "used", "auth_failed", "used", "auth_failed"};
  for (std::size_t i = 0; i < events.size(); ++i) EXPECT_EQ(trail.text(i, 0), events[i]) << i;
  EXPECT_THAT(trail.text(0, 1), ::testing::MatchesRegex(R"(\{"request_id":"[0-9a-f-]{36}"\})"));
  EXPECT_THAT(trail.text(2, 1), ::testing::StartsWith(R"({"reason":"key_expired","request_id":")"));
  EXPECT_THAT(trail.text(4, 1), ::testing::StartsWith(R"({"reason":"key_revoked","request_id":")"));
  EXPECT_EQ(trail.text(0, 2), "203.0.113.7");
  EXPECT_EQ(trail.text(0, 3), kTriggers);
  EXPECT_TRUE(trail.is_null(0, 4));
  const auto failures = *h.db().query_blocking(kFailures);
  ASSERT_EQ(failures.size(), 3U);
  EXPECT_EQ(failures.text(0, 0), "invalid_format");
  EXPECT_EQ(failures.text(0, 1), mistyped.substr(0, 16));
  EXPECT_THAT(failures.text(0, 2), ::testing::StartsWith(R"({"key_length":51,"request_id":")"));
  EXPECT_EQ(failures.text(1, 0), "invalid_key");
  EXPECT_THAT(failures.text(1, 2), ::testing::MatchesRegex(R"(\{"request_id":"[0-9a-f-]{36}"\})"));
  EXPECT_EQ(failures.text(2, 1), "??");
  EXPECT_EQ(failures.text(2, 4), kTriggers);
}

TEST_P(KeyAuthentication, UsesAreNotedWithTheKey) {
  const auto created = made(R"(["read"])");
  const std::string where = kKeys + "/" + created.at("data.id");
  ASSERT_EQ(h.call({"GET", kTriggers, std::nullopt, Harness::with_key(created.at("data.key")), "203.0.113.8"}).status,
            200);
  run_until([&] { return h.db().query_blocking(kTrail)->size() == 1; });
  EXPECT_EQ(h.get(where, owner).at("data.last_used_at"), "2026-01-01T00:10:12.345678Z");
  const auto stats = h.get("/api/v1/organizations/" + organization + "/api-keys/stats", owner);
  EXPECT_EQ(stats.at("data.api_calls_total"), "1");
  EXPECT_EQ(stats.at("data.calls_24h"), "1");
  EXPECT_EQ(stats.at("data.unused_keys"), "0");
}

TEST_P(KeyAuthentication, TheMethodNeedsItsPermission) {
  const auto reads = key(R"(["read"])"), writes = key(R"(["write"])"), deletes = key(R"(["delete"])"),
             all = key(R"(["admin"])");
  const auto status = [&](const HeaderList& who, const std::string& method) {
    Call call{method, kTriggers, std::nullopt, who, "203.0.113.7"};
    if (method == "POST") call.body = kNewTrigger;
    if (method == "DELETE") call.target += "/" + organization;   // no trigger has this id
    const auto answer = h.call(call);
    if (answer.status == 403) EXPECT_EQ(answer.at("message"), "Insufficient permissions");
    return answer.status;
  };
  for (const std::string method : {"GET", "HEAD"}) {
    EXPECT_EQ(status(reads, method), 200);
    EXPECT_EQ(status(writes, method), 403);
    EXPECT_EQ(status(deletes, method), 403);
    EXPECT_EQ(status(all, method), 200);
  }
  EXPECT_EQ(status(reads, "POST"), 403);
  EXPECT_EQ(status(writes, "POST"), 201);
  EXPECT_EQ(status(deletes, "POST"), 403);
  EXPECT_EQ(status(all, "POST"), 201);
  EXPECT_EQ(status(reads, "DELETE"), 403);
  EXPECT_EQ(status(writes, "DELETE"), 403);
  EXPECT_EQ(status(deletes, "DELETE"), 404);
  EXPECT_EQ(status(all, "DELETE"), 404);
  // A method is no role: with `read` and `write` alone, what admins do is closed.
  const std::string path = "/api/v1/organizations/" + organization;
  EXPECT_EQ(h.put(path, "{}", writes).at("message"), "Insufficient permissions");
  EXPECT_EQ(h.put(path, "{}", all).status, 200);
  EXPECT_EQ(h.erase(path, all).at("message"), "Only the owner can delete an organization");
  EXPECT_EQ(h.post(path + "/transfer", fmt::format(R"({{"new_owner_id":"{}"}})", h.user_id(owner)), all).at("message"),
            "Only the owner can transfer ownership");
  EXPECT_EQ(h.put(path + "/members/x", R"({"role":"viewer"})", writes).at("message"),
            "Only the owner can update member roles");
  EXPECT_EQ(h.post("/api/v1/auth/logout", "{}", reads).status, 200) << "it needs no credential at all";
  EXPECT_EQ(h.get("/api/v1/auth/me", all).at("message"), "Authentication required");
  EXPECT_EQ(h.post("/api/v1/organizations", R"({"name":"x","slug":"x"})", all).at("message"),
            "Authentication required");
}

TEST_P(KeyAuthentication, AKeyWithDeleteRevokesKeysAndChangesNothingElse) {
  const auto victim = made(R"(["read"])").at("data.id");
  const auto deletes = key(R"(["delete"])"), writes = key(R"(["read","write"])");
  EXPECT_EQ(h.erase(kKeys + "/" + victim, writes).at("message"), "Insufficient permissions");
  EXPECT_EQ(h.erase("/api/v1/organizations/" + organization + "/members/x", deletes).at("message"),
            "Insufficient permissions");
  EXPECT_EQ(h.erase(kKeys + "/" + victim, deletes).status, 200);
}

TEST_P(KeyAuthentication, AKeyActsInItsOrganizationAsItsCreator) {
  const auto writes = key(R"(["read","write"])");
  const auto other = h.signed_in("grace");
  const std::string foreign = h.organization_id(other);
  const auto created = h.post(kTriggers, kNewTrigger, writes);
  ASSERT_EQ(created.status, 201) << created.text;
  EXPECT_EQ(created.at("data.organization_id"), organization);
  EXPECT_EQ(created.at("data.user_id"), h.user_id(owner));
  const auto with = [&](HeaderList who, const std::string& id) {
    who.emplace_back("X-Organization-ID", id);
    return who;
  };
  EXPECT_EQ(h.get(kTriggers, with(writes, organization)).status, 200);
  for (const auto& id : {foreign, std::string("nonsense")}) {
    for (const auto& answer : {h.get(kTriggers, with(writes, id)), h.post(kTriggers, kNewTrigger, with(writes, id)),
                               h.get("/api/v1/organizations/" + organization, with(writes, id))}) {
      EXPECT_EQ(answer.status, 403);
      EXPECT_EQ(answer.at("message"), "Not a member of the specified organization");
    }
  }
  EXPECT_EQ(h.get("/api/v1/organizations/" + foreign, writes).at("message"), "Organization not found");
  EXPECT_EQ(h.get(kKeys + "?organization_id=" + foreign, writes).at("message"), "Organization not found");
  EXPECT_EQ(h.get("/api/v1/organizations/" + organization, writes).at("data.my_role"), "member");
  // Its creator may own others: the key sees one.
  ASSERT_EQ(h.post("/api/v1/organizations", R"({"name":"x","slug":"x"})", owner).status, 201);
  const auto list = h.get("/api/v1/organizations", writes);
  EXPECT_EQ(list.at("pagination.total"), "1");
  EXPECT_EQ(list.at("data.0.id"), organization);
  EXPECT_EQ(h.get("/api/v1/organizations?offset=1", writes).at("data"), "[]");
  // It is nobody: no row of the list of members is its own.
  EXPECT_EQ(h.get("/api/v1/organizations/" + organization + "/members", writes).at("data.0.email"), "a***@e***.org");
  write(kDeactivate, store::Params().boolean("no", false).text("name", "ada"));
  EXPECT_EQ(testing::call_gateway(*h.another(), {"GET", kTriggers, std::nullopt, writes, "203.0.113.7"}).status, 401);
}

TEST_P(KeyAuthentication, LimitsAreThePlansOrTheKeysOwn) {
  const auto one = key(R"(["read"])"), two = key(R"(["read"])"),
             own = key(R"(["read"])", R"(,"rate_limit_override":3)");
  const auto first = h.get(kTriggers, one);
  EXPECT_EQ(first.header("X-RateLimit-Limit"), "50");
  EXPECT_EQ(first.header("X-RateLimit-Window"), "3600");
  EXPECT_THAT(first.header("RateLimit-Policy"), HasSubstr("\"plan\";q=50;w=3600"));
  for (int i = 0; i < 49; ++i) ASSERT_EQ(h.get(kTriggers, i % 2 == 0 ? one : two).status, 200) << i;
  const auto refused = h.get(kTriggers, two);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.at("error"), "rate_limited");
  EXPECT_FALSE(refused.header("Retry-After").empty());
  EXPECT_EQ(h.get(kTriggers, owner).status, 200) << "sessions never draw on plans";
  for (int i = 0; i < 3; ++i) EXPECT_EQ(h.get(kTriggers, own).header("X-RateLimit-Limit"), "3");
  EXPECT_EQ(h.get(kTriggers, own).status, 429);
  // Another plan, in a process that has not met the key before.
  for (const auto& [plan, limit] :
       std::vector<std::pair<std::string, std::string>>{{"starter", "100"}, {"pro", "500"}, {"enterprise", "2000"}}) {
    write(kSetPlan, store::Params().text("plan", plan));
    const auto answer = testing::call_gateway(*h.another(), {"GET", kTriggers, std::nullopt, one, "203.0.113.7"});
    EXPECT_EQ(answer.header("X-RateLimit-Limit"), limit);
  }
}

TEST_P(KeyAuthentication, ARevokedKeyIsRefusedByOtherGatewaysWithinASecond) {
  const auto created = made(R"(["read"])", R"(,"rate_limit_override":100000)");
  const auto deletes = key(R"(["delete"])");
  const auto other = h.another();
  run_blocking([&]() -> Task<void> {
    TaskGroup group(co_await this_executor());
    group.spawn("run", [&]() -> Task<void> { co_await other->run(); });
    const Call read{"GET", kTriggers, std::nullopt, Harness::with_key(created.at("data.key")), "203.0.113.7"};
    for (int i = 0; i < 10; ++i) {   // the poller follows by now, so that the key is answered from the cache
      auto before = co_await other->handle(testing::make_request(read));
      EXPECT_EQ(before.status, 200);
      co_await sleep_for(10ms);
    }
    auto revoked = co_await h.gateway_->handle(
        testing::make_request({"DELETE", kKeys + "/" + created.at("data.id"), std::nullopt, deletes, "203.0.113.7"}));
    EXPECT_EQ(revoked.status, 200);
    auto here = co_await h.gateway_->handle(testing::make_request(read));
    EXPECT_EQ(here.status, 401) << "where it was revoked it is void at once";
    const auto started = std::chrono::steady_clock::now();
    int status = 200;
    while (status == 200 && std::chrono::steady_clock::now() - started < 5s) {
      co_await sleep_for(10ms);
      auto answer = co_await other->handle(testing::make_request(read));
      status = answer.status;
    }
    EXPECT_EQ(status, 401);
    EXPECT_LT(std::chrono::steady_clock::now() - started, 1100ms);
    group.cancel();
    co_await group.wait();
  });
}

TEST_P(KeyAuthentication, TheKeysOfADeletedOrganizationEndWithIt) {
  const auto acme = h.post("/api/v1/organizations", R"({"name":"x","slug":"x"})", owner).at("data.id");
  const auto created = h.post("/api/v1/organizations/" + acme + "/api-keys",
                              R"({"name":"k","environment":"live","permissions":["admin"]})", owner);
  const auto keys = Harness::with_key(created.at("data.key"));
  ASSERT_EQ(h.get(kTriggers, keys).status, 200);
  ASSERT_EQ(h.erase("/api/v1/organizations/" + acme, owner).status, 204);
  EXPECT_EQ(h.get(kTriggers, keys).at("error"), "api_key_invalid");
}

TEST_P(KeyAuthentication, AMalformedKeyNeverReachesTheStore) {
  const auto good = key(R"(["read"])");
  h.db().stop();
  EXPECT_EQ(h.get(kTriggers, Harness::with_key("sk_live_" + std::string(43, 'A'))).at("error"), "api_key_invalid");
  const auto asked = h.get(kTriggers, good);
  EXPECT_EQ(asked.status, 503);
  EXPECT_EQ(asked.at("error"), "service_unavailable");
  EXPECT_EQ(asked.at("message"), "API key authentication not available");
}

INSTANTIATE_TEST_SUITE_P(Engines, KeyAuthentication, store::testing::kEngines, store::testing::engine_name);

// --- the trail -------------------------------------------------------------------------------------------------------

class Trail : public testing::EngineHarness {
 protected:
  Metrics metrics;
  KeyTrail trail{h.db(), metrics};
  domain::Principal key;
  Trail() {
    key.key = domain::ApiKeyId::make(h.clock_.now());
    key.organization = domain::OrganizationId::make(h.clock_.now());
  }
  Result<void> flush() {
    Result<void> out;
    run_blocking([&]() -> Task<void> { out = co_await trail.flush(); });
    return out;
  }
};

TEST_P(Trail, IsBoundedAndWrittenInBatches) {
  for (std::size_t i = 0; i < kMaxPendingTrail + 3; ++i) trail.used(key, {}, h.clock_.now());
  ASSERT_TRUE(flush());
  EXPECT_EQ(h.db().query_blocking(kTrail)->size(), kMaxPendingTrail);
  EXPECT_THAT(metrics.expose(), HasSubstr("api_key_audit_dropped_total 3"));
  ASSERT_TRUE(flush());
  EXPECT_EQ(h.db().query_blocking(kTrail)->size(), kMaxPendingTrail);
}

TEST_P(Trail, OldRowsAreRemovedByHousekeeping) {
  trail.used(key, {}, h.clock_.now() - kAuditRetention - 1h);
  trail.used(key, {}, h.clock_.now() - kAuditRetention + 1h);
  trail.failed({KeyVerdict::Fault::unknown, std::nullopt}, "sk", {}, h.clock_.now() - kAuditRetention - 1h);
  ASSERT_TRUE(flush());
  RevocationFeed feed(h.db(), {});
  SessionUses session_uses(h.db());
  Housekeeping housekeeping(h.db(), h.clock_, metrics, feed, trail, session_uses);
  run_blocking([&]() -> Task<void> {
    auto gone = co_await housekeeping.clean_up();
    EXPECT_EQ(gone.value_or(-1), 2);
  });
  EXPECT_EQ(h.db().query_blocking(kTrail)->size(), 1U);
  EXPECT_EQ(h.db().query_blocking(kFailures)->size(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Engines, Trail, store::testing::kEngines, store::testing::engine_name);

TEST(KeyTrail, WhatCannotBeWrittenWaits) {
  Harness good, bad;
  Metrics metrics;
  bad.db().stop();
  KeyTrail trail(bad.db(), metrics);
  domain::Principal key;
  key.key = domain::ApiKeyId::make(bad.clock_.now());
  key.organization = domain::OrganizationId::make(bad.clock_.now());
  for (std::size_t i = 0; i < kMaxPendingTrail; ++i) trail.used(key, {}, bad.clock_.now());
  run_blocking([&]() -> Task<void> {
    auto flushed = co_await trail.flush();
    EXPECT_FALSE(flushed);
    flushed = co_await trail.flush();
    EXPECT_FALSE(flushed);
  });
  EXPECT_THAT(metrics.expose(), HasSubstr("api_key_audit_dropped_total 0")) << "nothing was lost on the way back";
}

}   // namespace
}   // namespace agentauri::gateway
