// Which addresses may be reached for a user (pipeline.md 8.5, protocols.md 0.8). Pure: no resolving here.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"

namespace agentauri::net {

// An IPv4 or IPv6 address in network byte order.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};
  bool v6 = false;

  bool operator==(const IpAddress&) const = default;
};
Result<IpAddress> parse_ip(std::string_view text);
std::string to_string(const IpAddress& address);

struct Cidr {
  IpAddress base;
  unsigned prefix = 0;

  bool contains(const IpAddress& address) const;   // an IPv4-mapped IPv6 address is judged as IPv4
};
Result<Cidr> parse_cidr(std::string_view text);   // an address alone is a full-length prefix

class AddressGuard {
 public:
  // `allow`: entries of EGRESS_ALLOW, each a CIDR, an address or host:port. `https_only` refuses plain http
  // (production).
  static Result<AddressGuard> make(const std::vector<std::string>& allow, bool https_only);

  // Of a URL before resolving: scheme, port policy (80, 443, 8080, 8443 and >= 1024), metadata and local names, literal
  // addresses. An entry host:port opens URLs that name this host at this port, to any scheme and wherever the name
  // leads; it opens no other name that leads to the same address. A range opens its addresses: written into the URL to
  // any scheme and port, behind a name to what scheme and port policy allow, and local names then as well.
  Result<void> check_name(std::string_view scheme, std::string_view host, std::uint16_t port) const;
  // Of every resolved address, and of the socket's peer again: global unicast, or explicitly allowed.
  Result<void> check_address(std::string_view host, const IpAddress& address, std::uint16_t port) const;

 private:
  struct HostPort {
    std::string host;
    std::uint16_t port = 0;
  };
  bool lists(std::string_view name, std::uint16_t port) const;
  bool lists(const IpAddress& address) const;

  std::vector<Cidr> allowed_ranges_;
  std::vector<HostPort> allowed_hosts_;
  bool https_only_ = false;
};

// Global unicast: none of the ranges of pipeline.md 8.5, of IPv6 only 2000::/3; where an IPv4 address is embedded it
// decides.
bool is_global_unicast(const IpAddress& address);

}   // namespace agentauri::net
