// Spreads the jobs of organizations that are over their ceiling (pipeline.md 6.10): nothing is dropped, what is too
// much becomes due later. A full hour's allowance may come at once; from there on it refills evenly.
#pragma once

#include <unordered_map>
#include <utility>
#include <vector>

#include "store/job_pace.hpp"
#include "store/jobs.hpp"

namespace agentauri::engine {

class OrganizationPaces {
 public:
  // What a batch of jobs would use; it counts once it is taken.
  struct Plan {
    std::int64_t delayed = 0;
    std::unordered_map<domain::OrganizationId, Time> used_until;
  };

  explicit OrganizationPaces(std::int64_t jobs_per_hour);
  void load(const std::vector<store::OrganizationPace>& stored);
  // Adds jobs to the plan. Returns those that become due later, and when.
  std::vector<std::pair<domain::JobId, Time>> extend(Plan& plan, const std::vector<store::NewJob>& jobs,
                                                     Time now) const;
  // What is to be stored of it.
  static std::vector<store::OrganizationPace> worth_storing(const Plan& plan, Time now);
  void take(Plan plan, Time now);

 private:
  Micros step_;   // from one job to the next
  std::unordered_map<domain::OrganizationId, Time> used_until_;
};

}   // namespace agentauri::engine
