// Signing as https://www.standardwebhooks.com specifies: `v1,<base64 HMAC-SHA256>` over `id.timestamp.body`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"

namespace agentauri::delivery {

// One signature for each secret (`whsec_` + base64), separated by spaces: two during a rotation.
Result<std::string> sign_webhook(const std::vector<std::string>& secrets, std::string_view id, std::int64_t timestamp,
                                 std::string_view body);
// The documented older form: lower-case hex HMAC-SHA256 of the body.
std::string sign_legacy(std::string_view secret, std::string_view body);

}   // namespace agentauri::delivery
