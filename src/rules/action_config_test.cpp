#include "rules/action_config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/url.hpp"

namespace agentauri::rules {
namespace {

using ::testing::HasSubstr;

const auto kGuard = net::AddressGuard::make({}, false).value();

json::Object hook(std::string_view url) {
  return {{"url", json::String(url)}};
}
json::Object mcp(std::string_view url) {
  return {{"server_url", json::String(url)}, {"tool_name", "notify"}};
}
std::string refused_field(domain::ActionType type, const json::Object& config,
                          const net::AddressGuard& guard = kGuard) {
  const auto checked = check_action(type, config, guard);
  return checked ? "" : checked.error().field;
}

TEST(ActionConfig, AHeaderHoldsNoControlCharacter) {
  const auto refused = parse_webhook_config({{"url", "https://h/"}, {"headers", json::Object{{"X-A", "a\x7f"}}}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().field, "config.headers");
  EXPECT_TRUE(parse_webhook_config({{"url", "https://h/"}, {"headers", json::Object{{"X-A", "a\tж"}}}}));
}

TEST(ActionConfig, ATelegramChatIsANumberOrAName) {
  const auto check = [](json::Object config) {
    return check_action(domain::ActionType::telegram, config, kGuard).has_value();
  };
  for (const json::Value& chat : {json::Value(-100123), json::Value("-100123"), json::Value("@agents_of_ours")})
    EXPECT_TRUE(check({{"chat_id", chat}, {"message_template", "x"}})) << json::dump(chat);
  for (const char* chat : {"", "@", "agents", "12x", "+12", " 12", "@a b", "9223372036854775808"})
    EXPECT_FALSE(check({{"chat_id", chat}, {"message_template", "x"}})) << chat;
}

// pipeline.md 9.4
TEST(ActionConfig, ATelegramMessageHasADefault) {
  EXPECT_TRUE(check_action(domain::ActionType::telegram, {{"chat_id", "@agents"}}, kGuard));
  EXPECT_FALSE(check_action(domain::ActionType::telegram, {{"chat_id", "@agents"}, {"message_template", ""}}, kGuard));
  EXPECT_FALSE(check_action(domain::ActionType::telegram, {{"chat_id", "@agents"}, {"message", 5}}, kGuard));
}

// What is saved is what the sender can take apart.
TEST(ActionConfig, AUrlIsReadAsTheSenderReadsIt) {
  for (const char* url :
       {"https://a:80x/", "https://a..b/", "https://0x7f.1/", "https://2130706433/", "https://h:/", "https://h",
        "https://h?x", "https://h./x", "https://[2606:4700::1]/", "HTTPS://H/a?b#c", "https://h:65536/", "https://h:0/",
        "https://u@h/", "https://h/a b", "https://h/%zz", "https://*/", "https://"}) {
    EXPECT_EQ(parse_webhook_config(hook(url)).has_value(), net::parse_url(url).has_value()) << url;
    EXPECT_EQ(refused_field(domain::ActionType::rest, hook(url)), net::parse_url(url) ? "" : "config.url") << url;
    EXPECT_EQ(refused_field(domain::ActionType::mcp, mcp(url)), net::parse_url(url) ? "" : "config.server_url") << url;
  }
}

// A URL that only some values make one would lose the alerts of the others.
TEST(ActionConfig, APlaceholderCompletesNoEscape) {
  EXPECT_TRUE(parse_webhook_config(hook("https://h/%41{{tag1}}?a={{tag2}}#{{tag1}}")));
  EXPECT_FALSE(parse_webhook_config(hook("https://h/%{{tag1}}41")));
  EXPECT_FALSE(parse_webhook_config(hook("https://h/%4{{tag1}}")));
  EXPECT_FALSE(parse_webhook_config(hook("https://h/%{{tag1}}")));
}

TEST(ActionConfig, AReceiverThatIsNeverReachedIsRefusedOnSave) {
  using domain::ActionType;
  for (const char* url : {"https://127.0.0.1/", "https://x.example:25/", "https://169.254.169.254/latest",
                          "https://[::1]/", "https://localhost/", "https://metadata.google.internal/"}) {
    EXPECT_EQ(refused_field(ActionType::rest, hook(url)), "config.url") << url;
    EXPECT_EQ(refused_field(ActionType::mcp, mcp(url)), "config.server_url") << url;
    EXPECT_TRUE(parse_webhook_config(hook(url))) << url << ": the guard belongs to saving and to sending";
  }
  EXPECT_EQ(refused_field(ActionType::rest, hook("http://x.example/{{tag1}}")), "");
  const auto https_only = net::AddressGuard::make({}, true).value();
  EXPECT_EQ(refused_field(ActionType::rest, hook("http://x.example/{{tag1}}"), https_only), "config.url");
  EXPECT_EQ(refused_field(ActionType::mcp, mcp("http://x.example/"), https_only), "config.server_url");
  const auto open = net::AddressGuard::make({"127.0.0.0/8", "receiver.internal:9000"}, true).value();
  EXPECT_EQ(refused_field(ActionType::rest, hook("http://127.0.0.1:9000/"), open), "");
  EXPECT_EQ(refused_field(ActionType::rest, hook("http://receiver.internal:9000/"), open), "");
}

TEST(ActionConfig, TheEndpointIsThatOfTheSender) {
  EXPECT_EQ(*webhook_endpoint(*parse_webhook_config(hook("HTTPS://H.example.:/{{tag1}}?{{tag2}}"))),
            "https://h.example:443");
  EXPECT_EQ(*webhook_endpoint(*parse_webhook_config(hook("http://[2606:4700:0::1]:81/"))), "http://[2606:4700::1]:81");
}

}   // namespace
}   // namespace agentauri::rules
