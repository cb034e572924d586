#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "gateway/auth/api_key.hpp"
#include "gateway/testing/gateway_fixture.hpp"

namespace agentauri::gateway {
namespace {

using testing::Answer;
using testing::Harness;
using ::testing::HasSubstr;
using testing::HeaderList;
using ::testing::Not;
using ::testing::StartsWith;
using namespace std::chrono_literals;

const std::string kKeys = "/api/v1/api-keys";
const std::string kNobody = "01936b1e-7a00-7000-8000-00000000000a";

const store::Query kAudit{
    "test_api_key_audit",
    "SELECT event_type, details, ip, user_agent, endpoint, actor_id FROM api_key_audit ORDER BY created_at, id"};

class ApiKeysApi : public testing::EngineHarness {
 protected:
  HeaderList owner = h.signed_in("ada"), stranger = h.signed_in("eve");
  std::string organization = h.organization_id(owner);
  std::string path = "/api/v1/organizations/" + organization + "/api-keys";

  Answer made(const std::string& more = "", const std::string& name = "CI") {
    const auto answer = h.post(path, fmt::format(R"({{"name":"{}","environment":"live"{}}})", name, more), owner);
    EXPECT_EQ(answer.status, 201) << answer.text;
    return answer;
  }
  // Somebody with this role in the organization.
  HeaderList with_role(const std::string& name, std::string_view role) {
    auto who = h.signed_in(name);
    const auto joined = h.post("/api/v1/organizations/" + organization + "/members",
                               fmt::format(R"({{"user_id":"{}","role":"{}"}})", h.user_id(who), role), owner);
    EXPECT_EQ(joined.status, 201) << joined.text;
    return who;
  }
  static void expect(const Answer& answer, int status, std::string_view code, std::string_view message) {
    EXPECT_EQ(answer.status, status) << answer.text;
    EXPECT_EQ(answer.at("error"), code);
    EXPECT_EQ(answer.at("message"), message);
  }
};

TEST_P(ApiKeysApi, TheKeyIsShownOnce) {
  const auto created = made(R"(,"permissions":["write","write"],"rate_limit_override":500,"key_type":"restricted")");
  const std::string text = created.at("data.key");
  EXPECT_TRUE(is_api_key(text)) << text;
  EXPECT_EQ(created.at("data.prefix"), text.substr(0, 16));
  EXPECT_EQ(created.at("data.permissions"), R"(["write","write"])");
  EXPECT_EQ(created.at("data.expires_at"), "null");
  const auto read = h.get(kKeys + "/" + created.at("data.id"), owner);
  ASSERT_EQ(read.status, 200) << read.text;
  EXPECT_THAT(read.text, Not(HasSubstr(text)));
  EXPECT_THAT(read.text, Not(HasSubstr(to_hex(hash_of_api_key(text).view()))));
  EXPECT_EQ(read.at("data.created_by"), h.user_id(owner));
  EXPECT_EQ(read.at("data.rate_limit_override"), "500");
  EXPECT_EQ(read.at("data.key_type"), "restricted");
  EXPECT_EQ(read.at("data.is_revoked"), "false");
  EXPECT_EQ(read.at("data.last_used_at"), "null");
  const auto standard = h.post(kKeys + "?organization_id=" + organization,
                               R"({"name":"x","environment":"test","expires_at":"2020-01-01T00:00:00+02:00"})", owner);
  ASSERT_EQ(standard.status, 201) << standard.text;
  EXPECT_TRUE(standard.at("data.key").starts_with("sk_test_"));
  EXPECT_EQ(standard.at("data.permissions"), R"(["read"])");
  EXPECT_EQ(standard.at("data.expires_at"), "2019-12-31T22:00:00Z");   // in the past: allowed, and of no use
}

TEST_P(ApiKeysApi, WhatANewOneMustBe) {
  const auto post = [&](const std::string& body) { return h.post(path, body, owner); };
  for (const std::string body :
       {R"({"environment":"live"})", R"({"name":"x"})", R"({"name":"x","environment":"live","key_type":null})",
        R"({"name":"x","environment":"live","permissions":null})",
        R"({"name":"x","environment":"live","permissions":[1]})",
        R"({"name":"x","environment":"live","permissions":"read"})",
        R"({"name":"x","environment":"live","rate_limit_override":2147483648})",
        R"({"name":"x","environment":"live","expires_at":"tomorrow"})",
        R"({"name":"x","environment":"live","expires_at":"2026-01-01T00:00:00"})",
        R"({"name":"x","environment":"live","expires_at":"9999-12-31T23:59:59-12:00"})"}) {
    const auto answer = post(body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_EQ(answer.at("error"), "bad_request") << body;
  }
  const auto all =
      post(R"({"name":"","environment":"x","key_type":"x","permissions":["read","fly"],"rate_limit_override":0})");
  EXPECT_EQ(all.at("error"), "validation_error");
  EXPECT_EQ(all.at("details.0.field"), "name");
  EXPECT_EQ(all.at("details.1.message"), "Environment must be one of: live, test");
  EXPECT_EQ(all.at("details.2.message"), "Key type must be one of: standard, restricted, admin");
  EXPECT_EQ(all.at("details.3.message"), "Invalid permission 'fly'. Must be one of: read, write, delete, admin");
  EXPECT_EQ(all.at("details.4.field"), "rate_limit_override");
  EXPECT_EQ(post(R"({"name":"x","environment":"live","permissions":[]})").at("details.0.message"),
            "At least one permission is required");
  std::string many = R"("read")";
  for (int i = 0; i < 16; ++i) many += R"(,"read")";
  EXPECT_EQ(post(R"({"name":"x","environment":"live","permissions":[)" + many + "]}").at("error"), "validation_error");
  EXPECT_EQ(post(R"({"name":"x","environment":"live","rate_limit_override":100001})").at("error"), "validation_error");
  EXPECT_EQ(post(R"({"name":"x","environment":"live","rate_limit_override":100000,"expires_at":null})").status, 201);
  // Validation first, then what names the organization, then whose it is, then the role.
  EXPECT_EQ(h.post(kKeys, R"({"name":"","environment":"live"})", owner).at("error"), "validation_error");
  expect(h.post(kKeys, R"({"name":"x","environment":"live"})", owner), 400, "bad_request",
         "organization_id query parameter is required");
  expect(h.post(path, R"({"name":"x","environment":"live"})", stranger), 404, "not_found", "Organization not found");
  expect(h.post(path, R"({"name":"x","environment":"live"})", with_role("member7", "member")), 403, "forbidden",
         "Insufficient permissions to create API keys");
}

TEST_P(ApiKeysApi, ListsHavePages) {
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    h.clock_.advance(1s);
    ids.push_back(made().at("data.id"));
  }
  ASSERT_EQ(h.erase(kKeys + "/" + ids[1], owner).status, 200);
  const auto living = h.get(path, owner);
  EXPECT_EQ(living.at("total"), "2");
  EXPECT_EQ(living.at("items.0.id"), ids[2]);
  EXPECT_EQ(living.at("items.1.id"), ids[0]);
  EXPECT_EQ(living.at("page"), "1");
  EXPECT_EQ(living.at("page_size"), "20");
  EXPECT_EQ(living.at("total_pages"), "1");
  const auto second =
      h.get(kKeys + "?organization_id=" + organization + "&include_revoked=true&limit=2&offset=2", owner);
  EXPECT_EQ(second.at("total"), "3");
  EXPECT_EQ(second.at("page"), "2");
  EXPECT_EQ(second.at("total_pages"), "2");
  EXPECT_EQ(second.at("items.0.id"), ids[0]);
  EXPECT_EQ(second.at("items.1.id"), "");
  EXPECT_EQ(h.get(path, stranger).status, 404);
  EXPECT_EQ(h.get(kKeys + "?organization_id=" + organization, stranger).status, 404);
  expect(h.get(kKeys, owner), 400, "bad_request", "organization_id query parameter is required");
  EXPECT_EQ(h.get(path + "?limit=101", owner).at("error"), "validation_error");
  EXPECT_EQ(h.get(path + "?include_revoked=1", owner).at("error"), "bad_request");
  EXPECT_EQ(h.get(path + "?include_revoked=true&include_revoked=true", owner).at("error"), "bad_request");
  EXPECT_EQ(h.get(path, with_role("viewer7", "viewer")).status, 200);
}

TEST_P(ApiKeysApi, ChangesCheckInOrder) {
  const std::string id = made().at("data.id"), key = kKeys + "/" + id;
  const auto member = with_role("member7", "member");
  for (const auto& who : {owner, stranger}) {
    for (const auto& nothing : {kNobody, std::string("nonsense")}) {
      const std::string where = kKeys + "/" + nothing;
      for (const auto& answer : {h.get(where, who), h.patch(where, "{}", who), h.erase(where, who),
                                 h.post(where + "/rotate", "{}", who), h.post(where + "/regenerate", "{}", who)})
        expect(answer, 404, "not_found", "API key not found");
    }
  }
  for (const auto& answer : {h.get(key, stranger), h.patch(key, "{}", stranger), h.erase(key, stranger),
                             h.post(key + "/rotate", "{}", stranger)})
    expect(answer, 404, "not_found", "API key not found");
  EXPECT_EQ(h.get(key, member).status, 200);
  // The role before the values, but for rotate.
  expect(h.patch(key, R"({"name":""})", member), 403, "forbidden", "Insufficient permissions to update API keys");
  expect(h.erase(key, member), 403, "forbidden", "Insufficient permissions to revoke API keys");
  expect(h.post(key + "/rotate", "{}", member), 403, "forbidden", "Insufficient permissions to rotate API keys");
  EXPECT_EQ(h.post(key + "/rotate", R"({"name":""})", member).at("error"), "validation_error");
  EXPECT_EQ(h.patch(key, R"({"name":""})", owner).at("error"), "validation_error");
  EXPECT_EQ(h.patch(key, R"({"expires_at":"x"})", owner).at("error"), "bad_request");
  const std::string long_reason = fmt::format(R"({{"reason":"{}"}})", std::string(1001, 'x'));
  EXPECT_EQ(h.call({"DELETE", key, long_reason, owner, "203.0.113.7"}).at("error"), "validation_error");

  const auto updated = h.patch(key, R"({"name":"Deploy","expires_at":"2027-01-01T00:00:00Z"})", owner);
  ASSERT_EQ(updated.status, 200) << updated.text;
  EXPECT_EQ(updated.at("data.name"), "Deploy");
  EXPECT_EQ(updated.at("data.expires_at"), "2027-01-01T00:00:00Z");
  EXPECT_EQ(h.patch(key, R"({"expires_at":null})", owner).at("data.expires_at"), "2027-01-01T00:00:00Z");

  // A body that says nothing is no body.
  const auto revoked = h.call({"DELETE", key, R"({"reason":)", owner, "203.0.113.7"});
  ASSERT_EQ(revoked.status, 200) << revoked.text;
  EXPECT_EQ(revoked.at("data.is_revoked"), "true");
  EXPECT_EQ(revoked.at("data.revoked_at"), "2026-01-01T00:10:12.345678Z");
  EXPECT_EQ(h.get(key, owner).at("data.is_revoked"), "true");
  expect(h.patch(key, "{}", owner), 400, "bad_request", "Cannot update a revoked API key");
  expect(h.erase(key, owner), 400, "bad_request", "API key is already revoked");
  expect(h.post(key + "/rotate", "{}", owner), 400, "bad_request", "Cannot rotate a revoked API key");
}

TEST_P(ApiKeysApi, ARotatedKeyIsVoidAtOnceAndItsSuccessorIsLikeIt) {
  const auto first = made(
      R"(,"permissions":["read"],"rate_limit_override":77,"key_type":"admin","expires_at":"2027-01-01T00:00:00Z")");
  const auto old_key = Harness::with_key(first.at("data.key"));
  ASSERT_EQ(h.get("/api/v1/triggers", old_key).status, 200);
  const auto rotated = h.post(kKeys + "/" + first.at("data.id") + "/rotate", "not json", owner);
  ASSERT_EQ(rotated.status, 200) << rotated.text;
  EXPECT_EQ(rotated.at("data.old_key_id"), first.at("data.id"));
  EXPECT_EQ(rotated.at("data.old_key_revoked_at"), "2026-01-01T00:10:12.345678Z");
  EXPECT_EQ(h.get("/api/v1/triggers", old_key).at("error"), "api_key_invalid");
  EXPECT_EQ(h.get("/api/v1/triggers", Harness::with_key(rotated.at("data.key"))).status, 200);
  const auto successor = h.get(kKeys + "/" + rotated.at("data.id"), owner);
  EXPECT_EQ(successor.at("data.name"), "CI");
  EXPECT_EQ(successor.at("data.permissions"), R"(["read"])");
  EXPECT_EQ(successor.at("data.rate_limit_override"), "77");
  EXPECT_EQ(successor.at("data.key_type"), "admin");
  EXPECT_EQ(successor.at("data.expires_at"), "2027-01-01T00:00:00Z");
  const auto again = h.post(kKeys + "/" + rotated.at("data.id") + "/regenerate",
                            R"({"name":"Next","expires_at":"2028-01-01T00:00:00Z"})", owner);
  ASSERT_EQ(again.status, 200) << again.text;
  const auto next = h.get(kKeys + "/" + again.at("data.id"), owner);
  EXPECT_EQ(next.at("data.name"), "Next");
  EXPECT_EQ(next.at("data.expires_at"), "2028-01-01T00:00:00Z");
  // Of several at once one rotates, the others find it revoked.
  const testing::Call call{"POST", kKeys + "/" + again.at("data.id") + "/rotate", "{}", owner, "203.0.113.7"};
  const auto answers = h.call_all(std::vector<testing::Call>(6, call));
  EXPECT_EQ(std::count_if(answers.begin(), answers.end(), [](const auto& a) { return a.status == 200; }), 1);
  EXPECT_EQ(std::count_if(answers.begin(), answers.end(),
                          [](const auto& a) { return a.at("message") == "Cannot rotate a revoked API key"; }),
            5);
}

TEST_P(ApiKeysApi, EveryChangeIsWrittenWithIt) {
  auto who = owner;
  who.emplace_back("User-Agent", "curl/8\xff");
  const auto post = [&](std::string where, std::string body) { return h.post(where, body, who); };
  const auto first = post(path, R"({"name":"CI","environment":"test"})");
  const std::string key = kKeys + "/" + first.at("data.id");
  h.clock_.advance(1s);
  ASSERT_EQ(h.patch(key, R"({"name":"n"})", who).status, 200);
  h.clock_.advance(1s);
  const auto rotated = post(key + "/rotate", "{}");
  h.clock_.advance(1s);
  ASSERT_EQ(h.call({"DELETE", kKeys + "/" + rotated.at("data.id"), R"({"reason":"lost"})", who, "203.0.113.9"}).status,
            200);
  const auto rows = h.db().query_blocking(kAudit);
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 4U);
  EXPECT_EQ(rows->text(0, 0), "created");
  EXPECT_THAT(rows->text(0, 1),
              StartsWith(R"({"name":"CI","environment":"test","key_type":"standard","request_id":")"));
  EXPECT_EQ(rows->text(0, 2), "203.0.113.7");
  EXPECT_EQ(rows->text(0, 3), "curl/8?");
  EXPECT_EQ(rows->text(0, 4), path);
  EXPECT_EQ(to_string(rows->uuid(0, 5)), h.user_id(owner));
  EXPECT_EQ(rows->text(1, 0), "updated");
  EXPECT_THAT(rows->text(1, 1), StartsWith(R"({"name":"n","expires_at":null,"request_id":")"));
  EXPECT_EQ(rows->text(2, 0), "rotated");
  EXPECT_THAT(rows->text(2, 1), StartsWith(fmt::format(R"({{"old_key_id":"{}","new_key_id":"{}","request_id":")",
                                                       first.at("data.id"), rotated.at("data.id"))));
  EXPECT_EQ(rows->text(3, 0), "revoked");
  EXPECT_THAT(rows->text(3, 1), StartsWith(R"({"reason":"lost","request_id":")"));
}

TEST_P(ApiKeysApi, StatisticsAreForMembers) {
  made();
  ASSERT_EQ(h.erase(kKeys + "/" + made().at("data.id"), owner).status, 200);
  const auto stats = h.get(path + "/stats", with_role("viewer7", "viewer"));
  ASSERT_EQ(stats.status, 200) << stats.text;
  EXPECT_EQ(stats.at("data.total_keys"), "2");
  EXPECT_EQ(stats.at("data.active_keys"), "1");
  EXPECT_EQ(stats.at("data.revoked_keys"), "1");
  EXPECT_EQ(stats.at("data.unused_keys"), "1");
  EXPECT_EQ(stats.at("data.keys_by_environment"), R"({"live":1,"test":0})");
  EXPECT_EQ(stats.at("data.keys_by_type"), R"({"standard":1,"restricted":0,"admin":0})");
  EXPECT_EQ(h.get(path + "/stats", stranger).status, 404);
}

INSTANTIATE_TEST_SUITE_P(Engines, ApiKeysApi, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::gateway
