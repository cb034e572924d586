#include "gateway/auth/auth_metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/crypto/crypto.hpp"
#include "net/address_guard.hpp"

namespace agentauri::gateway {
namespace {

constexpr int kGroups = 64;
constexpr const char* kFailures = "auth_failures_total";
constexpr const char* kFailuresHelp = "Credentials that were tried and refused, by reason and group of addresses";
// Codes of refusals that speak of a credential. `unauthorized`, where none was shown, is none of them.
constexpr std::array<std::string_view, 9> kReasons{
    "invalid_credentials", "account_locked", "account_disabled",      "token_expired",     "token_invalid",
    "api_key_invalid",     "invalid_nonce",  "invalid_refresh_token", "signature_mismatch"};
// What is guessed at: here the first burst of a group must be an increase, and not a series that begins high.
constexpr std::array<std::string_view, 2> kGuessed{"invalid_credentials", "api_key_invalid"};
// Some microseconds while the session is known, a look into the store while it is not.
const std::vector<double> kTokenBuckets{.00001, .000025, .00005, .0001, .00025, .0005, .001, .0025, .01, .1, 1};

std::string group_name(int group) {
  return fmt::format("{:02}", group);
}

Counter key_attempts(Metrics& metrics, const char* result) {
  return metrics.counter("api_key_auth_attempts_total", "API keys that were presented", {{"result", result}});
}

}   // namespace

std::string ip_group(std::string_view address) {
  std::string network;
  if (const auto parsed = net::parse_ip(address)) {
    network = net::to_string(*parsed);
    if (parsed->v6)
      network.assign(parsed->bytes.begin(), parsed->bytes.begin() + 6);
    else
      network.resize(network.rfind('.'));
  }
  return group_name(crypto::sha256(as_bytes(network)).data[0] % kGroups);
}

AuthMetrics::AuthMetrics(Metrics& metrics)
    : metrics_(metrics),
      lockouts_(metrics.counter("rate_limit_rejections_total", "Requests refused by a rate limit",
                                {{"scope", "account"}, {"endpoint_class", "login"}})),
      lockout_checks_(metrics.counter("rate_limit_checks_total", "Rate limit checks",
                                      {{"scope", "account"}, {"result", "rejected"}})),
      keys_{key_attempts(metrics, "success"), key_attempts(metrics, "malformed"),
            key_attempts(metrics, "unknown"), key_attempts(metrics, "expired"),
            key_attempts(metrics, "revoked"), key_attempts(metrics, "inactive_creator")},
      jwt_(metrics.histogram("jwt_validation_duration_seconds",
                             "Time to verify an access token and look its session up", kTokenBuckets)) {
  for (const auto reason : kGuessed) {
    for (int group = 0; group < kGroups; ++group)
      metrics.counter(kFailures, kFailuresHelp, {{"reason", std::string(reason)}, {"ip_prefix", group_name(group)}});
  }
}

bool AuthMetrics::is_failure(std::string_view error) {
  return std::find(kReasons.begin(), kReasons.end(), error) != kReasons.end();
}

void AuthMetrics::refused(std::string_view error, std::string_view client_ip) const {
  if (!is_failure(error)) return;
  if (error == "account_locked") {
    lockouts_.add();
    lockout_checks_.add();
  }
  metrics_.counter(kFailures, kFailuresHelp, {{"reason", std::string(error)}, {"ip_prefix", ip_group(client_ip)}})
      .add();
}

}   // namespace agentauri::gateway
