// What the settings say about themselves, and what they leave open.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/doctor/checks.hpp"

namespace agentauri::app::doctor {
namespace {

std::string sentences(const std::vector<Error>& errors) {
  std::vector<std::string> out;
  for (const auto& error : errors) out.push_back(fmt::format("{} {}", error.field, error.text));
  return fmt::format("{}", fmt::join(out, "; "));
}

Finding judge_faults(const Settings&, const Facts& facts) {
  if (facts.config_faults.empty()) return well("every setting can be read");
  return {Verdict::critical, sentences(facts.config_faults), "mend these settings: nothing starts with them"};
}

Finding judge_warnings(const Settings&, const Facts& facts) {
  if (facts.config_warnings.empty()) return well("no setting is ignored");
  return {Verdict::warning, sentences(facts.config_warnings), "mend or remove these settings"};
}

Finding judge_environment(const Settings& settings, const Facts&) {
  if (settings.production) return well("ENVIRONMENT is production");
  if (!settings.postgres) return {Verdict::info, "ENVIRONMENT is development, as is usual for the embedded store", {}};
  return {Verdict::warning, "ENVIRONMENT is development: cookies without Secure, receivers without TLS",
          "set ENVIRONMENT=production"};
}

Finding judge_limits(const Settings& settings, const Facts&) {
  if (settings.rate_limit_mode == "enforcing") return well("limits are enforced");
  return {settings.production ? Verdict::critical : Verdict::warning, "RATE_LIMIT_MODE=shadow refuses nobody",
          "set RATE_LIMIT_MODE=enforcing"};
}

Finding judge_chains(const Settings& settings, const Facts&) {
  if (!settings.chains.empty()) return well(fmt::format("{} chains are configured", settings.chains.size()));
  return {Verdict::info, "no chain is configured: there will be no events", "set CHAIN_<id>_RPC_URL"};
}

constexpr Check kChecks[] = {
    {"config.faults", 0, "every setting can be read", judge_faults},
    {"config.warnings", 0, "no setting is ignored", judge_warnings},
    {"config.environment", 0, "production is called so", judge_environment},
    {"config.limits", 0, "rate limits refuse", judge_limits},
    {"config.chains", 0, "there is a chain to follow", judge_chains},
};

}   // namespace

std::span<const Check> config_checks() {
  return kChecks;
}

}   // namespace agentauri::app::doctor
