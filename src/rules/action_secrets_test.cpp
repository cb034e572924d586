#include "rules/action_secrets.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "rules/action_config.hpp"

namespace agentauri::rules {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr domain::ActionId kAction = 7;
constexpr std::size_t kMaxHeaderBytes = 1024;

const crypto::DataKeys& keys() {
  static const auto derived = crypto::DataKeys::derive("a secret", "");
  return derived;
}
json::Object object(std::string_view text) {
  auto parsed = json::parse(text);
  EXPECT_TRUE(parsed && parsed->is_object()) << text;
  return parsed && parsed->is_object() ? std::move(parsed->get_object()) : json::Object();
}
json::Object encrypted(std::string_view text) {
  return encrypt_config(object(text), kAction, keys());
}
std::string decrypted(const json::Object& stored) {
  auto plain = decrypt_config(stored, kAction, keys());
  return plain ? json::dump(*plain) : plain.error().text;
}
std::string masked(const json::Object& stored) {
  return json::dump(mask_config(stored));
}
std::string hook_with(std::string_view header, std::size_t bytes) {
  return fmt::format(R"({{"url":"https://h/","headers":{{"{}":"{}"}}}})", header, std::string(bytes, 'k'));
}

TEST(ActionSecrets, AreEncryptedMaskedAndKept) {
  const auto plain = object(R"({"url":"https://h/","headers":{"Authorization":"Bearer x","X-Note":"n"},"secret":"s"})");
  const auto stored = encrypt_config(plain, kAction, keys());
  EXPECT_THAT(json::dump(stored), Not(HasSubstr("Bearer x")));
  EXPECT_EQ(decrypted(stored), json::dump(plain));
  EXPECT_FALSE(decrypt_config(stored, kAction + 1, keys())) << "a value that was moved to another row";
  EXPECT_EQ(masked(stored), R"({"url":"https://h/","headers":{"Authorization":"***","X-Note":"n"},"secret":"***"})");
  const auto merged = merge_masked(mask_config(stored), stored);
  ASSERT_TRUE(merged);
  EXPECT_EQ(json::dump(*merged), json::dump(stored));
  EXPECT_FALSE(merge_masked(object(R"({"token":"***"})"), stored));
}

TEST(ActionSecrets, LieInArraysToo) {
  constexpr std::string_view kPlain =
      R"({"tokens":["t0","t1"],"deep":[[{"password":"p"}]],"list":[{"name":"a","api_key":["k0",["k1"]]},"open"]})";
  const auto stored = encrypted(kPlain);
  for (const char* secret : {"\"t0\"", "\"t1\"", "\"p\"", "\"k0\"", "\"k1\""})
    EXPECT_THAT(json::dump(stored), Not(HasSubstr(secret)));
  EXPECT_THAT(json::dump(stored), HasSubstr("\"open\""));
  EXPECT_EQ(decrypted(stored), kPlain);
  EXPECT_EQ(
      masked(stored),
      R"({"tokens":["***","***"],"deep":[[{"password":"***"}]],"list":[{"name":"a","api_key":["***",["***"]]},"open"]})");
}

TEST(ActionSecrets, AMaskInAnArrayKeepsWhatStandsAtItsPlace) {
  const auto stored =
      encrypted(R"({"tokens":["t0","t1"],"list":[{"name":"a","token":"u0"},{"name":"b","token":"u1"}]})");
  const auto merged = merge_masked(
      object(
          R"({"tokens":["new","***"],"list":[{"name":"c","token":"***"},{"name":"b","token":"***"},{"token":"u2"}]})"),
      stored);
  ASSERT_TRUE(merged) << merged.error().field;
  EXPECT_EQ(decrypted(*merged),
            R"({"tokens":["new","t1"],"list":[{"name":"c","token":"u0"},{"name":"b","token":"u1"},{"token":"u2"}]})");
  const auto beyond = merge_masked(object(R"({"tokens":["***","***","***"]})"), stored);
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().field, "config.tokens[2]");
  EXPECT_EQ(merge_masked(object(R"({"list":[{"token":"***"},{"x":{"token":"***"}}]})"), stored).error().field,
            "config.list[1].x.token");
}

// The whole value of a secret member is secret, also when it has parts.
TEST(ActionSecrets, CoverEverythingBelowTheirMember) {
  constexpr std::string_view kPlain = R"({"credentials":{"user":"u","pin":1234,"on":true,"none":null}})";
  const auto stored = encrypted(kPlain);
  EXPECT_THAT(json::dump(stored), Not(HasSubstr("\"u\"")));
  EXPECT_EQ(decrypted(stored), kPlain);
  EXPECT_EQ(masked(stored), R"({"credentials":{"user":"***","pin":"***","on":true,"none":null}})");
  for (const char* fresh :
       {R"({"credentials":{"user":"***","pin":"***","on":true,"none":null}})", R"({"credentials":"***"})"}) {
    const auto merged = merge_masked(object(fresh), stored);
    ASSERT_TRUE(merged) << fresh;
    EXPECT_EQ(decrypted(*merged), kPlain) << fresh;
  }
}

// `{"token_uri": "{{token_uri}}"}`: bodies are rendered from the stored form, by somebody without keys.
TEST(ActionSecrets, PlaceholdersAloneAreNoSecret) {
  constexpr std::string_view kPlain =
      R"({"url":"https://h/","body":{"token_uri":"{{token_uri}}","tokens":["{{ tag1 }} / {{tag2}}"]}})";
  const auto stored = encrypted(kPlain);
  EXPECT_EQ(json::dump(stored), kPlain);
  EXPECT_EQ(masked(stored), kPlain);
  const auto config = parse_webhook_config(stored);
  ASSERT_TRUE(config);
  EXPECT_EQ(render_webhook_body(*config, object(R"({"token_uri":"ipfs://x","tag1":"a","tag2":"b"})")),
            R"({"token_uri":"ipfs://x","tokens":["a / b"]})");
  EXPECT_THAT(masked(encrypted(R"({"token":"literal {{tag1}}"})")), HasSubstr("***"));
}

// The engine renders bodies and has no keys; who sends them opens them.
TEST(ActionSecrets, InABodyAreOpenedByTheSender) {
  const auto data = object(R"({"score":45,"token_uri":"enc:v1:k1:forged"})");
  const auto config = parse_webhook_config(encrypted(
      R"({"url":"https://h/","body":{"token":"s3cret of {{score}}","keys":{"tokens":["k0"]},"n":"{{score}}","token_uri":"{{token_uri}}"}})"));
  ASSERT_TRUE(config);
  const auto body = render_webhook_body(*config, data);
  ASSERT_TRUE(body);
  EXPECT_THAT(*body, Not(HasSubstr("s3cret")));
  EXPECT_EQ(open_body(*body, kAction, keys(), data),
            R"({"token":"s3cret of 45","keys":{"tokens":["k0"]},"n":45,"token_uri":"enc:v1:k1:forged"})");
  EXPECT_EQ(open_body(R"({ "n": 1 })", kAction, keys(), data), R"({ "n": 1 })")
      << "nothing to open: the bytes as they are";
}

TEST(ActionSecrets, TheLimitOfAHeaderIsThatOfItsClearText) {
  const auto stored = encrypted(hook_with("Authorization", kMaxHeaderBytes));
  EXPECT_GT(json::dump(stored).size(), kMaxHeaderBytes + 300) << "the stored form is longer";
  const auto read = parse_webhook_config(stored);
  EXPECT_TRUE(read) << read.error().text;
  EXPECT_TRUE(parse_webhook_config(*decrypt_config(stored, kAction, keys())));
  EXPECT_FALSE(parse_webhook_config(object(hook_with("Authorization", kMaxHeaderBytes + 1))));
  EXPECT_FALSE(parse_webhook_config(encrypted(hook_with("Authorization", kMaxHeaderBytes + 1))));
  // What merely looks encrypted gains nothing by it.
  EXPECT_FALSE(parse_webhook_config(
      object(R"({"url":"https://h/","headers":{"X-Note":"enc:v1:k:)" + std::string(kMaxHeaderBytes, 'A') + "\"}}")));
}

}   // namespace
}   // namespace agentauri::rules
