// Secrets of actions through the API: what may be sent, what is kept, what is shown.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/testing/gateway_fixture.hpp"
#include "gateway/use_cases/triggers.hpp"
#include "rules/action_config.hpp"
#include "rules/action_secrets.hpp"
#include "store/revisions.hpp"

namespace agentauri::gateway {
namespace {

using testing::Answer;
using testing::Harness;
using ::testing::HasSubstr;
using testing::HeaderList;
using ::testing::Not;

constexpr auto kTriggers = "/api/v1/triggers";

class ActionSecretsApi : public ::testing::Test {
 protected:
  Answer create(const std::string& config) {
    const auto trigger = h.post(kTriggers, R"({"name":"t","registry":"reputation"})", user);
    actions = std::string(kTriggers) + "/" + trigger.at("data.id") + "/actions";
    const auto made = h.post(actions, fmt::format(R"({{"action_type":"rest","config":{}}})", config), user);
    EXPECT_EQ(made.status, 201) << made.text;
    id = made.at("data.id");
    return made;
  }
  Answer update(const std::string& body) { return h.put(actions + "/" + id, body, user); }
  std::string stored() {
    auto rows = h.db().snapshot_blocking<std::vector<store::Revision>>(
        [](store::Tx& tx) { return store::read_revisions(tx, 0, 1000); });
    EXPECT_TRUE(rows);
    return rows->back().trigger.actions.at(0).config;
  }
  std::string clear() {
    const auto keys = crypto::DataKeys::derive(testing::kJwtSecret, "");
    auto opened =
        rules::decrypt_config(json::parse(stored())->get_object(), static_cast<domain::ActionId>(std::stoi(id)), keys);
    return opened ? json::dump(*opened) : opened.error().text;
  }

  Harness h;
  HeaderList user = h.signed_in("orbit7");
  std::string actions, id;
};

TEST_F(ActionSecretsApi, ALongHeaderSurvivesEveryEdit) {
  const std::string config =
      fmt::format(R"({{"url":"https://example.org/a","headers":{{"Authorization":"{}"}}}})", std::string(1024, 'k'));
  create(config);
  EXPECT_TRUE(rules::parse_webhook_config(json::parse(stored())->get_object())) << "as the engine reads it";
  const auto moved = update(R"({"priority":3})");
  EXPECT_EQ(moved.status, 200) << moved.text;
  const auto kept = update(R"({"config":{"url":"https://example.org/a","headers":{"Authorization":"***"}}})");
  EXPECT_EQ(kept.status, 200) << kept.text;
  EXPECT_EQ(clear(), config);
  const auto longer = update(fmt::format(
      R"({{"config":{{"url":"https://example.org/a","headers":{{"Authorization":"{}"}}}}}})", std::string(1025, 'k')));
  EXPECT_EQ(longer.at("details.0.field"), "config.headers");
}

TEST_F(ActionSecretsApi, TheWholeIsMeasuredInClear) {
  // Near the bound; the stored form is a third longer and beyond it.
  const std::string config =
      fmt::format(R"({{"url":"https://example.org/a","secret":"{}"}})", std::string(kMaxActionConfigBytes - 100, 'k'));
  create(config);
  EXPECT_GT(stored().size(), kMaxActionConfigBytes);
  const auto moved = update(R"({"priority":3})");
  EXPECT_EQ(moved.status, 200) << moved.text;
  const auto kept = update(R"({"config":{"url":"https://example.org/a","secret":"***"}})");
  EXPECT_EQ(kept.status, 200) << kept.text;
  EXPECT_EQ(clear(), config);
}

TEST_F(ActionSecretsApi, SecretsInArraysAreKeptByTheirMasks) {
  const auto made = create(
      R"({"url":"https://example.org/a","body":{"to":[{"id":1,"token":"alpha"},{"id":2,"token":"beta"}],"tokens":["gamma"]}})");
  const std::string shown =
      R"({"url":"https://example.org/a","body":{"to":[{"id":1,"token":"***"},{"id":2,"token":"***"}],"tokens":["***"]}})";
  EXPECT_EQ(json::dump(*made.find("data.config")), shown);
  for (const char* secret : {"alpha", "beta", "gamma"}) EXPECT_THAT(stored(), Not(HasSubstr(secret)));

  const auto kept = update(
      R"({"config":{"url":"https://example.org/b","body":{"to":[{"id":1,"token":"***"},{"id":2,"token":"new"}],"tokens":["***"]}}})");
  ASSERT_EQ(kept.status, 200) << kept.text;
  EXPECT_EQ(
      clear(),
      R"({"url":"https://example.org/b","body":{"to":[{"id":1,"token":"alpha"},{"id":2,"token":"new"}],"tokens":["gamma"]}})");

  const auto nothing = update(R"({"config":{"url":"https://example.org/b","body":{"tokens":["***","***"]}}})");
  EXPECT_EQ(nothing.at("details.0.code"), "nothing_stored");
  EXPECT_EQ(nothing.at("details.0.field"), "config.body.tokens[1]");
  const auto forged = update(R"({"config":{"url":"https://example.org/b","body":{"tokens":["enc:v1:k:AAAA"]}}})");
  EXPECT_EQ(forged.at("details.0.code"), "reserved_prefix");
  EXPECT_EQ(forged.at("details.0.field"), "config.body.tokens[0]");
}

}   // namespace
}   // namespace agentauri::gateway
