// Whoever is watched chooses what stands in an event: no text of theirs may keep an alert from being sent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/http_message.hpp"
#include "net/url.hpp"
#include "rules/action_config.hpp"
#include "rules/action_secrets.hpp"
#include "rules/templates.hpp"

namespace agentauri::rules {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::size_t kUrlBytes = 2048, kHeaderBytes = 1024;

std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}
bool is_utf8(std::string_view text) {
  return json::parse(json::dump(json::String(text))).has_value();
}
WebhookConfig hook(json::Object more) {
  if (!more.contains("url")) more["url"] = "https://h/";
  auto parsed = parse_webhook_config(more);
  EXPECT_TRUE(parsed) << parsed.error().text;
  return parsed.value_or(WebhookConfig());
}
json::Object chain_says(std::string_view tag) {
  return {{"agent_id", 42}, {"tag1", json::String(tag)}, {"tags", json::Array{json::String(tag), "b"}}};
}

TEST(CutValues, AUrlIsSentWithAsMuchAsFits) {
  for (const std::string& tag : {std::string(2048, 't'), repeated("\u00e4", 2000), repeated("\U0001F600", 100'000),
                                 repeated("%/?#", 10'000), std::string(3000, '\n'), std::string(1'000'000, ' ')}) {
    for (const char* url : {"https://h/a/{{tag1}}?id={{agent_id}}", "https://h/a/{{raw:tag1}}?id={{agent_id}}",
                            "https://h/a/{{tag1}}/{{tag1}}?id={{agent_id}}", "https://h/a/{{tags}}?id={{agent_id}}"}) {
      const auto rendered = render_webhook_url(hook({{"url", url}}), chain_says(tag));
      ASSERT_TRUE(rendered) << url << rendered.error().text;
      EXPECT_LE(rendered->size(), kUrlBytes);
      EXPECT_GT(rendered->size(), kUrlBytes - 50) << "no more is cut than must be";
      const auto parsed = net::parse_url(*rendered);
      ASSERT_TRUE(parsed) << *rendered;
      EXPECT_EQ(parsed->host, "h");
      EXPECT_THAT(parsed->target, StartsWith("/a/"));
      EXPECT_TRUE(parsed->target.ends_with("?id=42")) << "short values are whole";
      std::string decoded;
      EXPECT_TRUE(net::percent_decode(parsed->target, decoded));
      EXPECT_TRUE(is_utf8(decoded));
    }
  }
}

TEST(CutValues, ARawValueNeverBreaksItsUrl) {
  const auto target = [](std::string_view tag) {
    const auto rendered = render_webhook_url(hook({{"url", "https://h/{{raw:tag1}}"}}), chain_says(tag));
    const auto parsed = rendered ? net::parse_url(*rendered) : Result<net::Url>(fail(Code::invalid, "not rendered"));
    return parsed ? parsed->endpoint() + parsed->target : parsed.error().text;
  };
  EXPECT_EQ(target("a/b?c=d&e=%41"), "https://h:443/a/b?c=d&e=%41");
  EXPECT_EQ(target("a b\r\n#c"), "https://h:443/a%20b%0D%0A%23c");
  EXPECT_EQ(target("%zz%4"), "https://h:443/%25zz%254");
  EXPECT_EQ(target("[\\]{\"}^`|<>"), "https://h:443/%5B%5C%5D%7B%22%7D%5E%60%7C%3C%3E");
  EXPECT_EQ(target("\u00e4"), "https://h:443/%C3%A4");
}

TEST(CutValues, AHeaderIsSentWithAsMuchAsFits) {
  const auto whole = render_webhook_header("{{tag1}}", chain_says(std::string(kHeaderBytes, 'x')));
  EXPECT_EQ(whole.value_or(""), std::string(kHeaderBytes, 'x'));
  for (const std::string& tag : {std::string(kHeaderBytes + 1, 'x'), repeated("\u00e4", 5000)}) {
    const auto rendered = render_webhook_header("id {{agent_id}}: {{tag1}}", chain_says(tag));
    ASSERT_TRUE(rendered) << rendered.error().text;
    EXPECT_LE(rendered->size(), kHeaderBytes);
    EXPECT_GT(rendered->size(), kHeaderBytes - 8);
    EXPECT_THAT(*rendered, StartsWith("id 42: "));
    EXPECT_TRUE(rendered->ends_with("..."));
    EXPECT_TRUE(is_utf8(*rendered));
  }
}

TEST(CutValues, ABodyIsSentWithAsMuchAsFits) {
  const json::Value body{{"id", "{{agent_id}}"}, {"tag", "{{tag1}}"}, {"all", "{{tags}}"}, {"text", "says {{tag1}}!"}};
  for (const std::string& tag : {std::string(70'000, 'x'), repeated("\u00e4", 100'000), std::string(40'000, '"'),
                                 std::string(30'000, '\x01'), std::string(2'000'000, 'x')}) {
    for (const bool coercion : {false, true}) {
      const auto rendered =
          render_webhook_body(hook({{"body", body}, {"legacy_json_coercion", coercion}}), chain_says(tag));
      ASSERT_TRUE(rendered) << rendered.error().text;
      EXPECT_LE(rendered->size(), kMaxRenderedBytes);
      EXPECT_GT(rendered->size(), kMaxRenderedBytes - 100);
      const auto parsed = json::parse(*rendered);
      ASSERT_TRUE(parsed);
      EXPECT_EQ(parsed->at("id"), 42);
      EXPECT_TRUE(json::view(parsed->at("text").get_string()).ends_with("...!"));
    }
  }
}

// A template of its greatest size holds whatever the values are.
TEST(CutValues, EveryTemplateThatIsSavedCanBeSent) {
  json::Array items;
  std::size_t bytes = 20;
  for (; bytes + 11 < kMaxTemplateBytes; bytes += 11) items.emplace_back("{{value}}"), bytes += 1;
  const auto config = hook({{"body", json::Object{{"a", items}}}});
  for (const json::Value& value : {json::Value(9'007'199'254'740'991), json::Value(std::string(5000, 'v')),
                                   json::Value(nullptr), json::Value(true), json::Value(0.1234567890123)}) {
    const auto rendered = render_webhook_body(config, {{"value", value}});
    ASSERT_TRUE(rendered) << rendered.error().text;
    EXPECT_LE(rendered->size(), kMaxRenderedBytes);
  }
}

// The job is made without keys: what its secrets will be is shorter than what they are stored as.
TEST(CutValues, ABodyOfManySecretsIsNotTooLong) {
  const auto keys = crypto::DataKeys::derive(std::string(40, 'k'), "");
  json::Array tokens;
  for (int i = 0; i < 2000; ++i) tokens.emplace_back("a secret");
  const json::Object clear{{"url", "https://h/"}, {"body", json::Object{{"tokens", tokens}, {"tag", "{{tag1}}"}}}};
  const auto stored = encrypt_config(clear, 7, keys);
  EXPECT_GT(json::dump(stored).size(), kMaxRenderedBytes);
  const auto data = chain_says(std::string(100'000, 'x'));
  const auto body = render_webhook_body(hook(stored), data);
  ASSERT_TRUE(body) << body.error().text;
  const auto opened = open_body(*body, 7, keys, data);
  ASSERT_TRUE(opened) << opened.error().text;
  EXPECT_LE(opened->size(), kMaxRenderedBytes);
  EXPECT_THAT(*opened, HasSubstr("\"a secret\",\"a secret\""));
}

TEST(CutValues, OnlyItsOwnTextMakesATemplateTooLong) {
  const auto refused = render_text("0123456789{{tag1}}", chain_says("x"), Escape::none, 9);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::too_large);
  EXPECT_EQ(render_text("0123456789{{tag1}}", chain_says("abcdef"), Escape::none, 10).value_or("?"), "0123456789");
  EXPECT_EQ(render_text("0123456789{{tag1}}", chain_says("abcdef"), Escape::none, 15).value_or("?"), "0123456789ab...");
  EXPECT_EQ(render_text("0123456789{{tag1}}", chain_says("abcdef"), Escape::none, 16).value_or("?"),
            "0123456789abcdef");
  EXPECT_FALSE(parse_webhook_config({{"url", "https://h/" + std::string(kUrlBytes, 'x')}}));
}

}   // namespace
}   // namespace agentauri::rules
