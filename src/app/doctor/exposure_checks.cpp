// Who can reach what: origins, addresses that are listened on, proxies that are believed, receivers that may be called.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "app/doctor/checks.hpp"

namespace agentauri::app::doctor {
namespace {

// Data stores and monitoring, which nobody but this machine has business with: operations.md 3.
constexpr std::array<std::uint16_t, 12> kPrivatePorts{5432, 6379, 9090, 9093, 9100, 9187,
                                                      9121, 3000, 9464, 9465, 9466, 9467};

Finding judge_origins(const Settings& settings, const Facts& facts) {
  const bool has_wildcard = std::any_of(
      facts.config_warnings.begin(), facts.config_warnings.end(),
      [](const auto& warning) { return warning.field == "ALLOWED_ORIGINS" && warning.text.contains("\"*\""); });
  if (has_wildcard)
    return {Verdict::critical, "ALLOWED_ORIGINS holds a wildcard, which is left out", "list the origins of your pages"};
  if (!settings.allowed_origins.empty())
    return well(fmt::format("{} origins are allowed", settings.allowed_origins.size()));
  return {Verdict::warning, "ALLOWED_ORIGINS is empty: pages of other hosts cannot use the API",
          "list the origins of your pages, such as https://app.example.org"};
}

Finding judge_bind(const Settings& settings, const Facts&) {
  if (is_loopback(settings.server_host))
    return well(fmt::format("the API listens on {}, for a proxy on this machine", settings.server_host));
  return {settings.production ? Verdict::warning : Verdict::info,
          fmt::format("the API listens on {}:{}: other machines reach it past nginx", settings.server_host,
                      settings.server_port),
          "set SERVER_HOST=127.0.0.1 behind a proxy on this machine, or let a firewall keep others out"};
}

Finding judge_metrics(const Settings& settings, const Facts&) {
  if (is_loopback(settings.metrics_host)) return well(fmt::format("metrics are served on {}", settings.metrics_host));
  return {
      Verdict::warning,
      fmt::format("metrics are served on {}:{}, without authentication", settings.metrics_host, settings.metrics_port),
      "set METRICS_ADDR=127.0.0.1:9464, or let a firewall keep all but Prometheus out"};
}

Finding judge_ports(const Settings& settings, const Facts& facts) {
  std::vector<std::string> open;
  for (const auto& port : facts.open_ports) {
    const bool is_ours = port.port == settings.server_port || port.port == settings.metrics_port;
    if (is_ours || std::find(kPrivatePorts.begin(), kPrivatePorts.end(), port.port) != kPrivatePorts.end())
      open.push_back(fmt::format("{}:{}", port.address, port.port));
  }
  if (open.empty()) return well("none of the ports that should be private takes connections from other machines");
  return {Verdict::warning,
          fmt::format("other machines reach {} unless a firewall is in between", fmt::join(open, ", ")),
          "let these listen on 127.0.0.1; from outside only 80 and 443 should answer (deploy/firewall)"};
}

Finding judge_proxies(const Settings& settings, const Facts&) {
  for (const auto& range : settings.trusted_proxies) {
    if (!range.ends_with("/0")) continue;
    return {Verdict::critical,
            fmt::format("TRUSTED_PROXIES holds {}: anybody chooses the address that limits count", range),
            "name the proxies in front of this service"};
  }
  return well("only named proxies say who the client is");
}

Finding judge_egress(const Settings& settings, const Facts&) {
  if (!settings.egress_allow.empty())
    return {settings.production ? Verdict::warning : Verdict::info,
            fmt::format("webhooks may reach {}, which are not public", fmt::join(settings.egress_allow, ", ")),
            "keep EGRESS_ALLOW as narrow as it can be: any user may send there"};
  if (settings.production && !settings.egress_https_only)
    return {Verdict::warning, "webhooks may be sent without TLS", "set EGRESS_HTTPS_ONLY=true"};
  return well("webhooks reach public addresses only");
}

constexpr Check kChecks[] = {
    {"exposure.origins", 51, "browsers' origins are named, without a wildcard", judge_origins},
    {"exposure.api", 0, "the API is reached through a proxy only", judge_bind},
    {"exposure.metrics", 0, "metrics are private", judge_metrics},
    {"exposure.ports", 54, "nothing but 80 and 443 is open", judge_ports},
    {"exposure.proxies", 0, "only our proxies name the client", judge_proxies},
    {"exposure.egress", 0, "webhooks reach public addresses only", judge_egress},
};

}   // namespace

std::span<const Check> exposure_checks() {
  return kChecks;
}

}   // namespace agentauri::app::doctor
