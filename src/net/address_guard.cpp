#include "net/address_guard.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "core/base/text.hpp"

namespace agentauri::net {
namespace {

// pipeline.md 8.5, and documentation space of RFC 9637. What is not judged by an inner address is refused whole.
constexpr std::string_view kRefused[] = {
    "0.0.0.0/8",      "10.0.0.0/8",   "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24",   "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",  "198.51.100.0/24",
    "203.0.113.0/24", "224.0.0.0/4",  "240.0.0.0/4",    "64:ff9b:1::/48", "100::/64",       "2001::/23",
    "2001:db8::/32",  "3fff::/20",    "fc00::/7",       "fe80::/10",      "fec0::/10",      "ff00::/8"};
// All that IANA gives out; the rest is reserved and reaches nobody, or somebody unforeseen.
constexpr std::string_view kGlobalV6 = "2000::/3";

// An IPv4 address stands inside, from this byte on: compatible, mapped, translated, NAT64, 6to4.
struct Embedding {
  std::string_view range;
  std::size_t offset;
};
constexpr Embedding kEmbeddings[] = {
    {"::/96", 12}, {"::ffff:0:0/96", 12}, {"::ffff:0:0:0/96", 12}, {"64:ff9b::/96", 12}, {"2002::/16", 2}};

constexpr std::string_view kMetadataNames[] = {"metadata", "metadata.google.internal", "instance-data",
                                               "instance-data.ec2.internal"};

struct Ranges {
  Cidr global_v6;
  std::vector<Cidr> refused;
  std::vector<std::pair<Cidr, std::size_t>> embeddings;
};

const Ranges& ranges() {
  static const Ranges made = [] {
    Ranges out;
    out.global_v6 = *parse_cidr(kGlobalV6);
    for (const auto text : kRefused) out.refused.push_back(*parse_cidr(text));
    for (const auto& [text, offset] : kEmbeddings) out.embeddings.emplace_back(*parse_cidr(text), offset);
    return out;
  }();
  return made;
}

IpAddress inner_at(const IpAddress& address, std::size_t offset) {
  IpAddress inner;
  std::copy_n(address.bytes.begin() + static_cast<std::ptrdiff_t>(offset), 4, inner.bytes.begin());
  return inner;
}

bool is_mapped(const IpAddress& address) {
  constexpr std::array<std::uint8_t, 12> kPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return address.v6 && std::equal(kPrefix.begin(), kPrefix.end(), address.bytes.begin());
}

bool shares_prefix(const IpAddress& a, const IpAddress& b, unsigned prefix) {
  const unsigned whole = prefix / 8;
  if (std::memcmp(a.bytes.data(), b.bytes.data(), whole) != 0) return false;
  const unsigned rest = prefix % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
  return (a.bytes[whole] & mask) == (b.bytes[whole] & mask);
}

std::optional<unsigned> parse_number(std::string_view text, unsigned max) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > max) return std::nullopt;
  return value;
}

// Lower case, without trailing dots; an address in its one usual spelling.
std::string normal_name(std::string_view host) {
  if (const auto ip = parse_ip(host)) return to_string(*ip);
  std::string out = to_lower(host);
  while (out.ends_with('.')) out.pop_back();
  return out;
}

bool is_local_name(std::string_view name) {
  return name == "localhost" || name == "localhost.localdomain" || name.ends_with(".localhost") ||
         name.ends_with(".local") || name.ends_with(".internal");
}

}   // namespace

Result<IpAddress> parse_ip(std::string_view text) {
  IpAddress out;
  const std::string copy(text);
  if (copy.find('\0') != std::string::npos) return fail(Code::invalid, "an IP address holds no NUL");
  in_addr v4{};
  if (::inet_pton(AF_INET, copy.c_str(), &v4) == 1) {
    std::memcpy(out.bytes.data(), &v4, 4);
    return out;
  }
  in6_addr v6{};
  if (::inet_pton(AF_INET6, copy.c_str(), &v6) == 1) {
    std::memcpy(out.bytes.data(), &v6, 16);
    out.v6 = true;
    return out;
  }
  return fail(Code::invalid, fmt::format("\"{}\" is not an IP address", copy.substr(0, 60)));
}

