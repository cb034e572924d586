#include "app/job_sampler.hpp"

#include <algorithm>

#include "store/due_jobs.hpp"

namespace agentauri::app {
namespace {

constexpr std::int64_t kHighDepth = 10'000;   // operations.md 6.2

Gauge jobs_in(Metrics& metrics, const char* state) {
  return metrics.gauge("jobs", "Jobs by state, but for those that have ended well", {{"state", state}});
}

}   // namespace

JobSampler::WorkerGauges::WorkerGauges(Metrics& metrics)
    : depth(metrics.gauge("action_worker_queue_depth", "Pending jobs")),
      dead(metrics.gauge("action_worker_dlq_size", "Dead jobs")),
      held(jobs_in(metrics, "held")),
      pending(jobs_in(metrics, "pending")),
      leased(jobs_in(metrics, "leased")),
      dead_too(jobs_in(metrics, "dead")),
      oldest_due(metrics.gauge("delivery_oldest_due_age_seconds",
                               "How long the delivery that is due the longest has waited for an attempt")) {}

JobSampler::EngineGauges::EngineGauges(Metrics& metrics)
    : depth(metrics.gauge("event_processor_queue_depth", "Pending jobs")),
      high(metrics.gauge("event_processor_queue_depth_high", "1 from 10,000 pending jobs on, else 0")) {}

JobSampler::JobSampler(store::Database& db, const Clock& clock, const Roles& roles, Metrics& metrics)
    : db_(db),
      clock_(clock),
      depth_(metrics.gauge("action_queue_depth", "Pending jobs")),
      migrations_(metrics.gauge("migrations_pending", "1: the schema is older than this program; 0: it is not")) {
  if (roles.worker) worker_.emplace(metrics);
  if (roles.engine) engine_.emplace(metrics);
}

void JobSampler::show(const Sample& seen) const {
  const auto& counts = seen.counts;
  const auto set = [](const Gauge& gauge, std::int64_t n) { gauge.set(static_cast<double>(n)); };
  set(depth_, counts.pending);
  if (engine_) {
    set(engine_->depth, counts.pending);
    set(engine_->high, counts.pending >= kHighDepth ? 1 : 0);
  }
  if (!worker_) return;
  set(worker_->depth, counts.pending);
  set(worker_->dead, counts.dead);
  set(worker_->held, counts.held);
  set(worker_->pending, counts.pending);
  set(worker_->leased, counts.leased);
  set(worker_->dead_too, counts.dead);
  const auto age = seen.oldest_due ? clock_.now() - *seen.oldest_due : Micros(0);
  worker_->oldest_due.set(std::max(0.0, std::chrono::duration<double>(age).count()));
}

Task<void> JobSampler::sample() {
  auto seen = co_await db_.snapshot<Sample>([](store::Tx& tx) -> Result<Sample> {
    auto counts = store::count_jobs(tx);
    if (!counts) return fail(counts);
    auto oldest = store::oldest_due_job(tx);
    if (!oldest) return fail(oldest);
    return Sample{*counts, *oldest};
  });
  if (seen) show(*seen);
  // A backup of an older release may have been restored under a running process.
  const auto health = co_await db_.check_health();
  if (health.reachable) migrations_.set(health.migrated ? 0 : 1);
}

Task<void> JobSampler::run() {
  do {
    co_await sample();
  } while (co_await sleep_for(kSampleEvery));
}

}   // namespace agentauri::app
