#include "engine/organization_paces.hpp"

#include <algorithm>

namespace agentauri::engine {
namespace {

constexpr Micros kHour = std::chrono::hours(1);
constexpr Micros kWorthStoring = kHour * 9 / 10;   // less than a tenth used: a restart may forget it
constexpr std::size_t kMaxKnown = 10'000;          // beyond it those with a full allowance are forgotten

}   // namespace

OrganizationPaces::OrganizationPaces(std::int64_t jobs_per_hour)
    : step_(kHour / std::max<std::int64_t>(jobs_per_hour, 1)) {}

void OrganizationPaces::load(const std::vector<store::OrganizationPace>& stored) {
  used_until_.clear();
  for (const auto& pace : stored) used_until_[pace.organization] = pace.used_until;
}

std::vector<std::pair<domain::JobId, Time>> OrganizationPaces::extend(Plan& plan,
                                                                      const std::vector<store::NewJob>& jobs,
                                                                      Time now) const {
  std::vector<std::pair<domain::JobId, Time>> delays;
  for (const auto& job : jobs) {
    if (job.dead_reason) continue;
    auto [entry, is_new] = plan.used_until.emplace(job.organization_id, now - kHour);
    if (const auto known = used_until_.find(job.organization_id); is_new && known != used_until_.end()) {
      entry->second = std::max(entry->second, known->second);
    }
    entry->second += step_;
    if (entry->second > now) delays.emplace_back(job.id, entry->second);
  }
  plan.delayed += static_cast<std::int64_t>(delays.size());
  return delays;
}

// Of those near their ceiling, so that a restart knows it.
std::vector<store::OrganizationPace> OrganizationPaces::worth_storing(const Plan& plan, Time now) {
  std::vector<store::OrganizationPace> out;
  for (const auto& [organization, until] : plan.used_until) {
    if (until > now - kWorthStoring) out.push_back({organization, until});
  }
  return out;
}

void OrganizationPaces::take(Plan plan, Time now) {
  for (const auto& [organization, until] : plan.used_until) used_until_[organization] = until;
  if (used_until_.size() <= kMaxKnown) return;
  std::erase_if(used_until_, [now](const auto& entry) { return entry.second <= now - kHour; });
}

}   // namespace agentauri::engine
