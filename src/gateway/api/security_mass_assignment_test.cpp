// Mass assignment: a body says what its operation lets it say. What else it holds has no effect, whoever's column it
// is named after.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "gateway/testing/estate.hpp"

namespace agentauri::gateway {
namespace {

using ::testing::ElementsAre;
using testing::Estate;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::operations_with_body;

// Found again wherever it should get to.
const std::string kMark = "0bad5eed-0bad-7bad-8bad-0badc0ffee00";

// Names of columns and of members of answers, with what somebody would like them to be. A `*` is the mark.
const std::vector<std::pair<std::string, std::string>> kWishes{
    {"id", "*"},
    {"user_id", "*"},
    {"account_id", "*"},
    {"organization_id", "*"},
    {"trigger_id", "*"},
    {"owner_id", "*"},
    {"created_by", "*"},
    {"invited_by", "*"},
    {"session_id", "*"},
    {"sid", "*"},
    {"email", "*"},
    {"username", "*"},
    {"name", "*"},
    {"slug", "*"},
    {"password_hash", "*"},
    {"password", "*"},
    {"key", "*"},
    {"key_hash", "*"},
    {"prefix", "*"},
    {"signing_secret", "*"},
    {"secret", "*"},
    {"last_error", "*"},
    {"disabled_reason", "*"},
    {"status", "*"},
    {"state", "*"},
    {"avatar", "*"},
    {"revoked_reason", "*"},
    {"role", "\"owner\""},
    {"my_role", "\"owner\""},
    {"plan", "\"enterprise\""},
    {"permissions", "[\"admin\"]"},
    {"is_admin", "true"},
    {"is_active", "true"},
    {"is_personal", "true"},
    {"is_revoked", "false"},
    {"enabled", "true"},
    {"revoked_at", "null"},
    {"expires_at", "\"2999-01-01T00:00:00Z\""},
    {"created_at", "\"1999-12-31T23:59:59Z\""},
    {"updated_at", "\"1999-12-31T23:59:59Z\""},
    {"last_login_at", "\"1999-12-31T23:59:59Z\""},
    {"expires_in", "999999"},
    {"rate_limit_override", "999999999"},
    {"failed_login_attempts", "0"},
    {"locked_until", "null"},
    {"balance", "1000000"},
    {"version", "777777777"},
    {"rev", "777777777"},
    {"__proto__", R"({"is_admin":true})"},
    {"constructor", R"({"prototype":{"is_admin":true}})"},
};

class MassAssignment : public ::testing::TestWithParam<std::string> {};

TEST_P(MassAssignment, ABodySaysNothingBesideItsOwnMembers) {
  Estate estate(GetParam());
  std::vector<std::string> refused;
  for (const auto& operation : operations_with_body()) {
    SCOPED_TRACE(operation.name());
    std::set<std::string> own;
    for (const auto& [name, schema] : testing::members_of(*operation.schema)) own.insert(name);
    if (operation.id == "login") own.insert({"username", "email"});
    const auto plain = estate.send(estate.errand(operation));
    if (plain.status >= 300) refused.push_back(operation.id);
    auto greedy = estate.errand(operation);
    for (const auto& [name, value] : kWishes) {
      if (own.contains(name)) continue;
      greedy.body[name] = json::parse(value == "*" ? "\"" + kMark + "\"" : value).value();
    }
    const auto answer = estate.send(greedy);
    EXPECT_EQ(answer.status, plain.status) << answer.text;
    EXPECT_EQ(answer.at("error"), plain.at("error")) << answer.text;
    EXPECT_THAT(answer.text, Not(HasSubstr(kMark)));
    EXPECT_THAT(answer.text, Not(HasSubstr("1999-12-31")));
    EXPECT_THAT(answer.text, Not(HasSubstr("2999-01-01")));
    EXPECT_THAT(answer.text, Not(HasSubstr("enterprise")));
    EXPECT_THAT(answer.text, Not(HasSubstr("\"is_admin\":true")));
  }
  EXPECT_THAT(refused, ElementsAre("wallet_login", "link_agent")) << "signatures; the others are served";
  const auto stored = estate.dump();
  EXPECT_THAT(stored, HasSubstr("ada")) << "the dump shows what is stored";
  for (const auto* trace :
       {kMark.c_str(), "0bad5eed", "0BAD5EED", "1999-12-31", "2999-01-01", "enterprise", "999999999", "777777777"})
    EXPECT_THAT(stored, Not(HasSubstr(trace)));
  const auto me = estate.h.get("/api/v1/auth/me", estate.owner);
  EXPECT_EQ(me.at("is_admin"), "false");
  EXPECT_EQ(me.at("organizations.0.role"), "owner");
  EXPECT_EQ(estate.h.get("/api/v1/organizations/" + estate.organization, estate.owner).at("data.plan"), "free");
  EXPECT_THAT(estate.h.get("/api/v1/organizations?limit=100", estate.owner).text, Not(HasSubstr("enterprise")));
}

// What a body may not say of another's trigger it may not say of a part of it either: ids inside PUT /triggers/{id}.
TEST_P(MassAssignment, PartsOfAnotherTriggerAreNotTaken) {
  Estate estate(GetParam());
  const auto eve = estate.h.signed_in("eve");
  const auto hers = estate.h.post("/api/v1/triggers", R"({"name":"hers","registry":"identity"})", eve).at("data.id");
  const auto taken = estate.h.put("/api/v1/triggers/" + hers,
                                  R"({"actions":[{"id":)" + estate.action +
                                      R"(,"action_type":"rest","config":{"url":"https://evil.example.org/"}}],)"
                                      R"("conditions":[{"id":")" +
                                      estate.condition + R"(","value":"0"}]})",
                                  eve);
  EXPECT_TRUE(taken.status == 400 || taken.status == 404) << taken.text;
  const auto kept = estate.h.get("/api/v1/triggers/" + estate.trigger, estate.owner);
  EXPECT_EQ(kept.at("data.actions.0.config.url"), "https://hooks.example.org/a");
  EXPECT_EQ(kept.at("data.conditions.0.value"), "60");
  EXPECT_EQ(estate.h.get("/api/v1/triggers/" + hers, eve).at("data.actions"), "[]");
}

INSTANTIATE_TEST_SUITE_P(Engines, MassAssignment, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::gateway
