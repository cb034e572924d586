// Refresh tokens as text: `urt_` and 43 base64url characters. The successor of a token is derived from it, so a client
// that lost an answer gets the same one again (protocols.md 0.5).
#pragma once

#include <string>
#include <string_view>

#include "core/base/bytes.hpp"

namespace agentauri::gateway {

inline constexpr std::string_view kRefreshPrefix = "urt_";
inline constexpr std::size_t kRefreshTokenBytes = 47;

std::string make_refresh_token();
bool is_refresh_token(std::string_view text);
// SHA-256, hex, of the whole text.
std::string refresh_token_hash(std::string_view token);

// What JWT_SECRET gives: keys of their own for the two derivations.
class RefreshKeys {
 public:
  explicit RefreshKeys(std::string_view jwt_secret);
  std::string successor_of(std::string_view token) const;
  // `jti` of the access token that was issued together with this refresh token.
  std::string access_token_id(std::string_view token) const;

 private:
  Hash32 successor_key_, id_key_;
};

}   // namespace agentauri::gateway
