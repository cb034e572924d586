// Where a request comes from: its client's address behind proxies, and what browsers may do with our answers.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "gateway/refusal.hpp"
#include "gateway/settings.hpp"
#include "net/address_guard.hpp"
#include "net/http_server.hpp"

namespace agentauri::gateway {

// http-api.md 2.5. Entries that do not parse are skipped.
std::vector<net::Cidr> trusted_ranges(const std::vector<std::string>& configured);
std::string client_address(const net::HttpRequest& request, const std::vector<net::Cidr>& trusted);

// http-api.md 2.4. Immutable.
class Cors {
 public:
  explicit Cors(const GatewaySettings& settings);

  bool allows(std::string_view origin) const;
  // The rule for cookies on unsafe methods: the list, FRONTEND_URL's own origin, or the host that the request is for
  // (the console's pages; a page cannot choose its Origin, and cookies belong to the host).
  bool allows_cookie(const net::Headers& headers) const;
  static bool is_preflight(const net::HttpRequest& request);
  // 200 with the headers in `out`, or 400.
  Outcome<void> answer_preflight(const net::HttpRequest& request, net::Headers& out) const;
  // The same of what pages of any origin may read: GET and HEAD, without credentials.
  static Outcome<void> answer_open_preflight(const net::HttpRequest& request, net::Headers& out);
  static void decorate_open(net::Headers& out);
  // Of every other answer.
  void decorate(const net::HttpRequest& request, net::Headers& out) const;

 private:
  std::vector<std::string> origins_;
  std::string frontend_origin_;   // empty: none
  bool production_ = false;       // https origins only
};

}   // namespace agentauri::gateway
