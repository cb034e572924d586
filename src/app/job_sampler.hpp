// What waits for delivery and whether the schema fits, looked at every five seconds for the gauges that operators watch
// (docs/metrics.md).
#pragma once

#include <chrono>
#include <optional>

#include "app/settings.hpp"
#include "core/async/task.hpp"
#include "core/base/time.hpp"
#include "core/telemetry/metrics.hpp"
#include "store/database.hpp"
#include "store/jobs.hpp"

namespace agentauri::app {

inline constexpr std::chrono::seconds kSampleEvery{5};

// Made by the application for the roles worker and engine, both of which owe these figures under names of their own;
// run on the roles' executor until it is cancelled. While the store is away the gauges keep their last values.
class JobSampler {
 public:
  JobSampler(store::Database& db, const Clock& clock, const Roles& roles, Metrics& metrics);
  Task<void> run();
  Task<void> sample();

 private:
  struct WorkerGauges {
    explicit WorkerGauges(Metrics& metrics);
    Gauge depth, dead, held, pending, leased, dead_too, oldest_due;
  };
  struct EngineGauges {
    explicit EngineGauges(Metrics& metrics);
    Gauge depth, high;
  };
  struct Sample {
    store::JobCounts counts;
    std::optional<Time> oldest_due;
  };
  void show(const Sample& sample) const;

  store::Database& db_;
  const Clock& clock_;
  Gauge depth_, migrations_;
  std::optional<WorkerGauges> worker_;
  std::optional<EngineGauges> engine_;
};

}   // namespace agentauri::app
