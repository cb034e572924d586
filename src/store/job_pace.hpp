// The ceiling of jobs that an organization gets within an hour (pipeline.md 6.10): what is above it becomes due later.
#pragma once

#include <utility>
#include <vector>

#include "domain/ids.hpp"
#include "store/database.hpp"

namespace agentauri::store {

struct OrganizationPace {
  domain::OrganizationId organization;
  Time used_until;   // up to here its jobs are spread
};
Result<std::vector<OrganizationPace>> read_paces(Tx& tx);
Result<void> write_paces(Tx& tx, const std::vector<OrganizationPace>& paces);

// The job becomes due at the time beside it, with reason `throttled`: not before it, when it waits for confirmations
// too. Only jobs that nobody has tried yet.
Result<void> delay_jobs(Tx& tx, const std::vector<std::pair<domain::JobId, Time>>& jobs);

}   // namespace agentauri::store
