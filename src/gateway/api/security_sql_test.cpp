// SQL injection: whatever a text holds, it is stored as it came or refused as unreadable, on both engines; no statement
// is another one for it, and no answer is a 5xx.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/api/routes.hpp"
#include "gateway/testing/estate.hpp"
#include "store/chain_log.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::gateway {
namespace {

using testing::Estate;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::operations_with_body;

// Texts that end a literal, a statement or a pattern in one dialect or another.
const std::vector<std::string> kTexts{
    "' OR '1'='1",
    "'; DROP TABLE accounts; --",
    "\"; DROP TABLE triggers; --",
    "x'); DELETE FROM sessions; --",
    "' UNION SELECT password_hash FROM accounts --",
    "\\'; SELECT pg_sleep(9); --",
    "$$; DROP TABLE organizations; $$",
    "E'\\\\x41' || CHR(39)",
    ":id :name $1 ?1 %s {0}",
    "%' OR name LIKE '%",
    "/* */ -- #",
};

std::string encoded(std::string_view text) {
  return net::percent_encode(text);
}

class SqlInjection : public ::testing::TestWithParam<std::string> {
 protected:
  Estate estate{GetParam()};
};

TEST_P(SqlInjection, EveryTextOfEveryBodyIsOnlyText) {
  for (const auto& operation : operations_with_body()) {
    std::size_t next = 0;
    for (const auto& [name, schema] : testing::members_of(*operation.schema)) {
      if (!testing::takes_text(*schema)) continue;
      SCOPED_TRACE(operation.name() + " " + name);
      // Each member meets each dialect's quote, and the whole list is met several times over.
      for (const std::size_t i : {std::size_t{0}, 1 + next++ % (kTexts.size() - 1)}) {
        auto errand = estate.errand(operation);
        errand.body[name] = json::String(kTexts[i]);
        const auto answer = estate.send(errand);
        EXPECT_LT(answer.status, 500) << answer.text;
      }
    }
  }
  // A table that is gone, or a row that should not be, would show.
  EXPECT_EQ(estate.h.get("/api/v1/auth/me", estate.owner).at("username"), "ada");
  EXPECT_EQ(estate.h.get("/api/v1/triggers/" + estate.trigger, estate.owner).status, 200);
  EXPECT_THAT(estate.h.get("/api/v1/organizations/" + estate.organization + "/members", estate.owner).text,
              HasSubstr("\"role\":\"owner\""));
  EXPECT_THAT(estate.dump(), HasSubstr("pg_sleep")) << "stored as it came";
}

TEST_P(SqlInjection, WhatIsTakenIsAnsweredVerbatim) {
  for (const auto& text : kTexts) {
    const auto quoted = json::dump(json::String(text));
    const auto made =
        estate.h.post("/api/v1/triggers",
                      fmt::format(R"({{"name":{0},"description":{0},"registry":"identity"}})", quoted), estate.owner);
    ASSERT_EQ(made.status, 201) << made.text;
    const auto read = estate.h.get("/api/v1/triggers/" + made.at("data.id"), estate.owner);
    EXPECT_EQ(read.at("data.name"), text);
    EXPECT_EQ(read.at("data.description"), text);
    const auto user =
        estate.h.post("/api/v1/auth/register",
                      fmt::format(R"({{"username":{},"email":"sql{}@example.org","password":"a quiet river 77"}})",
                                  quoted, &text - kTexts.data()));
    ASSERT_EQ(user.status, 201) << user.text;
    EXPECT_EQ(user.at("user.username"), text);
    EXPECT_EQ(estate.h.log_in(text, testing::kPassword, "192.0.2.1").at("user.id"), user.at("user.id"));
  }
  // What would have been true for every row is true for none.
  EXPECT_EQ(estate.h.log_in("nobody' OR '1'='1", testing::kPassword, "192.0.2.2").status, 401);
}

TEST_P(SqlInjection, EveryPathAndQueryIsOnlyText) {
  for (const auto& route : routes()) {
    if (route.path == "/api/v1/auth/logout") continue;   // would end the session of the others
    SCOPED_TRACE(std::string(route.method) + " " + std::string(route.path));
    std::size_t next = 0;
    for (int round = 0; round < 2; ++round) {
      std::string target(route.path);
      const auto text = [&] { return encoded(kTexts[next++ % kTexts.size()]); };
      for (auto open = target.find('{'); open != std::string::npos; open = target.find('{'))
        target.replace(open, target.find('}') - open + 1, text());
      target += fmt::format("?organization_id={}&search={}&registry={}&event_type={}&agent_id={}", text(), text(),
                            text(), text(), text());
      if (round == 1) target += "&chain_id=1&limit=5";
      testing::Call call{std::string(route.method), target, std::nullopt, estate.owner, "203.0.113.7"};
      call.headers.emplace_back("X-Organization-ID", round == 0 ? kTexts[1] : estate.organization);
      if (route.method != "GET") call.body = "{}";
      EXPECT_LT(estate.h.call(call).status, 500);
    }
  }
  EXPECT_EQ(estate.h.get("/api/v1/triggers/" + estate.trigger, estate.owner).status, 200);
}

TEST_P(SqlInjection, SearchKnowsNoWildcards) {
  auto stored = estate.h.db().transact_blocking<void>(store::Priority::interactive, [&](store::Tx& tx) -> Result<void> {
    const Time now = estate.h.clock_.now();
    auto attached = store::attach_chain(tx, 31337, "anvil", 0, 100, 1, now);
    if (!attached) return fail(attached);
    store::IngestedBlock block;
    block.block.num = 100;
    block.block.hash.data[0] = 7;
    block.block.time = now;
    block.block.seen_at = now;
    domain::Event event;
    event.chain_id = 31337;
    event.block_num = 100;
    event.block_hash = block.block.hash;
    event.block_time = now;
    event.registry = domain::Registry::reputation;
    event.event_type = "NewFeedback";
    event.agent_id = Uint256(7);
    block.events.push_back(event);
    return store::append_blocks(tx, 31337, 1, {block}, {}, std::nullopt, std::nullopt, now);
  });
  ASSERT_TRUE(stored) << stored.error().text;
  const auto found = [&](std::string_view text) {
    return estate.h.get("/api/v1/events?search=" + encoded(text), estate.owner).at("pagination.total");
  };
  EXPECT_EQ(found("feed"), "1");
  for (const char* pattern : {"%", "_", "%25", "!", "!%", "\\%", "[a-z]", "*", "New%", "New_eedback", "' OR '1'='1"})
    EXPECT_EQ(found(pattern), "0") << pattern;
}

// Bytes that are no UTF-8 are refused where they come in, with a sentence that names the rule; the store never sees
// them.
TEST_P(SqlInjection, BytesThatAreNoTextAreRefused) {
  for (const char* bytes : {"%FF", "%C0%80", "%ED%A0%80", "%F4%90%80%80", "%E2%82", "%00", "a%00b"}) {
    for (const char* name : {"search", "registry", "eventType", "agentId"}) {
      const auto answer = estate.h.get(fmt::format("/api/v1/events?{}={}", name, bytes), estate.owner);
      EXPECT_EQ(answer.status, 400) << name << "=" << bytes << answer.text;
      EXPECT_EQ(answer.at("error"), "bad_request") << name << "=" << bytes;
    }
    for (const char* path :
         {"/api/v1/triggers/{}", "/api/v1/triggers/{}/dlq/x", "/api/v1/api-keys/{}", "/api/v1/organizations/{}"}) {
      const auto answer = estate.h.get(fmt::format(fmt::runtime(path), bytes), estate.owner);
      EXPECT_TRUE(answer.status == 404 || answer.status == 405) << path << bytes << answer.text;
    }
    const auto purged = estate.h.erase(fmt::format("/api/v1/triggers/{}/dlq/{}", estate.trigger, bytes), estate.owner);
    EXPECT_EQ(purged.status, 404) << bytes << purged.text;
    const auto replayed =
        estate.h.post(fmt::format("/api/v1/triggers/{}/dlq/{}/replay", estate.trigger, bytes), "{}", estate.owner);
    EXPECT_EQ(replayed.status, 404) << bytes << replayed.text;
    const auto unfollowed = estate.h.erase(fmt::format("/api/v1/agents/{}/follow?chain_id=1", bytes), estate.owner);
    EXPECT_EQ(unfollowed.status, 404) << bytes << unfollowed.text;
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, SqlInjection, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::gateway
