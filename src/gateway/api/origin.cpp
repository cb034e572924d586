#include "gateway/api/origin.hpp"

#include <algorithm>
#include <array>

namespace agentauri::gateway {
namespace {

constexpr std::string_view kMethods = "GET, POST, PUT, PATCH, DELETE, OPTIONS";
constexpr std::array<std::string_view, 6> kMethodList{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
constexpr std::string_view kRequestHeaders =
    "authorization, content-type, accept, x-csrf-token, x-organization-id, x-api-key, x-request-id, idempotency-key, "
    "if-none-match";
constexpr std::string_view kExposed =
    "x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset, x-ratelimit-window, x-ratelimit-status, ratelimit, "
    "ratelimit-policy, retry-after, x-request-id, content-type, etag";
constexpr std::string_view kVary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
constexpr std::array kDefaultOrigins{"http://localhost:3000", "http://localhost:8080", "http://localhost:8004"};
constexpr std::array kDefaultProxies{"127.0.0.1", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"};
constexpr std::size_t kMaxForwardedEntries = 64;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> split_list(std::string_view text) {
  std::vector<std::string_view> out;
  while (true) {
    const std::size_t comma = text.find(',');
    out.push_back(trimmed(text.substr(0, comma)));
    if (comma == std::string_view::npos) return out;
    text.remove_prefix(comma + 1);
  }
}

// `1.2.3.4`, `1.2.3.4:5`, `[::1]`, `[::1]:6`, `::1`.
std::optional<net::IpAddress> parse_forwarded(std::string_view entry) {
  if (entry.starts_with('[')) {
    const std::size_t end = entry.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    entry = entry.substr(1, end - 1);
  } else if (std::count(entry.begin(), entry.end(), ':') == 1) {
    entry = entry.substr(0, entry.find(':'));
  }
  auto parsed = net::parse_ip(entry);
  if (!parsed) return std::nullopt;
  return *parsed;
}

bool is_trusted(const net::IpAddress& address, const std::vector<net::Cidr>& trusted) {
  return std::any_of(trusted.begin(), trusted.end(), [&](const net::Cidr& range) { return range.contains(address); });
}

// Scheme, host and port of a URL: everything before its path.
std::string origin_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  return std::string(url.substr(0, url.find('/', scheme + 3)));
}

// Whether the page came from the host that the request is for. The scheme is what the browser saw: a proxy in front may
// speak https while we do not.
bool is_own_origin(std::string_view origin, const net::Headers& headers, bool production) {
  if (headers.count("Host") != 1) return false;
  if (!origin.starts_with("https://") && (!origin.starts_with("http://") || production)) return false;
  const std::string& host = *headers.find("Host");
  return !host.empty() && net::equal_ignoring_case(origin.substr(origin.find("://") + 3), host);
}

}   // namespace

std::vector<net::Cidr> trusted_ranges(const std::vector<std::string>& configured) {
  std::vector<net::Cidr> out;
  const auto add = [&out](std::string_view text) {
    if (auto range = net::parse_cidr(text)) out.push_back(*range);
  };
  for (const auto& text : configured) add(text);
  if (configured.empty()) {
    for (const auto* text : kDefaultProxies) add(text);
  }
  return out;
}

std::string client_address(const net::HttpRequest& request, const std::vector<net::Cidr>& trusted) {
  const auto peer = net::parse_ip(request.peer);
  if (!peer || !is_trusted(*peer, trusted)) return request.peer;
  // Several fields count as one list, in order.
  std::vector<std::string_view> hops;
  for (const auto& [name, value] : request.headers.all()) {
    if (!net::equal_ignoring_case(name, "X-Forwarded-For")) continue;
    const auto entries = split_list(value);
    hops.insert(hops.end(), entries.begin(), entries.end());
  }
  std::size_t looked_at = 0;
  for (auto hop = hops.rbegin(); hop != hops.rend() && looked_at < kMaxForwardedEntries; ++hop, ++looked_at) {
    const auto address = parse_forwarded(*hop);
    if (address && !is_trusted(*address, trusted)) return net::to_string(*address);
  }
  if (const auto* real = request.headers.find("X-Real-IP")) {
    if (const auto address = parse_forwarded(trimmed(*real))) return net::to_string(*address);
  }
  return request.peer;
}

Cors::Cors(const GatewaySettings& settings)
    : frontend_origin_(origin_of(settings.frontend_url)), production_(settings.production) {
  for (const auto& entry : settings.allowed_origins) {
    const std::string_view origin = trimmed(entry);
    const bool https = origin.starts_with("https://");
    if (https || (origin.starts_with("http://") && !settings.production)) origins_.emplace_back(origin);
  }
  if (settings.allowed_origins.empty() && !settings.production)
    origins_.assign(kDefaultOrigins.begin(), kDefaultOrigins.end());
}

bool Cors::allows(std::string_view origin) const {
  return std::find(origins_.begin(), origins_.end(), origin) != origins_.end();
}

bool Cors::allows_cookie(const net::Headers& headers) const {
  if (headers.count("Origin") != 1) return false;
  const std::string& origin = *headers.find("Origin");
  return allows(origin) || (!frontend_origin_.empty() && origin == frontend_origin_) ||
         is_own_origin(origin, headers, production_);
}

bool Cors::is_preflight(const net::HttpRequest& request) {
  return request.method == "OPTIONS" && request.headers.find("Origin") != nullptr &&
         request.headers.find("Access-Control-Request-Method") != nullptr;
}

Outcome<void> Cors::answer_preflight(const net::HttpRequest& request, net::Headers& out) const {
  out.add("Vary", std::string(kVary));
  const std::string& origin = *request.headers.find("Origin");
  if (!allows(origin)) return bad_request("Origin is not allowed to make this request");
  const std::string& method = *request.headers.find("Access-Control-Request-Method");
  if (std::find(kMethodList.begin(), kMethodList.end(), std::string_view(method)) == kMethodList.end())
    return bad_request("Requested method is not allowed");
  if (const auto* asked = request.headers.find("Access-Control-Request-Headers"); asked != nullptr && !asked->empty()) {
    const auto allowed = split_list(kRequestHeaders);
    for (const auto name : split_list(*asked)) {
      const bool known = std::any_of(allowed.begin(), allowed.end(),
                                     [name](std::string_view a) { return net::equal_ignoring_case(a, name); });
      if (!known && !name.empty()) return bad_request("One or more request headers are not allowed");
    }
  }
  out.add("Access-Control-Allow-Origin", origin);
  out.add("Access-Control-Allow-Methods", std::string(kMethods));
  out.add("Access-Control-Allow-Headers", std::string(kRequestHeaders));
  out.add("Access-Control-Max-Age", "3600");
  out.add("Access-Control-Allow-Credentials", "true");
  return {};
}

Outcome<void> Cors::answer_open_preflight(const net::HttpRequest& request, net::Headers& out) {
  const std::string& method = *request.headers.find("Access-Control-Request-Method");
  if (method != "GET" && method != "HEAD") return bad_request("Requested method is not allowed");
  if (const auto* asked = request.headers.find("Access-Control-Request-Headers"); asked != nullptr) {
    for (const auto name : split_list(*asked)) {
      if (!name.empty() && !net::equal_ignoring_case(name, "Content-Type"))
        return bad_request("One or more request headers are not allowed");
    }
  }
  decorate_open(out);
  out.add("Access-Control-Max-Age", "3600");
  return {};
}

// No `Vary: Origin`: the answer is the same for all of them.
void Cors::decorate_open(net::Headers& out) {
  out.add("Access-Control-Allow-Origin", "*");
  out.add("Access-Control-Allow-Methods", "GET, OPTIONS");
  out.add("Access-Control-Allow-Headers", "Content-Type");
}

void Cors::decorate(const net::HttpRequest& request, net::Headers& out) const {
  const auto* origin = request.headers.find("Origin");
  if (origin != nullptr && allows(*origin)) out.add("Access-Control-Allow-Origin", *origin);
  out.add("Access-Control-Allow-Credentials", "true");
  out.add("Access-Control-Expose-Headers", std::string(kExposed));
  out.add("Vary", std::string(kVary));
}

}   // namespace agentauri::gateway
