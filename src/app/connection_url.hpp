// URLs that name a server and how to log in: `scheme://user:password@host:port/path?option=value`, every part
// percent-decoded, so that any password can be written.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/crypto/crypto.hpp"

namespace agentauri::app {

struct ConnectionUrl {
  std::string scheme, user, host, path;   // empty: not given; of an IPv6 host without its brackets
  std::optional<crypto::Secret<std::string>> password;
  std::optional<std::uint16_t> port;   // 1 to 65535
  std::vector<std::pair<std::string, std::string>> options;
};
// The error says which part is malformed, and shows nothing of it.
std::expected<ConnectionUrl, std::string> parse_connection_url(std::string_view text);

// 0 to 65535 and nothing else; nullopt otherwise.
std::optional<std::uint16_t> parse_port(std::string_view text);
// Kubernetes sets <NAME>_PORT to such a value for each of its services.
bool is_service_link(std::string_view value);

}   // namespace agentauri::app
