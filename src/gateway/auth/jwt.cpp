#include "gateway/auth/jwt.hpp"

#include <algorithm>
#include <set>

#include "core/crypto/crypto.hpp"
#include "core/json/json.hpp"

namespace agentauri::gateway {
namespace {

constexpr std::string_view kHeader = R"({"typ":"JWT","alg":"HS256"})";
constexpr std::size_t kMaxJwtDepth = 2;

std::string part(std::string_view text) {
  return crypto::base64url(as_bytes(text));
}

// The names of a document's own members, escapes left as written. The parser keeps the last of two equal names, and a
// token that says a thing twice is not ours.
bool has_repeated_member(std::string_view text) {
  std::set<std::string_view> names;
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '{' || text[i] == '[') ++depth;
    if (text[i] == '}' || text[i] == ']') --depth;
    if (text[i] != '"') continue;
    const std::size_t start = i + 1;
    for (++i; i < text.size() && text[i] != '"'; ++i) {
      if (text[i] == '\\') ++i;
    }
    if (depth != 1) continue;
    const std::string_view name = text.substr(start, i - start);
    const std::size_t next = text.find_first_not_of(" \t\r\n", std::min(i + 1, text.size()));
    const bool is_name = next != std::string_view::npos && text[next] == ':';
    // An escaped name could spell another one: tokens of ours have none.
    if (is_name && (name.contains('\\') || !names.insert(name).second)) return true;
  }
  return false;
}

std::optional<json::Object> read_part(std::string_view encoded) {
  const auto bytes = crypto::from_base64url(encoded);
  if (!bytes) return std::nullopt;
  const std::string_view text = as_text(*bytes);
  auto value = json::parse(text, kMaxJwtDepth);
  if (!value || !value->is_object() || has_repeated_member(text)) return std::nullopt;
  return std::move(value->get_object());
}

bool is_hs256(const json::Object& header) {
  const auto* alg = json::find(header, "alg");
  if (alg == nullptr || !alg->is_string() || json::view(alg->get_string()) != "HS256") return false;
  const auto* typ = json::find(header, "typ");
  if (typ != nullptr && (!typ->is_string() || json::view(typ->get_string()) != "JWT")) return false;
  return !header.contains("crit");
}

std::optional<std::string> text_claim(const json::Object& claims, std::string_view name) {
  const auto* value = json::find(claims, name);
  if (value == nullptr || !value->is_string() || value->get_string().empty()) return std::nullopt;
  return std::string(json::view(value->get_string()));
}

std::optional<std::int64_t> time_claim(const json::Object& claims, std::string_view name) {
  const auto* value = json::find(claims, name);
  if (value == nullptr || !value->is_int64()) return std::nullopt;
  // Far from where adding a leeway could overflow.
  if (value->get_int64() < 0 || value->get_int64() > 253'402'300'799) return std::nullopt;
  return value->get_int64();
}

// Absent, or exactly ours (`aud` may be a list that holds it).
bool names_us(const json::Object& claims, std::string_view member, std::string_view issuer) {
  const auto* value = json::find(claims, member);
  if (value == nullptr) return true;
  if (value->is_string()) return json::view(value->get_string()) == issuer;
  if (member != "aud" || !value->is_array()) return false;
  const auto& list = value->get_array();
  return std::any_of(list.begin(), list.end(),
                     [&](const json::Value& v) { return v.is_string() && json::view(v.get_string()) == issuer; });
}

bool is_signed(std::string_view signed_part, ByteView signature, const std::vector<std::string_view>& secrets) {
  for (const auto secret : secrets) {
    if (secret.empty()) continue;
    if (crypto::equal_constant_time(crypto::hmac_sha256(as_bytes(secret), as_bytes(signed_part)).view(), signature))
      return true;
  }
  return false;
}

}   // namespace

std::string sign_access_token(const AccessClaims& claims, std::string_view issuer, std::string_view secret) {
  json::Object payload;
  payload["iss"] = json::String(issuer);
  payload["aud"] = json::String(issuer);
  payload["sub"] = json::String(claims.sub);
  payload["username"] = json::String(claims.username);
  payload["sid"] = json::String(claims.sid);
  payload["jti"] = json::String(claims.jti);
  payload["exp"] = claims.iat + kAccessTokenSeconds;
  payload["iat"] = claims.iat;
  std::string out = part(kHeader) + "." + part(json::dump(payload));
  out += "." + crypto::base64url(crypto::hmac_sha256(as_bytes(secret), as_bytes(out)).view());
  return out;
}

JwtVerdict verify_access_token(std::string_view token, const std::vector<std::string_view>& secrets,
                               std::string_view issuer, Time now) {
  const auto refused = [](JwtFault fault, std::string_view cause) { return JwtVerdict{std::nullopt, fault, cause}; };
  using enum JwtFault;
  if (token.size() > kMaxJwtBytes || std::count(token.begin(), token.end(), '.') != 2)
    return refused(malformed, "the token is too long or has not three parts");
  const std::size_t first = token.find('.');
  const std::size_t second = token.rfind('.');
  const auto header = read_part(token.substr(0, first));
  const auto signature = crypto::from_base64url(token.substr(second + 1));
  if (!header || !is_hs256(*header)) return refused(malformed, "the token's header does not read or is not HS256");
  if (!signature || signature->size() != 32) return refused(malformed, "the token's signature does not read");
  if (!is_signed(token.substr(0, second), *signature, secrets))
    return refused(foreign, "the token is signed with a secret that this process does not know");

  const auto payload = read_part(token.substr(first + 1, second - first - 1));
  if (!payload) return refused(malformed, "the token's claims do not read");
  const auto sub = text_claim(*payload, "sub");
  const auto username = text_claim(*payload, "username");
  const auto sid = text_claim(*payload, "sid");
  const auto iat = time_claim(*payload, "iat");
  const auto exp = time_claim(*payload, "exp");
  // Ours have none (RFC 7519 4.1.5 for those that have).
  const auto nbf = payload->contains("nbf") ? time_claim(*payload, "nbf") : iat;
  if (!sub || !username || !sid || !iat || !exp || !nbf || *exp < *iat)
    return refused(malformed, "the token lacks a claim or has one of another type");
  if (!names_us(*payload, "iss", issuer) || !names_us(*payload, "aud", issuer))
    return refused(foreign, "the token's issuer or audience is not this service");
  const std::int64_t at = to_unix_seconds(now);
  if (*iat > at + kClockLeewaySeconds) return refused(malformed, "the token was issued in the future");
  if (*nbf > at + kClockLeewaySeconds) return refused(malformed, "the token may not be used yet");
  if (at > *exp + kClockLeewaySeconds) return refused(expired, "the token is past its expiry");
  JwtVerdict good;
  good.claims = AccessClaims{*sub, *username, *sid, *iat, text_claim(*payload, "jti").value_or("")};
  return good;
}

}   // namespace agentauri::gateway
