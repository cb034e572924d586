#include "rules/templates.hpp"

#include <gtest/gtest.h>

#include "rules/action_config.hpp"

namespace agentauri::rules {
namespace {

json::Object data() {
  return {{"score", 45},
          {"agent_id", 42},
          {"tag1", "a {{score}} b"},
          {"tag2", nullptr},
          {"tags", json::Array{"x", "y"}},
          {"timestamp", 1768471200},
          {"transaction_hash", "0xabc"},
          {"owner", "<b>&_*[x](y)!"},
          {"token_uri", "a b/c?d=e&f\r\nX-Evil: 1"},
          {"ema", "69.75"}};
}
std::string text(const char* source, Escape escape = Escape::none) {
  auto out = render_text(source, data(), escape);
  EXPECT_TRUE(out) << out.error().text;
  return out.value_or("");
}

TEST(Templates, FillsEverySpelling) {
  EXPECT_EQ(text("{{score}}/{{ score }}/{{data.score}}"), "45/45/45");
  EXPECT_EQ(text("{{tx_hash}} {{ema_score}}"), "0xabc 69.75");
  EXPECT_EQ(text("{{tags}}"), "x, y");
  EXPECT_EQ(text("[{{tag2}}]"), "[]");
  EXPECT_EQ(text("{{timestamp}} {{timestamp_iso}}"), "2026-01-15 10:00:00 UTC 2026-01-15T10:00:00Z");
}

TEST(Templates, ValuesAreNeverScannedAgain) {
  EXPECT_EQ(text("{{tag1}}"), "a {{score}} b");
}

TEST(Templates, WhatIsNoPlaceholderStaysAsItIs) {
  EXPECT_EQ(text("{{}} {{a b}} {score} {{score"), "{{}} {{a b}} {score} {{score");
}

TEST(Templates, EscapesForWhereTheTextGoes) {
  EXPECT_EQ(text("{{owner}}", Escape::html), "&lt;b&gt;&amp;_*[x](y)!");
  EXPECT_EQ(text("{{owner}}", Escape::markdown_v2), "<b\\>&\\_\\*\\[x\\]\\(y\\)\\!");
  EXPECT_EQ(text("{{token_uri}}", Escape::url_component), "a%20b%2Fc%3Fd%3De%26f%0D%0AX-Evil%3A%201");
  EXPECT_EQ(text("{{token_uri}}", Escape::http_header), "a b/c?d=e&fX-Evil: 1");
  EXPECT_EQ(text("{{raw:owner}}", Escape::html), "<b>&_*[x](y)!");
  EXPECT_EQ(text("{{raw:token_uri}}", Escape::http_header), "a b/c?d=e&fX-Evil: 1");
}

TEST(Templates, JsonKeepsTypes) {
  const auto source = json::parse(R"({"a":"{{score}}","b":"n {{score}}","c":["{{tag2}}",1],"{{score}}":"{{tag1}}"})");
  const auto out = render_json(*source, data(), false);
  ASSERT_TRUE(out);
  EXPECT_EQ(json::dump(*out), R"({"a":45,"b":"n 45","c":[null,1],"{{score}}":"a {{score}} b"})");
}

TEST(Templates, UnknownNamesAreRefused) {
  EXPECT_FALSE(check_template("{{scorre}}"));
  EXPECT_NE(check_template("{{scorre}}").error().text.find("scorre"), std::string::npos);
  EXPECT_FALSE(check_template(std::string(kMaxTemplateBytes + 1, 'x')));
  EXPECT_TRUE(check_template(std::string(kMaxTemplateBytes, 'x')));
}

Error refusal(const char* config) {
  auto parsed = parse_webhook_config(json::parse(config)->get_object());
  EXPECT_FALSE(parsed) << config;
  return parsed ? Error{} : parsed.error();
}

TEST(WebhookConfig, NamesTheMemberThatIsWrong) {
  EXPECT_EQ(refusal(R"({})").field, "config.url");
  for (const char* url : {"ftp://x/", "https://{{owner}}.example/", "https://user:pw@host/", "https:///x", "not a url",
                          "https://host:0/"}) {
    EXPECT_EQ(refusal((std::string(R"({"url":")") + url + "\"}").c_str()).field, "config.url") << url;
  }
  EXPECT_EQ(refusal(R"({"url":"https://h/","method":"TRACE"})").field, "config.method");
  EXPECT_EQ(refusal(R"({"url":"https://h/","headers":{"Host":"x"}})").field, "config.headers");
  EXPECT_EQ(refusal(R"({"url":"https://h/","headers":{"X":"a\nb"}})").field, "config.headers");
  EXPECT_EQ(refusal(R"({"url":"https://h/","timeout_seconds":0})").field, "config.timeout_seconds");
  EXPECT_EQ(refusal(R"({"url":"https://h/","retry_count":11})").field, "config.retry_count");
  EXPECT_EQ(refusal(R"({"url":"https://h/","expected_status_codes":[99]})").field, "config.expected_status_codes");
  EXPECT_EQ(refusal(R"({"url":"https://h/","body":{"x":"{{nonsense}}"}})").field, "config.body");
}

}   // namespace
}   // namespace agentauri::rules