std::string to_string(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(address.v6 ? AF_INET6 : AF_INET, address.bytes.data(), text, sizeof text);
  return text;
}

bool Cidr::contains(const IpAddress& address) const {
  if (!base.v6 && is_mapped(address)) return contains(inner_at(address, 12));
  return base.v6 == address.v6 && shares_prefix(base, address, prefix);
}

Result<Cidr> parse_cidr(std::string_view text) {
  const std::size_t slash = text.find('/');
  auto base = parse_ip(text.substr(0, slash));
  if (!base) return fail(base);
  const unsigned full = base->v6 ? 128 : 32;
  if (slash == std::string_view::npos) return Cidr{*base, full};
  const auto prefix = parse_number(text.substr(slash + 1), full);
  if (!prefix)
    return fail(Code::invalid,
                fmt::format("the prefix of \"{}\" must be a number from 0 to {}", text.substr(0, 60), full));
  return Cidr{*base, *prefix};
}

bool is_global_unicast(const IpAddress& address) {
  const Ranges& known = ranges();
  if (address.v6) {
    for (const auto& [range, offset] : known.embeddings) {
      if (shares_prefix(range.base, address, range.prefix)) return is_global_unicast(inner_at(address, offset));
    }
    if (!shares_prefix(known.global_v6.base, address, known.global_v6.prefix)) return false;
  }
  return std::none_of(known.refused.begin(), known.refused.end(),
                      [&address](const Cidr& range) { return range.contains(address); });
}

Result<AddressGuard> AddressGuard::make(const std::vector<std::string>& allow, bool https_only) {
  AddressGuard guard;
  guard.https_only_ = https_only;
  for (const auto& entry : allow) {
    if (auto range = parse_cidr(entry)) {
      guard.allowed_ranges_.push_back(*range);
      continue;
    }
    const std::size_t colon = entry.rfind(':');
    const auto port =
        colon == std::string::npos ? std::nullopt : parse_number(std::string_view(entry).substr(colon + 1), 65535);
    std::string host = entry.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    if (!port || *port == 0 || host.empty()) {
      return fail(Code::invalid,
                  fmt::format("\"{}\" must be a CIDR range, an address or host:port", entry.substr(0, 80)));
    }
    guard.allowed_hosts_.push_back({normal_name(host), static_cast<std::uint16_t>(*port)});
  }
  return guard;
}

Result<void> AddressGuard::check_name(std::string_view scheme, std::string_view host, std::uint16_t port) const {
  const std::string name = normal_name(host);
  if (lists(name, port)) return {};
  const auto literal = parse_ip(name);
  if (literal && lists(*literal)) return {};
  if (https_only_ && scheme != "https") return fail(Code::forbidden, "only https is allowed");
  if (port != 80 && port != 443 && port < 1024)
    return fail(Code::forbidden, fmt::format("port {} is not allowed", port));
  const bool metadata =
      std::find(std::begin(kMetadataNames), std::end(kMetadataNames), name) != std::end(kMetadataNames);
  if (metadata) return fail(Code::forbidden, fmt::format("the name {} is not allowed", name));
  // A local name may still be opened by a range that its address is in: check_address() decides then.
  if (is_local_name(name) && allowed_ranges_.empty())
    return fail(Code::forbidden, fmt::format("the local name {} is not allowed", name));
  // Known already, so that a wrong address is told when it is saved and not when it is used.
  if (literal && !is_global_unicast(*literal))
    return fail(Code::forbidden, fmt::format("{} is not a public address", name));
  return {};
}

Result<void> AddressGuard::check_address(std::string_view host, const IpAddress& address, std::uint16_t port) const {
  if (lists(normal_name(host), port) || lists(address) || is_global_unicast(address)) return {};
  return fail(Code::forbidden, fmt::format("{} is not a public address", to_string(address)));
}

bool AddressGuard::lists(std::string_view name, std::uint16_t port) const {
  return std::any_of(allowed_hosts_.begin(), allowed_hosts_.end(),
                     [&](const HostPort& h) { return h.host == name && h.port == port; });
}

bool AddressGuard::lists(const IpAddress& address) const {
  return std::any_of(allowed_ranges_.begin(), allowed_ranges_.end(),
                     [&](const Cidr& range) { return range.contains(address); });
}

}   // namespace agentauri::net
