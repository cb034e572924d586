// What the engine counts (docs/metrics.md). Used by the engine's thread; lives as long as the registry.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "core/base/time.hpp"
#include "core/telemetry/metrics.hpp"
#include "domain/event.hpp"
#include "engine/batch.hpp"
#include "engine/settings.hpp"

namespace agentauri::engine {

struct EngineMetrics {
  explicit EngineMetrics(Metrics& metrics);

  // Of a batch that is durable.
  void count(const Batch& batch);
  void count_failure();   // of a batch
  // Of one step of the loop. `hinted`: something had said that there is work; else the poll found it.
  void count_step(const Result<Progress>& progress, bool hinted);

  Histogram event_seconds, state_read_seconds, state_write_seconds, breaker_open_seconds;
  Counter evaluated, matched, crowded, throttled, set_aside, left_alone;
  Counter cache_hits, cache_misses;
  Counter breaker_failures, breaker_transitions;
  Counter crashed, enqueue_failures, query_errors, aborted, recovered, failed_events;
  Gauge consecutive_errors, failure_rate;
  Gauge troubled;

 private:
  void note_end(bool good);
};

// Circuit breakers that are open, for circuit_breaker_state{state}: triggers by state, whatever the chain. A breaker is
// half open once its recovery time is over: the next event that concerns its trigger will try it.
class OpenBreakers {
 public:
  explicit OpenBreakers(Metrics& metrics);

  void clear() { opened_.clear(); }
  // The stored state of a breaker as it is from now on; nullopt: nothing to remember.
  void note(domain::TriggerId trigger, domain::ChainId chain, const std::optional<std::string>& state);
  void forget(domain::TriggerId trigger);
  void show(const TriggerIndex& triggers, Time now) const;

 private:
  std::map<std::pair<domain::TriggerId, domain::ChainId>, Time> opened_;
  Gauge closed_, open_, half_open_;
};

}   // namespace agentauri::engine
