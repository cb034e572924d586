#include "gateway/auth/jwt.hpp"

#include <gtest/gtest.h>

#include "core/base/uuid.hpp"
#include "core/crypto/crypto.hpp"
#include "gateway/auth/refresh_token.hpp"

namespace agentauri::gateway {
namespace {

constexpr std::string_view kKey = "agentauri-jwt-vector-key-0123456789ABCDEF";
constexpr std::string_view kIssuer = "https://api.agentauri.ai";
constexpr std::int64_t kIat = 1768471200;

std::string b64(std::string_view text) {
  return crypto::base64url(as_bytes(text));
}

std::string sign(std::string_view header, std::string_view payload, std::string_view key = kKey) {
  std::string out = b64(header) + "." + b64(payload);
  return out + "." + crypto::base64url(crypto::hmac_sha256(as_bytes(key), as_bytes(out)).view());
}

constexpr std::string_view kHeader = R"({"typ":"JWT","alg":"HS256"})";
constexpr std::string_view kGood = R"({"sub":"s","username":"alice","sid":"x","exp":1768474800,"iat":1768471200})";

JwtVerdict verify(std::string_view token, std::int64_t at = kIat + 60) {
  return verify_access_token(token, {kKey, "previous-key-previous-key-previous-key"}, kIssuer, from_unix_seconds(at));
}

TEST(Jwt, WhatIsSignedIsRead) {
  const AccessClaims claims{"11111111-2222-3333-4444-555555555555", "alice \"\u00e9\"", "session", kIat, "id"};
  const auto token = sign_access_token(claims, kIssuer, kKey);
  const auto verdict = verify(token);
  ASSERT_TRUE(verdict.claims);
  EXPECT_EQ(verdict.claims->sub, claims.sub);
  EXPECT_EQ(verdict.claims->username, claims.username);
  EXPECT_EQ(verdict.claims->sid, "session");
  EXPECT_EQ(verdict.claims->iat, kIat);
  EXPECT_EQ(verdict.claims->jti, "id");
  EXPECT_TRUE(token.starts_with("eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9."));
}

TEST(Jwt, PublishedVectorsLackTheSession) {
  // protocols.md 10.7: right signature, but no `sid`.
  const std::string token =
      "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9."
      "eyJzdWIiOiIxMTExMTExMS0yMjIyLTMzMzMtNDQ0NC01NTU1NTU1NTU1NTUiLCJ1c2VybmFtZSI6ImFsaWNlIiwiZXhwIjoxNzY4NDc0ODAwLCJp"
      "YXQiOjE3Njg0NzEyMDB9."
      "8hpgPKzsNlYTCIGVkUTyqBEtX4TFTkusiu0CvchojJE";
  const std::size_t dot = token.rfind('.');
  EXPECT_EQ(
      crypto::base64url(crypto::hmac_sha256(as_bytes(kKey), as_bytes(std::string_view(token).substr(0, dot))).view()),
      token.substr(dot + 1));
  const auto verdict = verify(token);
  EXPECT_FALSE(verdict.claims);
  EXPECT_EQ(verdict.fault, JwtFault::malformed);
}

TEST(Jwt, LeewayIsSixtySeconds) {
  const auto token = sign(kHeader, kGood);
  EXPECT_TRUE(verify(token, 1768474860).claims);
  const auto late = verify(token, 1768474861);
  EXPECT_FALSE(late.claims);
  EXPECT_EQ(late.fault, JwtFault::expired);
  EXPECT_TRUE(verify(token, kIat - 60).claims);
  EXPECT_FALSE(verify(token, kIat - 61).claims);
}

TEST(Jwt, PreviousSecretStillVerifies) {
  EXPECT_TRUE(verify(sign(kHeader, kGood, "previous-key-previous-key-previous-key")).claims);
  const auto foreign = verify(sign(kHeader, kGood, "some-other-key-some-other-key-some-other"));
  EXPECT_FALSE(foreign.claims);
  EXPECT_EQ(foreign.fault, JwtFault::foreign);
  // An unset previous secret is no key.
  EXPECT_FALSE(verify_access_token(sign(kHeader, kGood, ""), {kKey, ""}, kIssuer, from_unix_seconds(kIat)).claims);
}

struct Bad {
  const char* what;
  std::string token;
};

TEST(Jwt, TheCorpusOfBadTokensIsRefused) {
  const std::string good = sign(kHeader, kGood);
  ASSERT_TRUE(verify(good).claims);
  const std::string unsigned_part = good.substr(0, good.rfind('.'));
  std::string flipped = good;
  flipped.back() = flipped.back() == 'A' ? 'B' : 'A';
  // Same 32 bytes, spelled with non-zero bits behind them.
  std::string trailing = good;
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  trailing.back() = kAlphabet[kAlphabet.find(trailing.back()) | 1];
  if (trailing == good) trailing.back() = kAlphabet[kAlphabet.find(trailing.back()) ^ 2];
  const auto with = [](std::string_view payload) { return sign(kHeader, payload); };
  const std::vector<Bad> corpus{
      {"empty", ""},
      {"two dots", ".."},
      {"one part", "abc"},
      {"four parts", good + ".x"},
      {"alg none", b64(R"({"typ":"JWT","alg":"none"})") + "." + b64(kGood) + "."},
      {"alg none with a right signature", sign(R"({"typ":"JWT","alg":"none"})", kGood)},
      {"alg HS512", sign(R"({"typ":"JWT","alg":"HS512"})", kGood)},
      {"alg in lower case", sign(R"({"typ":"JWT","alg":"hs256"})", kGood)},
      {"no alg", sign(R"({"typ":"JWT"})", kGood)},
      {"two algs", sign(R"({"alg":"none","alg":"HS256"})", kGood)},
      {"crit", sign(R"({"alg":"HS256","crit":["exp"]})", kGood)},
      {"another typ", sign(R"({"typ":"at+jwt","alg":"HS256"})", kGood)},
      {"header no object", sign("[]", kGood)},
      {"empty signature", unsigned_part + "."},
      {"short signature", unsigned_part + ".AAAA"},
      {"changed signature", flipped},
      {"trailing bits", trailing},
      {"padding", good + "="},
      {"space", " " + good},
      {"changed payload", b64(kHeader) + "." +
                              b64(R"({"sub":"t","username":"alice","sid":"x","exp":1768474800,"iat":1768471200})") +
                              good.substr(good.rfind('.'))},
      {"no sid", with(R"({"sub":"s","username":"alice","exp":1768474800,"iat":1768471200})")},
      {"empty sid", with(R"({"sub":"s","username":"alice","sid":"","exp":1768474800,"iat":1768471200})")},
      {"sid a number", with(R"({"sub":"s","username":"alice","sid":1,"exp":1768474800,"iat":1768471200})")},
      {"no sub", with(R"({"username":"alice","sid":"x","exp":1768474800,"iat":1768471200})")},
      {"no username", with(R"({"sub":"s","sid":"x","exp":1768474800,"iat":1768471200})")},
      {"no exp", with(R"({"sub":"s","username":"alice","sid":"x","iat":1768471200})")},
      {"no iat", with(R"({"sub":"s","username":"alice","sid":"x","exp":1768474800})")},
      {"exp a string", with(R"({"sub":"s","username":"alice","sid":"x","exp":"1768474800","iat":1768471200})")},
      {"exp a fraction", with(R"({"sub":"s","username":"alice","sid":"x","exp":1768474800.5,"iat":1768471200})")},
      {"exp huge", with(R"({"sub":"s","username":"alice","sid":"x","exp":9223372036854775807,"iat":1768471200})")},
      {"exp before iat", with(R"({"sub":"s","username":"alice","sid":"x","exp":1768471199,"iat":1768471200})")},
      {"sub twice", with(R"({"sub":"s","sub":"t","username":"alice","sid":"x","exp":1768474800,"iat":1768471200})")},
      {"exp twice", with(R"({"sub":"s","username":"alice","sid":"x","exp":1,"exp":1768474800,"iat":1768471200})")},
      {"an escaped name",
       with(R"({"sub":"s","\u0073ub":"t","username":"alice","sid":"x","exp":1768474800,"iat":1768471200})")},
      {"foreign iss",
       with(
           R"({"iss":"https://evil.example","sub":"s","username":"alice","sid":"x","exp":1768474800,"iat":1768471200})")},
      {"foreign aud",
       with(
           R"({"aud":["https://evil.example"],"sub":"s","username":"alice","sid":"x","exp":1768474800,"iat":1768471200})")},
      {"iss a number", with(R"({"iss":1,"sub":"s","username":"alice","sid":"x","exp":1768474800,"iat":1768471200})")},
      {"text behind the payload", with(std::string(kGood) + "{}")},
      {"deep", with(std::string(R"({"a":)") + std::string(40, '[') + std::string(40, ']') + "}")},
      {"huge", with(R"({"sub":"s","username":")" + std::string(8000, 'a') +
                    R"(","sid":"x","exp":1768474800,"iat":1768471200})")},
  };
  for (const auto& bad : corpus) EXPECT_FALSE(verify(bad.token).claims) << bad.what;
}

TEST(Jwt, OurOwnIssuerAndAudienceArePassed) {
  EXPECT_TRUE(
      verify(
          sign(
              kHeader,
              R"({"iss":"https://api.agentauri.ai","aud":["x","https://api.agentauri.ai"],"sub":"s","username":"a","sid":"x","exp":1768474800,"iat":1768471200})"))
          .claims);
}

TEST(RefreshToken, HasItsPublishedShape) {
  const auto token = make_refresh_token();
  EXPECT_EQ(token.size(), 47U);
  EXPECT_TRUE(is_refresh_token(token));
  EXPECT_NE(token, make_refresh_token());
  EXPECT_EQ(refresh_token_hash("urt_" + std::string(43, 'A')),
            "26bd988775becd1e76ea649df211ff2cd9d4581638e8e446d5b346fbc8b4f7b7");
  for (const auto& bad :
       {std::string(), std::string("urt_"), token + "A", token.substr(0, 46), "oac_" + token.substr(4),
        "urt_" + std::string(42, 'A') + "B", "urt_" + std::string(42, 'A') + "="}) {
    EXPECT_FALSE(is_refresh_token(bad)) << bad;
  }
}

TEST(RefreshToken, SuccessorsAreDerivedFromTokenAndSecret) {
  const auto token = make_refresh_token();
  const RefreshKeys keys("secret one");
  EXPECT_EQ(keys.successor_of(token), RefreshKeys("secret one").successor_of(token));
  EXPECT_NE(keys.successor_of(token), RefreshKeys("secret two").successor_of(token));
  EXPECT_NE(keys.successor_of(token), token);
  EXPECT_TRUE(is_refresh_token(keys.successor_of(token)));
  EXPECT_TRUE(parse_uuid(keys.access_token_id(token)));
}

}   // namespace
}   // namespace agentauri::gateway
