// The corpus of forged, broken and misused access tokens. One token differs from a good one in one thing.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/crypto/crypto.hpp"
#include "gateway/auth/jwt.hpp"

namespace agentauri::gateway {
namespace {

constexpr std::string_view kKey = "agentauri-jwt-vector-key-0123456789ABCDEF";
constexpr std::string_view kIssuer = "https://api.agentauri.ai";
constexpr std::int64_t kIat = 1768471200;
constexpr std::string_view kHeader = R"({"typ":"JWT","alg":"HS256"})";
constexpr std::string_view kGood = R"({"sub":"s","username":"alice","sid":"x","exp":1768474800,"iat":1768471200})";

std::string b64(std::string_view text) {
  return crypto::base64url(as_bytes(text));
}
std::string sign(std::string_view header, std::string_view payload, std::string_view key = kKey) {
  const std::string text = b64(header) + "." + b64(payload);
  return text + "." + crypto::base64url(crypto::hmac_sha256(as_bytes(key), as_bytes(text)).view());
}
// Signed as it is written, so that only the spelling of a part can be what refuses it.
std::string sign_spelled(const std::string& header, const std::string& payload) {
  const std::string text = header + "." + payload;
  return text + "." + crypto::base64url(crypto::hmac_sha256(as_bytes(kKey), as_bytes(text)).view());
}
std::string with_header(std::string_view header) {
  return sign(header, kGood);
}
std::string with_claims(std::string_view claims) {
  return sign(kHeader, claims);
}
// The good claims with one of them replaced (or left out when `value` is empty).
std::string with_claim(std::string_view name, std::string_view value) {
  std::string out = "{";
  const std::vector<std::pair<std::string_view, std::string_view>> good{
      {"sub", "\"s\""}, {"username", "\"alice\""}, {"sid", "\"x\""}, {"exp", "1768474800"}, {"iat", "1768471200"}};
  bool is_known = false;
  const auto add = [&out](std::string_view key, std::string_view text) {
    if (!text.empty()) out += fmt::format("{}\"{}\":{}", out.size() > 1 ? "," : "", key, text);
  };
  for (const auto& [key, text] : good) {
    is_known = is_known || key == name;
    add(key, key == name ? value : text);
  }
  if (!is_known) add(name, value);
  return with_claims(out + "}");
}

JwtVerdict verify(std::string_view token) {
  return verify_access_token(token, {kKey, "previous-key-previous-key-previous-key"}, kIssuer,
                             from_unix_seconds(kIat + 60));
}
bool passes(std::string_view token) {
  return verify(token).claims.has_value();
}

TEST(JwtCorpus, TheTokenThatTheOthersDifferFromIsGood) {
  EXPECT_TRUE(passes(sign(kHeader, kGood)));
  EXPECT_TRUE(passes(sign_spelled(b64(kHeader), b64(kGood))));
  EXPECT_TRUE(passes(with_claim("", "")));
  EXPECT_TRUE(passes(with_claim("role", "\"admin\""))) << "a claim that nobody reads";
}

TEST(JwtCorpus, OnlyHs256IsAnAlgorithm) {
  for (const char* alg :
       {"none",   "None",   "NONE",     "nOnE",       " none",        "none ",  "null",  "",      "hs256",
        "Hs256",  "HS256 ", " HS256",   "HS-256",     "HS256\\u0000", "HS384",  "HS512", "HS1",   "RS256",
        "RS384",  "RS512",  "PS256",    "PS512",      "ES256",        "ES256K", "ES384", "ES512", "EdDSA",
        "A128KW", "dir",    "RSA-OAEP", "HMACSHA256", "sha256",       "*"}) {
    const auto header = fmt::format(R"({{"typ":"JWT","alg":"{}"}})", alg);
    EXPECT_FALSE(passes(with_header(header))) << alg << ", rightly signed";
    EXPECT_FALSE(passes(b64(header) + "." + b64(kGood) + ".")) << alg << ", without a signature";
    EXPECT_FALSE(passes(b64(header) + "." + b64(kGood))) << alg << ", in two parts";
  }
  for (const char* alg : {"null", "0", "256", "true", "[]", R"(["HS256"])", "{}", R"({"HS256":1})"})
    EXPECT_FALSE(passes(with_header(fmt::format(R"({{"typ":"JWT","alg":{}}})", alg)))) << alg;
  EXPECT_FALSE(passes(with_header(R"({"typ":"JWT"})")));
  EXPECT_FALSE(passes(with_header(R"({"typ":"JWT","ALG":"HS256"})"))) << "names have case";
  for (const char* typ : {"\"at+jwt\"", "\"JWE\"", "\"jwt\"", "\"\"", "null", "1", "[]"})
    EXPECT_FALSE(passes(with_header(fmt::format(R"({{"typ":{},"alg":"HS256"}})", typ)))) << typ;
}

// A key comes from nowhere but the settings: a header that names one changes nothing, neither for a token of ours nor
// for one that its own key signed.
TEST(JwtCorpus, NoHeaderChoosesTheKey) {
  const std::vector<std::string> members{
      R"("kid":"")",
      R"("kid":"../../../../dev/null")",
      R"("kid":"/dev/null")",
      R"("kid":"x' UNION SELECT 'evil' -- ")",
      R"("kid":"|/bin/true")",
      R"("kid":0)",
      R"("kid":null)",
      R"("kid":["a"])",
      R"("jku":"https://evil.example/keys.json")",
      R"("jwk":{"kty":"oct","k":"ZXZpbC1rZXktZXZpbC1rZXktZXZpbC1rZXk"})",
      R"("x5u":"https://evil.example/cert.pem")",
      R"("x5c":["MIIB"])",
      R"("x5t":"AAAA")",
  };
  for (const auto& member : members) {
    const auto header = fmt::format(R"({{"typ":"JWT","alg":"HS256",{}}})", member);
    EXPECT_TRUE(passes(with_header(header))) << member << ": not ours to write, and not looked at";
    for (const std::string_view key : {"", "\n", "evil-key-evil-key-evil-key", "x' UNION SELECT 'evil' -- "})
      EXPECT_FALSE(passes(sign(header, kGood, key))) << member << " under " << key;
  }
  for (const char* member : {R"("crit":["exp"])", R"("crit":[])", R"("crit":null)", R"("crit":["b64"],"b64":false)"})
    EXPECT_FALSE(passes(with_header(fmt::format(R"({{"typ":"JWT","alg":"HS256",{}}})", member)))) << member;
  // A public key as the secret of an HMAC: it is only a wrong key.
  EXPECT_FALSE(passes(
      sign(R"({"typ":"JWT","alg":"RS256"})", kGood, "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n")));
  EXPECT_FALSE(passes(sign(kHeader, kGood, std::string(kKey) + "\n")));
  EXPECT_FALSE(passes(sign(kHeader, kGood, std::string(kKey).substr(1))));
}

TEST(JwtCorpus, TimesAreWholeSecondsOfOurAge) {
  for (const char* name : {"exp", "iat"}) {
    for (const char* value : {"",
                              "null",
                              "true",
                              "false",
                              "\"1768474800\"",
                              "\"\"",
                              "[]",
                              "[1768474800]",
                              "{}",
                              "-1",
                              "-1768474800",
                              "1768474800.5",
                              "1768474800.0",
                              "1.7684748e9",
                              "1e12",
                              "1e400",
                              "9223372036854775807",
                              "9223372036854775808",
                              "18446744073709551615",
                              "99999999999999999999999",
                              "253402300800",
                              "-9223372036854775808",
                              "NaN",
                              "Infinity"})
      EXPECT_FALSE(passes(with_claim(name, value))) << name << " " << value;
  }
  EXPECT_FALSE(passes(with_claim("exp", "0")));
  EXPECT_FALSE(passes(with_claim("exp", "1768471199"))) << "before it was issued";
  EXPECT_FALSE(passes(with_claim("iat", "1768471381"))) << "issued later than the clocks could differ";
  EXPECT_EQ(verify(with_claims(R"({"sub":"s","username":"alice","sid":"x","exp":10,"iat":5})")).fault,
            JwtFault::expired);
}

// Tokens of ours have no `nbf`; one that has is held to it.
TEST(JwtCorpus, NotBeforeIsHeldWhenItIsThere) {
  EXPECT_TRUE(passes(with_claim("nbf", "1768471200")));
  EXPECT_TRUE(passes(with_claim("nbf", "1768471320"))) << "within the leeway";
  EXPECT_FALSE(passes(with_claim("nbf", "1768471321")));
  for (const char* value : {"null", "\"1768471200\"", "-1", "1.5", "[]", "true", "9223372036854775807", "1e400"})
    EXPECT_FALSE(passes(with_claim("nbf", value))) << value;
}

TEST(JwtCorpus, NamesAreTextsThatAreThere) {
  for (const char* name : {"sub", "username", "sid"}) {
    for (const char* value : {"", "null", "\"\"", "0", "1", "true", "[]", R"(["s"])", "{}", R"({"$ne":null})"})
      EXPECT_FALSE(passes(with_claim(name, value))) << name << " " << value;
  }
}

TEST(JwtCorpus, IssuerAndAudienceAreUs) {
  for (const char* name : {"iss", "aud"}) {
    for (const char* value :
         {R"("https://evil.example")", R"("")", "null", "1", "{}", "true", "[]", R"(["https://evil.example"])",
          R"("https://api.agentauri.ai/")", R"("http://api.agentauri.ai")", R"("HTTPS://API.AGENTAURI.AI")",
          R"("https://api.agentauri.ai.evil.example")", R"("https://api.agentauri.ai ")",
          R"([["https://api.agentauri.ai"]])"})
      EXPECT_FALSE(passes(with_claim(name, value))) << name << " " << value;
    EXPECT_TRUE(passes(with_claim(name, R"("https://api.agentauri.ai")"))) << name;
  }
  EXPECT_TRUE(passes(with_claim("aud", R"(["https://other.example","https://api.agentauri.ai"])")));
  EXPECT_FALSE(passes(with_claim("iss", R"(["https://api.agentauri.ai"])"))) << "an issuer is one";
}

TEST(JwtCorpus, NothingIsSaidTwice) {
  for (const char* header :
       {R"({"alg":"none","alg":"HS256"})", R"({"alg":"HS256","alg":"none"})", R"({"alg":"HS256","alg":"HS256"})",
        R"({"alg":"HS256","\u0061lg":"none"})", R"({"typ":"JWT","typ":"JWT","alg":"HS256"})"})
    EXPECT_FALSE(passes(with_header(header))) << header;
  for (const char* extra :
       {R"("sub":"t")", R"("sub":"s")", R"("exp":1768474800)", R"("exp":9999999999)", R"("sid":"y")",
        R"("\u0073ub":"t")", R"("s\u0075b":"t")", R"("iss":"https://api.agentauri.ai","iss":"https://evil.example")"}) {
    const std::string claims(kGood);
    EXPECT_FALSE(passes(with_claims(claims.substr(0, claims.size() - 1) + "," + extra + "}"))) << extra;
    EXPECT_FALSE(passes(with_claims(std::string("{") + extra + "," + claims.substr(1)))) << extra;
  }
}

TEST(JwtCorpus, APartHasOneSpelling) {
  const std::string header = b64(kHeader), claims = b64(kGood), good = sign(kHeader, kGood);
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  // The same bytes with bits set that no byte holds; the last character of a part of 1 or 2 spare bytes has such.
  const auto odd = [&](std::string part) {
    part.back() = kAlphabet[kAlphabet.find(part.back()) ^ 1];
    return part;
  };
  for (const auto& [h, c] : std::vector<std::pair<std::string, std::string>>{{header + "=", claims},
                                                                             {header + "==", claims},
                                                                             {header, claims + "="},
                                                                             {header, claims + "=="},
                                                                             {" " + header, claims},
                                                                             {header + " ", claims},
                                                                             {header, claims + "\n"},
                                                                             {header, "\t" + claims},
                                                                             {header + "%3D", claims},
                                                                             {header, claims + "A"},
                                                                             {header, claims + "AAAAA"},
                                                                             {header + "A", claims},
                                                                             {"", claims},
                                                                             {header, ""},
                                                                             {header.substr(1), claims},
                                                                             {header + "\r\n", claims},
                                                                             {header + std::string(1, '\0'), claims}})
    EXPECT_FALSE(passes(sign_spelled(h, c))) << h << "." << c;
  // `+` and `/` for `-` and `_`: the other alphabet. This claim has both.
  const std::string spelled =
      b64(R"({"sub":"s?~>?~>","username":"alice","sid":"x","exp":1768474800,"iat":1768471200})");
  ASSERT_NE(spelled.find_first_of("-_"), std::string::npos);
  std::string other = spelled;
  for (auto& c : other) c = c == '-' ? '+' : c == '_' ? '/' : c;
  EXPECT_TRUE(passes(sign_spelled(header, spelled)));
  EXPECT_FALSE(passes(sign_spelled(header, other)));

  const std::string text = good.substr(0, good.rfind('.')), signature = good.substr(good.rfind('.') + 1);
  for (const auto& bad :
       {odd(signature), signature + "=", signature + "A", signature.substr(1), std::string(), " " + signature,
        signature + " ", std::string(43, 'A'), std::string(42, 'A'), signature + signature})
    EXPECT_FALSE(passes(text + "." + bad)) << bad;
  for (std::size_t i = 0; i < good.size(); i += 3) {
    auto flipped = good;
    flipped[i] = flipped[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(passes(flipped)) << i;
  }
}

TEST(JwtCorpus, ThreePartsOfTwoObjects) {
  const std::string good = sign(kHeader, kGood);
  for (const auto& bad : {std::string(), std::string("."), std::string(".."), std::string("..."), std::string("abc"),
                          good + ".", good + ".x", "." + good, good + good, " " + good, good + " ", good + "\n",
                          "\"" + good + "\"", "Bearer " + good, good.substr(0, good.size() / 2)})
    EXPECT_FALSE(passes(bad)) << bad;
  for (const char* text :
       {"", "null", "[]", "\"x\"", "1", "{", "{}{}", "{} x", "{\"a\":}", "\xEF\xBB\xBF{}", "{\"a\":\"\xFF\"}"}) {
    EXPECT_FALSE(passes(sign(text, kGood))) << text;
    EXPECT_FALSE(passes(with_claims(text))) << text;
  }
  EXPECT_FALSE(passes(with_claims("\xEF\xBB\xBF" + std::string(kGood)))) << "a byte order mark";
  EXPECT_FALSE(passes(with_claims(std::string(kGood) + "{}")));
  const std::string claims(kGood);
  for (const auto& open : {std::string(40, '['), std::string(3000, '[')})
    EXPECT_FALSE(passes(
        with_claims(claims.substr(0, claims.size() - 1) + ",\"a\":" + open + std::string(open.size(), ']') + "}")));
}

TEST(JwtCorpus, ATokenHasABound) {
  const auto of_size = [](std::size_t name) { return with_claim("username", "\"" + std::string(name, 'a') + "\""); };
  EXPECT_TRUE(passes(of_size(1000)));
  EXPECT_FALSE(passes(of_size(8000)));
  EXPECT_FALSE(passes(of_size(1'000'000)));
  EXPECT_FALSE(passes(std::string(1'000'000, '.')));
  EXPECT_FALSE(passes(std::string(1'000'000, 'A')));
}

}   // namespace
}   // namespace agentauri::gateway
