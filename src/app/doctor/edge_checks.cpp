// nginx on this machine: its limits and its certificates, as its files have them.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/doctor/checks.hpp"

namespace agentauri::app::doctor {
namespace {

constexpr auto kSoon = std::chrono::hours(24 * 30), kVerySoon = std::chrono::hours(24 * 7);
const Finding kNoNginx{Verdict::skipped, "nginx is not on this machine", {}};

Finding judge_limits(const Settings&, const Facts& facts) {
  if (!facts.nginx) return kNoNginx;
  std::vector<std::string_view> lacks;
  if (!facts.nginx->limits_auth) lacks.push_back("zone auth_limit");
  if (!facts.nginx->limits_api) lacks.push_back("zone api_limit");
  if (!facts.nginx->answers_429) lacks.push_back("limit_req_status 429");
  if (lacks.empty()) return well("nginx limits requests and answers 429");
  return {Verdict::critical, fmt::format("nothing in {} has {}", facts.nginx->folder, fmt::join(lacks, ", ")),
          "install the site of deploy/nginx and reload nginx"};
}

Finding judge_certificates(const Settings&, const Facts& facts) {
  if (!facts.nginx) return kNoNginx;
  if (facts.nginx->certificates.empty())
    return {Verdict::critical, "no site of nginx has a certificate", "see deploy/nginx/README.md"};
  Finding worst = well(fmt::format("{} certificates are valid for 30 days or more", facts.nginx->certificates.size()));
  const auto note = [&worst](Verdict verdict, std::string text, std::string remedy) {
    if (verdict > worst.verdict) worst = {verdict, std::move(text), std::move(remedy)};
  };
  for (const auto& certificate : facts.nginx->certificates) {
    if (!certificate.ends) {
      note(Verdict::warning, fmt::format("{} cannot be read: {}", certificate.path, certificate.trouble),
           "run this as a user who may read it");
      continue;
    }
    const auto left = std::chrono::duration_cast<std::chrono::seconds>(*certificate.ends - facts.now);
    if (left.count() <= 0)
      note(Verdict::critical, fmt::format("{} expired on {}", certificate.path, to_rfc3339(*certificate.ends)),
           "certbot renew, and reload nginx");
    else if (left < kSoon)
      note(left < kVerySoon ? Verdict::critical : Verdict::warning,
           fmt::format("{} expires in {}", certificate.path, age_text(left)),
           "is the timer of certbot active? certbot renew");
  }
  return worst;
}

constexpr Check kChecks[] = {
    {"edge.limits", 52, "nginx limits requests", judge_limits},
    {"edge.certificates", 53, "certificates are valid for weeks to come", judge_certificates},
};

}   // namespace

std::span<const Check> edge_checks() {
  return kChecks;
}

}   // namespace agentauri::app::doctor
