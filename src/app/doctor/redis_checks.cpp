// Redis, where it is configured: limits that gateways share.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "app/doctor/checks.hpp"

namespace agentauri::app::doctor {
namespace {

constexpr int kOldestRedis = 7;
const Finding kNone{Verdict::skipped, "Redis is not configured", {}};

std::int64_t living_gateways(const Facts& facts) {
  if (!facts.store) return 0;
  const auto& roles = facts.store->pipeline.living_roles;
  return std::count_if(roles.begin(), roles.end(), [](const auto& text) { return text.contains("gateway"); });
}

Finding judge_use(const Settings& settings, const Facts& facts) {
  if (settings.redis) return well("gateways share their limits in Redis");
  if (living_gateways(facts) < 2) return well("one gateway counts its limits by itself");
  return {Verdict::warning, fmt::format("{} gateways count limits each for itself", living_gateways(facts)),
          "set REDIS_URL or REDIS_HOST"};
}

Finding judge_reachable(const Settings&, const Facts& facts) {
  if (!facts.redis) return kNone;
  if (facts.redis->refuses_us)
    return {Verdict::critical, "Redis refuses the credentials: a gateway does not start",
            "set REDIS_PASSWORD as Redis has it"};
  if (facts.redis->is_reachable) return well("Redis answers");
  return {Verdict::warning, fmt::format("Redis is away ({}): limits are counted by each gateway", facts.redis->trouble),
          "start Redis"};
}

Finding judge_password(const Settings& settings, const Facts& facts) {
  if (!facts.redis || !settings.redis) return kNone;
  if (!facts.redis->is_reachable && !facts.redis->refuses_us) return skipped("Redis is away");
  if (facts.redis->takes_nobody) return well("Redis answers nobody without a password");
  return {is_loopback(settings.redis->host) ? Verdict::warning : Verdict::critical,
          "Redis answers everybody, without a password", "set requirepass in redis.conf, and REDIS_PASSWORD here"};
}

Finding judge_tls(const Settings& settings, const Facts&) {
  if (!settings.redis) return kNone;
  if (settings.redis->tls) return well("the way to Redis is encrypted");
  if (is_loopback(settings.redis->host)) return well("Redis is on this machine");
  return {Verdict::warning, "the connection to Redis, with its password, leaves this machine and is not encrypted",
          "use a rediss:// URL in REDIS_URL"};
}

Finding judge_version(const Settings&, const Facts& facts) {
  if (!facts.redis) return kNone;
  if (!facts.redis->is_reachable || facts.redis->version.empty()) return skipped("the version is not known");
  if (std::atoi(facts.redis->version.c_str()) >= kOldestRedis)
    return well(fmt::format("Redis {}", facts.redis->version));
  return {Verdict::warning, fmt::format("Redis {} is older than 7", facts.redis->version), "move to Redis 7 or newer"};
}

constexpr Check kChecks[] = {
    {"redis.use", 0, "several gateways share their limits", judge_use},
    {"redis.reachable", 0, "Redis answers", judge_reachable},
    {"redis.password", 50, "Redis wants a password", judge_password},
    {"redis.tls", 0, "the way to Redis is encrypted", judge_tls},
    {"redis.version", 0, "Redis is new enough", judge_version},
};

}   // namespace

std::span<const Check> redis_checks() {
  return kChecks;
}

}   // namespace agentauri::app::doctor
