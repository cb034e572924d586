#include "gateway/auth/refresh_token.hpp"

#include "core/base/uuid.hpp"
#include "core/crypto/crypto.hpp"

namespace agentauri::gateway {
namespace {

constexpr std::string_view kSalt = "agentauri refresh tokens";

std::string spell(ByteView thirty_two_bytes) {
  return std::string(kRefreshPrefix) + crypto::base64url(thirty_two_bytes);
}

}   // namespace

std::string make_refresh_token() {
  return spell(crypto::random_bytes(32));
}

bool is_refresh_token(std::string_view text) {
  if (text.size() != kRefreshTokenBytes || !text.starts_with(kRefreshPrefix)) return false;
  const auto bytes = crypto::from_base64url(text.substr(kRefreshPrefix.size()));
  return bytes && bytes->size() == 32;
}

std::string refresh_token_hash(std::string_view token) {
  return to_hex(crypto::sha256(as_bytes(token)).view());
}

RefreshKeys::RefreshKeys(std::string_view jwt_secret)
    : successor_key_(crypto::hkdf_sha256(as_bytes(jwt_secret), as_bytes(kSalt), "successor")),
      id_key_(crypto::hkdf_sha256(as_bytes(jwt_secret), as_bytes(kSalt), "access token id")) {}

std::string RefreshKeys::successor_of(std::string_view token) const {
  return spell(crypto::hmac_sha256(successor_key_.view(), as_bytes(token)).view());
}

std::string RefreshKeys::access_token_id(std::string_view token) const {
  const auto digest = crypto::hmac_sha256(id_key_.view(), as_bytes(token));
  Uuid id;
  std::copy_n(digest.data.begin(), id.data.size(), id.data.begin());
  id.data[6] = static_cast<std::uint8_t>((id.data[6] & 0x0F) | 0x80);   // version 8: bits of our own making
  id.data[8] = static_cast<std::uint8_t>((id.data[8] & 0x3F) | 0x80);
  return to_string(id);
}

}   // namespace agentauri::gateway
