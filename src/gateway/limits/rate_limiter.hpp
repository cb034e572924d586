// The table of limits (design: one table for all) and what it says about one request.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.hpp"
#include "core/telemetry/metrics.hpp"
#include "domain/principal.hpp"
#include "gateway/limits/sliding_window.hpp"
#include "gateway/refusal.hpp"
#include "gateway/settings.hpp"
#include "net/http_message.hpp"

namespace agentauri::gateway {

// A row of the table.
struct LimitClass {
  std::string_view name;    // in headers and metrics
  std::string_view scope;   // of the key: ip, user, org
  Window window;
  std::int64_t limit;   // of `register`: the default, the setting decides
};
inline constexpr LimitClass kFailedLogin{"failed-login", "ip", Window::minute, 3};
inline constexpr LimitClass kRegister{"register", "ip", Window::minute, 3};
inline constexpr LimitClass kAuth{"auth", "ip", Window::minute, 60};
inline constexpr LimitClass kSessionRead{"session-read", "user", Window::minute, 300};
inline constexpr LimitClass kSessionWrite{"session-write", "user", Window::minute, 60};
inline constexpr LimitClass kTriggerChange{"trigger-change", "org", Window::hour, 300};
inline constexpr LimitClass kAnonymousRead{"anonymous-read", "ip", Window::minute, 60};
// Of an API key: by the plan of its organization, or by its own override.
LimitClass plan_limit(const domain::Principal& key);
std::string plan_limit_key(const domain::Principal& key);

// Under which an address is limited: IPv4 whole, IPv6 by its /64.
std::string limit_key_of_address(std::string_view address);

// The verdicts on one request: the one with least left is shown.
class Allowance {
 public:
  void add(const LimitClass& limit, const Quota& quota);
  bool empty() const { return !shown_; }
  // X-RateLimit-*, RateLimit, RateLimit-Policy; nothing when no class applied.
  void write(net::Headers& headers) const;
  void mark_shadow() { shadow_ = true; }

 private:
  std::optional<Quota> shown_;
  std::string_view name_;
  bool shadow_ = false;
};

// Thread-safe.
class RateLimiter {
 public:
  RateLimiter(const GatewaySettings& settings, const Clock& clock, Metrics& metrics);

  // Counts one request of `limit` under `key`, and notes it in `allowance`. In shadow mode never refuses.
  Outcome<void> take(const LimitClass& limit, std::string_view key, Allowance& allowance);
  // For answers that no class counts (404, preflight): what is left to the address.
  void peek(const LimitClass& limit, std::string_view key, Allowance& allowance);
  // One failed login that turned out to be none.
  struct Reservation {
    std::string key;
    Time at;
  };
  Outcome<Reservation> reserve_login(std::string_view address, std::string_view identifier, Allowance& allowance);
  void refund(const Reservation& reservation);

 private:
  std::int64_t limit_of(const LimitClass& limit) const;

  const GatewaySettings& settings_;
  const Clock& clock_;
  Metrics& metrics_;
  SlidingWindows windows_;
};

}   // namespace agentauri::gateway
