#include "app/doctor/checks.hpp"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "net/address_guard.hpp"

namespace agentauri::app::doctor {

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::ok:
      return "ok";
    case Verdict::skipped:
      return "skipped";
    case Verdict::info:
      return "info";
    case Verdict::warning:
      return "warning";
    case Verdict::critical:
      return "critical";
  }
  return "critical";
}

std::span<const Check> all_checks() {
  static const auto checks = [] {
    std::vector<Check> out;
    for (const auto group :
         {config_checks(), secret_checks(), database_checks(), event_storage_checks(), redis_checks(),
          exposure_checks(), edge_checks(), backup_checks(), machine_checks(), pipeline_checks()})
      out.insert(out.end(), group.begin(), group.end());
    return out;
  }();
  return checks;
}

Finding well(std::string text) {
  return {Verdict::ok, std::move(text), {}};
}

Finding skipped(std::string text) {
  return {Verdict::skipped, std::move(text), {}};
}

Finding store_is_away(const Facts& facts) {
  return skipped(facts.store_trouble ? "the store cannot be asked" : "there is no store yet");
}

bool is_loopback(std::string_view host) {
  if (host.starts_with('/') || host == "localhost") return true;
  const auto ip = net::parse_ip(host);
  if (!ip) return false;
  return ip->v6 ? net::to_string(*ip) == "::1" : ip->bytes[0] == 127;
}

std::string age_text(std::chrono::seconds age) {
  const auto s = age.count();
  if (s >= 2 * 86'400) return fmt::format("{} days", s / 86'400);
  if (s >= 2 * 3600) return fmt::format("{} h", s / 3600);
  if (s >= 120) return fmt::format("{} min", s / 60);
  return fmt::format("{} s", s);
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits{"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

}   // namespace agentauri::app::doctor
