#include "store/job_pace.hpp"

namespace agentauri::store {
namespace {

const Query kRead{"pace_read", "SELECT organization_id, used_until FROM organization_pace"};
const Query kWrite{"pace_write",
                   "INSERT INTO organization_pace (organization_id, used_until) VALUES (:organization, :until) "
                   "ON CONFLICT (organization_id) DO UPDATE SET used_until = :until"};
const Query kDelay{"job_delay",
                   "UPDATE jobs SET next_at = :at, reason = 'throttled' WHERE id = :job AND state IN ('held', "
                   "'pending') AND attempts = 0 AND next_at < :at"};

}   // namespace

Result<std::vector<OrganizationPace>> read_paces(Tx& tx) {
  auto rows = tx.run(kRead);
  if (!rows) return fail(rows);
  std::vector<OrganizationPace> out;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    out.push_back({rows->id<domain::OrganizationId>(i, 0), rows->time(i, 1)});
  }
  return out;
}

Result<void> write_paces(Tx& tx, const std::vector<OrganizationPace>& paces) {
  std::vector<Params> rows;
  for (const auto& pace : paces) {
    rows.push_back(Params().id("organization", pace.organization).time("until", pace.used_until));
  }
  if (auto written = tx.run_many(kWrite, rows); !written) return fail(written);
  return {};
}

Result<void> delay_jobs(Tx& tx, const std::vector<std::pair<domain::JobId, Time>>& jobs) {
  std::vector<Params> rows;
  for (const auto& [job, at] : jobs) rows.push_back(Params().blob("job", job.view()).time("at", at));
  if (auto delayed = tx.run_many(kDelay, rows); !delayed) return fail(delayed);
  return {};
}

}   // namespace agentauri::store
