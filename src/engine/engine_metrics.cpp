#include "engine/engine_metrics.hpp"

#include <algorithm>
#include <limits>
#include <set>
#include <vector>

#include "rules/circuit_breaker.hpp"

namespace agentauri::engine {
namespace {

// Of breakers, in seconds of block time: around the default recovery time of an hour.
const std::vector<double> kOpenBuckets{60, 300, 900, 1800, 3600, 7200, 14'400, 43'200, 86'400, 604'800};

Gauge breakers(Metrics& metrics, const char* state) {
  return metrics.gauge("circuit_breaker_state", "Triggers by the state of their circuit breaker", {{"state", state}});
}

// Names of an older design whose counterpart does not exist here: they stay at 0. Jobs are never
// refused; a breaker's state is part of the batch and is never lost alone; a trigger whose action has an unknown type
// is not accepted; the cache of states is the process's own memory.
void show_what_cannot_happen(Metrics& metrics) {
  const auto zero = [&metrics](const char* name, const char* help, const Labels& labels = {}) {
    metrics.counter(name, help, labels);
  };
  zero("event_processor_queue_rejections_total", "Always 0: jobs are never refused");
  zero("event_processor_circuit_breaker_persistence_failures_total",
       "Always 0: the state of circuit breakers is stored with everything else of a batch");
  zero("event_processor_action_type_parse_failures_total", "Always 0: an unknown action type is refused when saved");
  zero("event_processor_listener_transient_errors_total",
       "Times that the listening connection was lost or could not be had; PostgreSQL only");
  for (const char* operation : {"read", "write", "delete"})
    zero("state_cache_errors_total", "Always 0: states are cached in the process's own memory",
         {{"operation", operation}});
}

}   // namespace

EngineMetrics::EngineMetrics(Metrics& metrics)
    : event_seconds(metrics.histogram("event_processing_duration_seconds", "Time per event", kEventBuckets)),
      state_read_seconds(metrics.histogram("state_db_read_duration_seconds",
                                           "Time to read a state that was not in the cache", kDatabaseBuckets)),
      state_write_seconds(metrics.histogram("state_db_write_duration_seconds",
                                            "Time to write the states of a batch inside its transaction",
                                            kDatabaseBuckets)),
      breaker_open_seconds(metrics.histogram("circuit_breaker_open_duration_seconds",
                                             "Block time from a breaker's opening to its closing", kOpenBuckets)),
      evaluated(metrics.counter("triggers_evaluated_total", "Triggers evaluated against an event")),
      matched(metrics.counter("triggers_matched_total", "Triggers that matched an event")),
      crowded(metrics.counter("event_processor_trigger_count_exceeded_total",
                              "Events that matched more than 100 triggers; none is cut")),
      throttled(metrics.counter("jobs_throttled_total", "Jobs made due later: their organization is over its ceiling")),
      set_aside(metrics.counter("event_dead_letters_total", "Events passed over after five failed attempts")),
      left_alone(metrics.counter("circuit_breaker_skipped_total",
                                 "Evaluations left out because the trigger's circuit breaker was open")),
      cache_hits(metrics.counter("state_cache_hits_total", "States of triggers that were found in memory")),
      cache_misses(metrics.counter("state_cache_misses_total", "States of triggers that the store was asked for")),
      breaker_failures(
          metrics.counter("circuit_breaker_failures_total", "Evaluations that failed, which circuit breakers count")),
      breaker_transitions(metrics.counter("circuit_breaker_state_transitions_total",
                                          "Circuit breakers that went from one state to another")),
      crashed(metrics.counter("event_processor_spawned_tasks_panicked_total",
                              "Exceptions while an event or a batch was worked on")),
      enqueue_failures(metrics.counter("event_processor_action_enqueue_failures_total",
                                       "Batches with jobs that could not be committed; they are tried again")),
      query_errors(metrics.counter("event_processor_polling_fallback_query_errors_total",
                                   "Looks at the block log that the store did not answer")),
      aborted(metrics.counter("event_processor_polling_fallback_batch_aborted_total",
                              "Batches that failed; their chain tries again")),
      recovered(metrics.counter("event_processor_polling_fallback_events_recovered_total",
                                "Events that the poll found before any hint came")),
      failed_events(metrics.counter("event_processor_polling_fallback_events_failed_total",
                                    "Events passed over: the same as event_dead_letters_total")),
      consecutive_errors(metrics.gauge("event_processor_polling_fallback_consecutive_errors",
                                       "Batches and looks at the log that failed, in a row")),
      failure_rate(metrics.gauge("event_processor_polling_fallback_failure_rate",
                                 "Share of the batches that failed, of about the last hundred")),
      troubled(metrics.gauge("troubled_triggers", "Triggers whose circuit breaker remembers a failure")) {
  show_what_cannot_happen(metrics);
}

void EngineMetrics::count(const Batch& batch) {
  for (const double seconds : batch.durations) event_seconds.observe(seconds);
  for (const double seconds : batch.state_reads) state_read_seconds.observe(seconds);
  for (const double seconds : batch.breaker_open) breaker_open_seconds.observe(seconds);
  evaluated.add(static_cast<double>(batch.progress.evaluated));
  matched.add(static_cast<double>(batch.progress.matched));
  crowded.add(static_cast<double>(batch.crowded));
  left_alone.add(static_cast<double>(batch.left_alone));
  cache_hits.add(static_cast<double>(batch.cache_hits));
  cache_misses.add(static_cast<double>(batch.state_reads.size()));
  breaker_failures.add(static_cast<double>(batch.failed_evaluations));
  breaker_transitions.add(static_cast<double>(batch.breaker_transitions));
  crashed.add(static_cast<double>(batch.crashed));
  if (batch.dead_letter) {
    set_aside.add();
    failed_events.add();
  }
  note_end(true);
}

void EngineMetrics::count_failure() {
  aborted.add();
  note_end(false);
}

void EngineMetrics::count_step(const Result<Progress>& progress, bool hinted) {
  if (progress) {
    if (!hinted) recovered.add(static_cast<double>(progress->events));
  } else if (progress.error().code != Code::fenced && progress.error().code != Code::cancelled) {
    query_errors.add();
    note_end(false);
  }
}

void EngineMetrics::note_end(bool good) {
  constexpr double kWeight = 0.01;   // of one batch among the last hundred
  if (!good) consecutive_errors.add(1);
  if (good) consecutive_errors.set(0);
  failure_rate.set(failure_rate.value() * (1 - kWeight) + (good ? 0 : kWeight));
}

OpenBreakers::OpenBreakers(Metrics& metrics)
    : closed_(breakers(metrics, "closed")),
      open_(breakers(metrics, "open")),
      half_open_(breakers(metrics, "half_open")) {}

void OpenBreakers::note(domain::TriggerId trigger, domain::ChainId chain, const std::optional<std::string>& state) {
  const auto breaker = rules::read_breaker(state);
  if (breaker.phase == rules::BreakerState::Phase::closed)
    opened_.erase({trigger, chain});
  else
    opened_[{trigger, chain}] = breaker.opened_at.value_or(Time{});
}

void OpenBreakers::forget(domain::TriggerId trigger) {
  const auto first = opened_.lower_bound({trigger, std::numeric_limits<domain::ChainId>::min()});
  auto last = first;
  while (last != opened_.end() && last->first.first == trigger) ++last;
  opened_.erase(first, last);
}

void OpenBreakers::show(const TriggerIndex& triggers, Time now) const {
  std::set<domain::TriggerId> open, half;
  for (const auto& [key, opened_at] : opened_) {
    const auto trigger = triggers.find(key.first);
    if (!trigger) continue;
    const auto recovery = std::chrono::seconds(trigger->trigger.breaker.recovery_timeout_seconds);
    (now - opened_at < recovery ? open : half).insert(key.first);
  }
  const auto waiting = static_cast<std::size_t>(
      std::count_if(half.begin(), half.end(), [&open](const auto& id) { return !open.contains(id); }));
  open_.set(static_cast<double>(open.size()));
  half_open_.set(static_cast<double>(waiting));
  closed_.set(static_cast<double>(triggers.size() - open.size() - waiting));
}

}   // namespace agentauri::engine
