// What may be saved as an action: the size of its configuration, and whom it may reach.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/testing/gateway_fixture.hpp"
#include "gateway/use_cases/triggers.hpp"
#include "store/database.hpp"

namespace agentauri::gateway {
namespace {

using testing::Harness;
using ::testing::HasSubstr;
using testing::HeaderList;

class ActionsApi : public ::testing::Test {
 protected:
  Harness h;
  HeaderList user = h.signed_in("orbit7");
  std::string trigger =
      "/api/v1/triggers/" + h.post("/api/v1/triggers", R"({"name":"t","registry":"reputation"})", user).at("data.id");

  static std::string hook(const std::string& url) {
    return fmt::format(R"({{"action_type":"rest","config":{{"url":"{}"}}}})", url);
  }
  static std::string mcp(const std::string& url) {
    return fmt::format(R"({{"action_type":"mcp","config":{{"server_url":"{}","tool_name":"notify"}}}})", url);
  }
};

// The size is known before anything is searched for in it: here what looks encrypted would be found too.
TEST_F(ActionsApi, AConfigurationBeyondItsBoundIsNotLookedInto) {
  const std::string braces(2 * kMaxActionConfigBytes, '{');
  const auto answer = h.post(
      trigger + "/actions",
      R"({"action_type":"rest","config":{"url":"https://x.example","token":["enc:v1:a:b",")" + braces + R"("]}})",
      user);
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.at("details.0.field"), "config");
  EXPECT_EQ(answer.at("details.0.code"), "length");
  EXPECT_EQ(answer.find("details.1"), nullptr);
  const auto inline_answer = h.put(
      trigger,
      R"({"actions":[{"action_type":"rest","config":{"url":"https://x.example","body":")" + braces + R"("}}]})", user);
  EXPECT_EQ(inline_answer.at("details.0.field"), "actions[0].config");
  EXPECT_EQ(inline_answer.at("details.0.code"), "length");
}

TEST_F(ActionsApi, WhatTheWorkerWouldRefuseIsRefusedOnSave) {
  for (const char* url : {"https://127.0.0.1/", "https://x.example:25/", "https://169.254.169.254/", "https://a:80x/",
                          "https://a..b/", "https://0x7f.1/"}) {
    const auto answer = h.post(trigger + "/actions", hook(url), user);
    EXPECT_EQ(answer.status, 400) << url << answer.text;
    EXPECT_EQ(answer.at("error"), "validation_error") << url;
    EXPECT_EQ(answer.at("details.0.field"), "config.url") << url;
    EXPECT_EQ(h.post(trigger + "/actions", mcp(url), user).at("details.0.field"), "config.server_url") << url;
  }
  const auto inline_answer = h.put(trigger, R"({"actions":[)" + hook("https://127.0.0.1/") + "]}", user);
  EXPECT_EQ(inline_answer.at("details.0.field"), "actions[0].config.url");
  const auto made = h.post(trigger + "/actions", hook("https://h:/"), user);
  ASSERT_EQ(made.status, 201) << made.text;
  const auto moved =
      h.put(trigger + "/actions/" + made.at("data.id"), R"({"config":{"url":"https://10.0.0.1/"}})", user);
  EXPECT_EQ(moved.at("details.0.field"), "config.url");
  EXPECT_EQ(h.post(trigger + "/actions", hook("http://x.example/"), user).status, 201);
}

TEST_F(ActionsApi, TheOperatorSaysWhatMayBeReached) {
  h.guard_ = net::AddressGuard::make({"127.0.0.1:9000"}, true).value();
  const auto strict = h.another();
  const auto post = [&](const std::string& body) {
    return testing::call_gateway(*strict, {"POST", trigger + "/actions", body, user, "203.0.113.7"});
  };
  const auto plain = post(hook("http://x.example/"));
  EXPECT_EQ(plain.status, 400);
  EXPECT_EQ(plain.at("details.0.field"), "config.url");
  EXPECT_THAT(plain.at("message"), HasSubstr("only https"));
  EXPECT_EQ(post(mcp("http://x.example/")).at("details.0.field"), "config.server_url");
  EXPECT_EQ(post(hook("http://127.0.0.1:9000/hook")).status, 201);
  EXPECT_EQ(post(hook("https://x.example/")).status, 201);
}

const store::Query kDisable{"test_disable", "UPDATE trigger_actions SET disabled_reason = :reason WHERE id = :id"};

TEST_F(ActionsApi, ADisabledActionSaysWhyUntilItIsConfiguredAnew) {
  const auto made = h.post(trigger + "/actions", hook("https://x.example/"), user);
  EXPECT_EQ(made.at("data.disabled_reason"), "null");
  const std::string path = trigger + "/actions/" + made.at("data.id");
  const auto disable = [&] {
    auto done = h.db().transact_blocking<void>(store::Priority::interactive, [&](store::Tx& tx) -> Result<void> {
      auto row = tx.run(kDisable, store::Params().text("reason", "410 Gone").i64("id", std::stoi(made.at("data.id"))));
      if (!row) return fail(row);
      return {};
    });
    ASSERT_TRUE(done);
  };
  disable();
  EXPECT_EQ(h.get(trigger, user).at("data.actions.0.disabled_reason"), "410 Gone");
  EXPECT_EQ(h.get(trigger + "/actions", user).at("data.0.disabled_reason"), "410 Gone");
  EXPECT_EQ(h.put(path, R"({"priority":3})", user).at("data.disabled_reason"), "410 Gone");
  EXPECT_EQ(h.put(trigger, R"({"name":"other"})", user).status, 200);
  EXPECT_EQ(h.get(trigger, user).at("data.actions.0.disabled_reason"), "410 Gone");
  EXPECT_EQ(h.put(path, R"({"config":{"url":"https://y.example/"}})", user).at("data.disabled_reason"), "null");
  EXPECT_EQ(h.get(trigger, user).at("data.actions.0.disabled_reason"), "null");
  disable();
  const auto inline_answer = h.put(
      trigger,
      fmt::format(R"({{"actions":[{{"id":{},"config":{{"url":"https://z.example/"}}}}]}})", made.at("data.id")), user);
  EXPECT_EQ(inline_answer.at("data.actions.0.disabled_reason"), "null") << inline_answer.text;
}

}   // namespace
}   // namespace agentauri::gateway
