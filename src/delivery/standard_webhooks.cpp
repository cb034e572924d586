#include "delivery/standard_webhooks.hpp"

#include <fmt/format.h>

#include "core/crypto/crypto.hpp"

namespace agentauri::delivery {

Result<std::string> sign_webhook(const std::vector<std::string>& secrets, std::string_view id, std::int64_t timestamp,
                                 std::string_view body) {
  constexpr std::string_view kPrefix = "whsec_";
  const std::string content = fmt::format("{}.{}.{}", id, timestamp, body);
  std::string out;
  for (const auto& secret : secrets) {
    const auto key = secret.starts_with(kPrefix) ? crypto::from_base64(std::string_view(secret).substr(kPrefix.size()))
                                                 : std::nullopt;
    if (!key) return fail(Code::corrupt, "a signing secret is not whsec_ and base64");
    if (!out.empty()) out += ' ';
    out += "v1," + crypto::base64(crypto::hmac_sha256(*key, as_bytes(content)).view());
  }
  return out;
}

std::string sign_legacy(std::string_view secret, std::string_view body) {
  return to_hex(crypto::hmac_sha256(as_bytes(secret), as_bytes(body)).view());
}

}   // namespace agentauri::delivery
