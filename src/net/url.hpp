// URLs of receivers and nodes: the one parser, for what is saved and for what is sent.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.hpp"

namespace agentauri::net {

// An absolute http or https URL, taken apart and checked: no userinfo, host and port literal. Fragment dropped.
struct Url {
  std::string scheme;   // "http" or "https"
  std::string host;     // lower case; IPv6 without brackets; one trailing dot removed
  std::uint16_t port = 0;
  std::string target;   // path and query, at least "/"

  // `host:port` with brackets where needed, the port left out when it is the scheme's own: the Host field.
  std::string authority() const;
  // `scheme://host:port`: key of per-endpoint limits.
  std::string endpoint() const;
};
Result<Url> parse_url(std::string_view text);

}   // namespace agentauri::net
