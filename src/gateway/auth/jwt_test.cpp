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

// What is refused: jwt_corpus_test.cpp.

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
