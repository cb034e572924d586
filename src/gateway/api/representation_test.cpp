// What caches and unpacking clients meet: tags, 304, encodings, and what nobody may keep.
#include "gateway/api/representation.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/testing/gateway_fixture.hpp"

namespace agentauri::gateway {
namespace {

using testing::Answer;
using ::testing::EndsWith;
using testing::Harness;
using ::testing::HasSubstr;
using testing::HeaderList;
using ::testing::MatchesRegex;

constexpr std::string_view kVary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

HeaderList with(HeaderList headers, std::string name, std::string value) {
  headers.emplace_back(std::move(name), std::move(value));
  return headers;
}

class Representation : public ::testing::Test {
 protected:
  void fill(int triggers) {
    for (int i = 0; i < triggers; ++i)
      ASSERT_EQ(
          h.post("/api/v1/triggers", fmt::format(R"({{"name":"watch {}","registry":"identity"}})", i), user).status,
          201);
  }
  Answer page(const std::string& encodings, const std::string& known = "") {
    auto headers = user;
    if (!encodings.empty()) headers.emplace_back("Accept-Encoding", encodings);
    if (!known.empty()) headers.emplace_back("If-None-Match", known);
    return h.get("/api/v1/triggers", headers);
  }

  Harness h;
  HeaderList user = h.signed_in("orbit7");
};

TEST_F(Representation, AReadIsPrivateTaggedAndAskedAboutEachTime) {
  fill(2);
  const auto first = page("");
  EXPECT_EQ(first.status, 200);
  EXPECT_THAT(first.header("ETag"), MatchesRegex("\"[0-9a-f]{32}\""));
  EXPECT_EQ(first.header("Cache-Control"), "private, no-cache");
  EXPECT_EQ(first.all("Vary"), std::vector<std::string>{std::string(kVary) + ", Accept-Encoding"});
  EXPECT_EQ(page("").header("ETag"), first.header("ETag"));
  fill(1);
  EXPECT_NE(page("").header("ETag"), first.header("ETag")) << "another list";
}

TEST_F(Representation, WhatTheClientHasIsNotSentAgain) {
  fill(2);
  const auto first = page("");
  for (const auto& known : {first.header("ETag"), "\"x\", W/" + first.header("ETag"), std::string("*")}) {
    const auto again = page("", known);
    EXPECT_EQ(again.status, 304) << known;
    EXPECT_EQ(again.text, "");
    for (const auto* name : {"ETag", "Cache-Control", "Vary", "X-Content-Type-Options", "X-RateLimit-Limit"})
      EXPECT_EQ(again.header(name), first.header(name)) << name;
    EXPECT_FALSE(again.header("X-Request-ID").empty());
    EXPECT_EQ(again.header("Content-Type"), "") << "it describes a body";
  }
  EXPECT_EQ(page("", "\"x\"").status, 200);
  EXPECT_EQ(h.call({"HEAD", "/api/v1/triggers", std::nullopt, with(user, "If-None-Match", first.header("ETag")),
                    "203.0.113.7"})
                .status,
            304);
  const int left = std::stoi(page("").header("X-RateLimit-Remaining"));
  EXPECT_EQ(page("", "*").header("X-RateLimit-Remaining"), std::to_string(left - 1)) << "counted like any read";
}

TEST_F(Representation, TheTagOfOneUserOpensNothingOfAnother) {
  fill(2);
  const auto tag = page("").header("ETag");
  const auto other = h.get("/api/v1/triggers", with(h.signed_in("other"), "If-None-Match", tag));
  EXPECT_EQ(other.status, 200);
  EXPECT_NE(other.header("ETag"), tag);
  EXPECT_EQ(h.get("/api/v1/triggers", {{"If-None-Match", "*"}}).status, 401);
  EXPECT_EQ(h.get("/api/v1/triggers/none", with(user, "If-None-Match", "*")).status, 404);
}

TEST_F(Representation, LongAnswersArePackedAsAsked) {
  fill(6);
  const auto plain = page("");
  ASSERT_GE(plain.text.size(), kMinPackedBytes);
  EXPECT_EQ(plain.header("Content-Encoding"), "");
  for (const auto& [asked, coding] : std::vector<std::pair<std::string, std::string>>{
           {"gzip, deflate, br", "br"}, {"gzip", "gzip"}, {"br;q=0, *", "gzip"}}) {
    const auto packed = page(asked);
    EXPECT_EQ(packed.header("Content-Encoding"), coding) << asked;
    EXPECT_EQ(packed.text, plain.text) << asked;
    EXPECT_EQ(packed.header("Content-Type"), "application/json");
    EXPECT_THAT(packed.header("Vary"), EndsWith(", Accept-Encoding"));
    EXPECT_THAT(packed.header("ETag"), EndsWith("-" + coding + "\"")) << "each representation has its own";
    EXPECT_EQ(page(asked, packed.header("ETag")).status, 304);
    EXPECT_EQ(page("", packed.header("ETag")).status, 200) << "that is another representation";
  }
}

TEST_F(Representation, ShortOnesOnlyForWhoTakesNothingElse) {
  fill(1);
  EXPECT_LT(page("").text.size(), kMinPackedBytes);
  EXPECT_EQ(page("gzip, br").header("Content-Encoding"), "");
  EXPECT_EQ(page("gzip, identity;q=0").header("Content-Encoding"), "gzip");
  EXPECT_EQ(page("identity;q=0").status, 200) << "better than nothing";
}

void expect_not_kept(const Answer& answer, const std::string& what) {
  EXPECT_EQ(answer.header("Cache-Control"), "no-store") << what;
  EXPECT_EQ(answer.header("ETag"), "") << what;
  EXPECT_EQ(answer.header("Content-Encoding"), "") << what;
  EXPECT_EQ(answer.header("Vary"), kVary) << what;
}

TEST_F(Representation, SecretsErrorsAndWritesAreNeverKeptOrPacked) {
  const auto asking = with(user, "Accept-Encoding", "br, gzip, identity;q=0");
  for (const auto* path : {"/api/v1/auth/me", "/api/v1/auth/sessions", "/api/v1/auth/password-policy", "/api/v1/health",
                           "/api/v1/health/live", "/api/v1/health/ready", "/nowhere", "/api/v1/triggers?limit=0"})
    expect_not_kept(h.get(path, asking), path);
  expect_not_kept(h.log_in("orbit7", testing::kPassword), "login");
  expect_not_kept(h.log_in("orbit7", "wrong"), "failed login");
  expect_not_kept(h.post("/api/v1/triggers", R"({"name":"t","registry":"identity"})", asking), "POST");
  const auto key = h.post("/api/v1/api-keys?organization_id=" + h.organization_id(user),
                          R"({"name":"k","environment":"live"})", asking);
  ASSERT_EQ(key.status, 201) << key.text;
  expect_not_kept(key, "a new key");
  expect_not_kept(testing::read_answer({}, h.gateway_->render_error(431, "too many fields", net::HttpRequest())),
                  "of the server itself");
}

TEST_F(Representation, TheDescriptionIsForEverybody) {
  const auto plain = h.get("/api/v1/openapi.json");
  EXPECT_EQ(plain.header("Cache-Control"), "public, no-cache");
  for (const auto& coding : {std::string("br"), std::string("gzip")}) {
    const auto packed = h.get("/api/v1/openapi.json", {{"Accept-Encoding", coding}});
    EXPECT_EQ(packed.header("Content-Encoding"), coding);
    EXPECT_EQ(packed.text, plain.text);
    EXPECT_EQ(
        h.get("/api/v1/openapi.json", {{"Accept-Encoding", coding}, {"If-None-Match", packed.header("ETag")}}).status,
        304);
  }
  EXPECT_EQ(h.get("/api/v1/openapi.json", {{"If-None-Match", plain.header("ETag")}}).status, 304);
}

TEST_F(Representation, PagesOfOtherOriginsMayReadTheTag) {
  const auto answer = h.get("/api/v1/triggers", with(user, "Origin", "https://app.example.org"));
  EXPECT_THAT(answer.header("Access-Control-Expose-Headers"), HasSubstr("etag"));
  EXPECT_EQ(h.call({"OPTIONS",
                    "/api/v1/triggers",
                    std::nullopt,
                    {{"Origin", "https://app.example.org"},
                     {"Access-Control-Request-Method", "GET"},
                     {"Access-Control-Request-Headers", "authorization,if-none-match"}},
                    "203.0.113.7"})
                .status,
            200);
}

}   // namespace
}   // namespace agentauri::gateway
