// What is kept for a while and then deleted, in small batches behind everything else that wants the store.
#pragma once

#include <chrono>
#include <optional>

#include "core/async/task.hpp"
#include "core/base/time.hpp"
#include "core/telemetry/background_task.hpp"
#include "core/telemetry/log.hpp"
#include "core/telemetry/metrics.hpp"
#include "store/forget_events.hpp"
#include "store/forget_jobs.hpp"

namespace agentauri::app {

struct HousekeepingSettings {
  std::chrono::hours retention{24 * 30};               // of jobs that have ended, with their attempts
  std::optional<std::chrono::hours> event_retention;   // nullopt: events are kept for ever
  std::uint64_t undo_blocks = 20'000;                  // so deep a reorganisation may go: the engine's max_undo_blocks
  std::chrono::milliseconds first{60'000};
  std::chrono::milliseconds every{3'600'000};   // both give or take a fifth, so that processes do not move in step
  std::size_t batch = 200;                      // jobs looked at in one transaction
  std::int64_t event_batch = 500;               // events deleted in one
};

// Made by the application for the role worker, run on the roles' executor until it is cancelled. Of several processes
// the one that holds the lease `housekeeping` does the work; should two do it, they only find less to delete.
class Housekeeping {
 public:
  Housekeeping(store::Database& db, const Clock& clock, domain::InstanceId instance, HousekeepingSettings settings,
               Metrics& metrics);
  Task<void> run();
  // One pass over everything that is old enough. What it could not delete is left to the next.
  Task<void> pass();

 private:
  Task<bool> is_mine();
  Task<void> forget_jobs();
  Task<void> forget_events();
  void report_holder(const store::ForgettableEvents& events, Time wanted);

  store::Database& db_;
  const Clock& clock_;
  domain::InstanceId instance_;
  HousekeepingSettings settings_;
  BackgroundTask deliveries_;   // jobs that have ended, with their attempts
  BackgroundTask events_;
  Log log_{"housekeeping"};
};

}   // namespace agentauri::app
