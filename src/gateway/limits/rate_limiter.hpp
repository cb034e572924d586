// The table of limits (design: one table for all) and what it says about one request.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/async/task.hpp"
#include "core/base/time.hpp"
#include "core/telemetry/metrics.hpp"
#include "domain/principal.hpp"
#include "gateway/refusal.hpp"
#include "gateway/settings.hpp"
#include "net/http_message.hpp"
#include "store/cache/cache.hpp"

namespace agentauri::gateway {

// A row of the table.
struct LimitClass {
  std::string_view name;    // in headers and metrics
  std::string_view scope;   // of the key: ip, user, org
  store::Window window;
  std::int64_t limit;   // of `register`: the default, the setting decides
};
inline constexpr LimitClass kFailedLogin{"failed-login", "ip", store::Window::minute, 3};
inline constexpr LimitClass kRegister{"register", "ip", store::Window::minute, 3};
inline constexpr LimitClass kAuth{"auth", "ip", store::Window::minute, 60};
inline constexpr LimitClass kSessionRead{"session-read", "user", store::Window::minute, 300};
inline constexpr LimitClass kSessionWrite{"session-write", "user", store::Window::minute, 60};
inline constexpr LimitClass kTriggerChange{"trigger-change", "org", store::Window::hour, 300};
inline constexpr LimitClass kAnonymousRead{"anonymous-read", "ip", store::Window::minute, 60};
// Of an API key: by the plan of its organization, or by its own override.
LimitClass plan_limit(const domain::Principal& key);
std::string plan_limit_key(const domain::Principal& key);

// Under which an address is limited: IPv4 whole, IPv6 by its /64.
std::string limit_key_of_address(std::string_view address);

// The verdicts on one request: the one with least left is shown.
class Allowance {
 public:
  void add(const LimitClass& limit, const store::Quota& quota);
  bool empty() const { return !shown_; }
  // X-RateLimit-*, RateLimit, RateLimit-Policy; nothing when no class applied.
  void write(net::Headers& headers) const;
  void mark_shadow() { shadow_ = true; }

 private:
  std::optional<store::Quota> shown_;
  std::string_view name_;
  bool shadow_ = false;
};

// Thread-safe.
class RateLimiter {
 public:
  RateLimiter(const GatewaySettings& settings, const Clock& clock, Metrics& metrics, store::Cache& cache);

  // Counts one request of `limit` under `key`, and notes it in `allowance`. In shadow mode never refuses.
  // The arguments are the caller's: awaited at once.
  Task<Outcome<void>> take(const LimitClass& limit, std::string_view key, Allowance& allowance);
  // For answers that no class counts (404, preflight): what is left to the address.
  Task<void> peek(const LimitClass& limit, std::string_view key, Allowance& allowance);
  // One failed login, given back when it turns out to be none.
  using Reservation = store::LimitCheck;
  Task<Outcome<Reservation>> reserve_login(std::string_view address, std::string_view identifier, Allowance& allowance);
  Task<void> refund(const Reservation& reservation) { co_await cache_.refund(reservation); }

 private:
  store::LimitCheck check(const LimitClass& limit, std::string_view key) const;
  Outcome<void> judge(const LimitClass& limit, const store::Quota& quota, Allowance& allowance);

  // rate_limit_checks_total of a scope, by result.
  struct Checks {
    Counter allowed, rejected, shadow, degraded;
  };

  const GatewaySettings& settings_;
  const Clock& clock_;
  store::Cache& cache_;
  // Made beforehand, as each request asks for some: by scope, and by scope and class. They never change.
  std::map<std::string_view, Checks> checks_;
  std::map<std::pair<std::string_view, std::string_view>, Counter> rejections_;
};

}   // namespace agentauri::gateway
