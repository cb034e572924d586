// Session access tokens: JWT with HS256 and nothing else (http-api.md 3.1, protocols.md 0.3). No clock, no store.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.hpp"

namespace agentauri::gateway {

inline constexpr std::int64_t kAccessTokenSeconds = 3600;
inline constexpr std::int64_t kClockLeewaySeconds = 60;
inline constexpr std::size_t kMaxJwtBytes = 4096;

struct AccessClaims {
  std::string sub;   // account id
  std::string username;
  std::string sid;        // session id
  std::int64_t iat = 0;   // Unix seconds; `exp` is an hour later
  std::string jti;
};

// `issuer` is written as `iss` and `aud`.
std::string sign_access_token(const AccessClaims& claims, std::string_view issuer, std::string_view secret);

enum class JwtFault : std::uint8_t { malformed, foreign, expired };

struct JwtVerdict {
  std::optional<AccessClaims> claims;     // set when the token is good
  JwtFault fault = JwtFault::malformed;   // else why not
  std::string_view cause;                 // and which rule it broke, for the log
};

// Strict: three parts of canonical base64url, an `alg` that is exactly HS256, no member twice, every claim of its type,
// `iat` not in the future and `exp` not past (60 s of leeway), `iss` and `aud` right when present. `secrets` are tried
// in order; empty ones are skipped.
JwtVerdict verify_access_token(std::string_view token, const std::vector<std::string_view>& secrets,
                               std::string_view issuer, Time now);

}   // namespace agentauri::gateway
