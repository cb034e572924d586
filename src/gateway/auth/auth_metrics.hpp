// What is counted of credentials: who fails, how keys end, how long a token takes to verify. Thread-safe; lives as long
// as the registry of the metrics.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "core/telemetry/metrics.hpp"
#include "gateway/auth/key_cache.hpp"

namespace agentauri::gateway {

// The label `ip_prefix`: one of 64 groups, "00" to "63", by a hash of the address's network (IPv4 by its /24, IPv6 by
// its /48). One source always falls into one group, no address can be read back, and probing makes no series. The
// access lines of refused credentials carry the group, so that an operator finds the addresses behind it.
std::string ip_group(std::string_view address);

class AuthMetrics {
 public:
  explicit AuthMetrics(Metrics& metrics);

  // auth_failures_total, if `error`, the code of a refusal, says that a credential was tried and failed. A log-in that
  // the lock of its account refused counts among the limits too.
  void refused(std::string_view error, std::string_view client_ip) const;
  static bool is_failure(std::string_view error);

  void key_checked(KeyVerdict::Fault fault) const { keys_.at(static_cast<std::size_t>(fault)).add(); }
  void token_checked(double seconds) const { jwt_.observe(seconds); }

 private:
  Metrics& metrics_;
  Counter lockouts_, lockout_checks_;
  std::array<Counter, 6> keys_;   // by KeyVerdict::Fault
  Histogram jwt_;
};

}   // namespace agentauri::gateway
