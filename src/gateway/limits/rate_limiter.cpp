#include "gateway/limits/rate_limiter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/crypto/crypto.hpp"
#include "gateway/auth/passwords.hpp"
#include "net/address_guard.hpp"

namespace agentauri::gateway {
namespace {

std::string full_key(const LimitClass& limit, std::string_view key) {
  return fmt::format("{}:{}:{}", limit.scope, key, limit.name);
}

constexpr LimitClass kPlan{"plan", "org", store::Window::hour, 50}, kKey{"key", "key", store::Window::hour, 0};
constexpr std::array kClasses{kFailedLogin,   kRegister,      kAuth, kSessionRead, kSessionWrite,
                              kTriggerChange, kAnonymousRead, kPlan, kKey};

Counter checks(Metrics& metrics, std::string_view scope, const char* result) {
  return metrics.counter("rate_limit_checks_total",
                         "Rate limit checks; degraded: admitted by what this process counted alone",
                         {{"scope", std::string(scope)}, {"result", result}});
}
Counter rejections(Metrics& metrics, const LimitClass& limit) {
  return metrics.counter("rate_limit_rejections_total", "Requests refused by a rate limit",
                         {{"scope", std::string(limit.scope)}, {"endpoint_class", std::string(limit.name)}});
}

}   // namespace

LimitClass plan_limit(const domain::Principal& key) {
  if (key.rate_limit_override) return {kKey.name, kKey.scope, kKey.window, *key.rate_limit_override};
  const std::int64_t limit = key.plan == "starter"      ? 100
                             : key.plan == "pro"        ? 500
                             : key.plan == "enterprise" ? 2000
                                                        : 50;
  return {kPlan.name, kPlan.scope, kPlan.window, limit};
}

std::string plan_limit_key(const domain::Principal& key) {
  return key.rate_limit_override ? to_string(*key.key) : to_string(*key.organization);
}

std::string limit_key_of_address(std::string_view address) {
  auto parsed = net::parse_ip(address);
  if (!parsed || !parsed->v6) return std::string(address);
  std::fill(parsed->bytes.begin() + 8, parsed->bytes.end(), std::uint8_t{0});
  return net::to_string(*parsed) + "/64";
}

void Allowance::add(const LimitClass& limit, const store::Quota& quota) {
  if (shown_ && shown_->allowed && (!quota.allowed || quota.remaining < shown_->remaining)) shown_.reset();
  if (shown_) return;
  shown_ = quota;
  name_ = limit.name;
}

void Allowance::write(net::Headers& headers) const {
  if (!shown_) return;
  headers.add("X-RateLimit-Limit", std::to_string(shown_->limit));
  headers.add("X-RateLimit-Remaining", std::to_string(shown_->remaining));
  headers.add("X-RateLimit-Reset", std::to_string(shown_->reset));
  headers.add("X-RateLimit-Window", std::to_string(shown_->window_s));
  if (shadow_)
    headers.add("X-RateLimit-Status", "shadow-violation");
  else if (shown_->degraded)
    headers.add("X-RateLimit-Status", "degraded");
  const std::int64_t reset_in = shown_->allowed ? shown_->window_s : shown_->retry_after_s;
  headers.add("RateLimit-Policy", fmt::format("\"{}\";q={};w={}", name_, shown_->limit, shown_->window_s));
  headers.add("RateLimit", fmt::format("\"{}\";r={};t={}", name_, shown_->remaining, reset_in));
}

RateLimiter::RateLimiter(const GatewaySettings& settings, const Clock& clock, Metrics& metrics, store::Cache& cache)
    : settings_(settings), clock_(clock), cache_(cache) {
  // From the start, so that the first refusal is an increase.
  for (const auto& limit : kClasses) {
    const auto of = [&](const char* result) { return checks(metrics, limit.scope, result); };
    checks_.try_emplace(limit.scope, Checks{of("allowed"), of("rejected"), of("shadow"), of("degraded")});
    rejections_.try_emplace({limit.scope, limit.name}, rejections(metrics, limit));
  }
}

store::LimitCheck RateLimiter::check(const LimitClass& limit, std::string_view key) const {
  return {.key = full_key(limit, key),
          .window = limit.window,
          .limit = limit.name == kRegister.name ? settings_.register_per_minute : limit.limit,
          .now = clock_.now()};
}

Outcome<void> RateLimiter::judge(const LimitClass& limit, const store::Quota& quota, Allowance& allowance) {
  allowance.add(limit, quota);
  const Checks& counted = checks_.at(limit.scope);
  if (quota.allowed) {
    (quota.degraded ? counted.degraded : counted.allowed).add();
    return {};
  }
  if (settings_.rate_limit_mode == GatewaySettings::RateLimitMode::shadow) {
    counted.shadow.add();
    allowance.mark_shadow();
    return {};
  }
  counted.rejected.add();
  rejections_.at({limit.scope, limit.name}).add();
  Refusal refusal = Refusal::make(429, "rate_limited",
                                  fmt::format("Rate limit exceeded. Try again in {} seconds. (Limit: {}, Window: {}s)",
                                              quota.retry_after_s, quota.limit, quota.window_s));
  refusal.retry_after_s = quota.retry_after_s;
  return std::unexpected(std::move(refusal));
}

Task<Outcome<void>> RateLimiter::take(const LimitClass& limit, std::string_view key, Allowance& allowance) {
  const auto quota = co_await cache_.take(check(limit, key));
  co_return judge(limit, quota, allowance);
}

Task<void> RateLimiter::peek(const LimitClass& limit, std::string_view key, Allowance& allowance) {
  allowance.add(limit, co_await cache_.peek(check(limit, key)));
}

Task<Outcome<RateLimiter::Reservation>> RateLimiter::reserve_login(std::string_view address,
                                                                   std::string_view identifier, Allowance& allowance) {
  // As the account is looked up, so that another spelling is no other account. The identifier is the client's text of
  // any length: its digest bounds the key.
  const std::string key = fmt::format("{}:{}", limit_key_of_address(address),
                                      to_hex(crypto::sha256(as_bytes(fold_case(identifier))).view()).substr(0, 32));
  Reservation wanted = check(kFailedLogin, key);
  const auto quota = co_await cache_.take(wanted);
  if (auto judged = judge(kFailedLogin, quota, allowance); !judged) co_return pass(judged);
  co_return wanted;
}

}   // namespace agentauri::gateway
