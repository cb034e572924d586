// One batch of one chain: what it read from a snapshot, and everything that its one transaction will write.
//
// Computed inside a read-only store body, which may run more than once: each run begins anew. Nothing outside the batch
// changes but the triggers' revision and the set of troubled ones, which only grow here.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/alert_jobs.hpp"
#include "engine/settings.hpp"
#include "engine/state_cache.hpp"
#include "engine/trigger_set.hpp"
#include "rules/circuit_breaker.hpp"
#include "store/chain_log.hpp"
#include "store/event_dead_letters.hpp"
#include "store/jobs.hpp"
#include "store/trigger_state.hpp"

namespace agentauri::engine {

// What the engine has found out about a chain whose batches fail.
struct Poison {
  std::string error;
  std::int32_t attempts = 0;
  std::optional<std::string> event_id;
  Time first_seen;
};

struct BatchOrder {
  domain::ChainId chain = 0;
  Time now;
  std::int64_t max_events = 500;     // 1: also stops after each entry of the log
  std::optional<Poison> pass_over;   // the next event is set aside with this
};

using States = std::map<store::StateRow, std::optional<store::StateValue>>;

// Triggers whose circuit breaker may have a state, and on which chains; all others need not be asked. It may hold more,
// never less.
using Troubled = std::unordered_map<domain::TriggerId, std::set<domain::ChainId>>;

// The matches of one event beyond what a batch may hold as jobs. One event may match every trigger there is, and all
// its jobs belong into the transaction that moves the cursor past it; so these are kept as short as can be, and become
// jobs a few at a time while they are stored. That work then falls into the transaction, which a crowd has to pay for.
struct Crowd {
  struct Match {
    const rules::CompiledTrigger* trigger;         // the engine's: it changes only between batches
    std::optional<rules::Evaluation> evaluation;   // of a trigger with states; any other says the same once more
  };
  domain::Event event;
  std::int64_t seq = 0;
  std::vector<Match> matches;
};

struct Batch {
  store::ChainRow row;
  std::optional<store::EngineCursor> before;   // the cursor that the batch starts from
  store::EngineCursor cursor;
  std::int64_t revision = 0;                              // of the triggers
  States reads;                                           // found in the store
  States states;                                          // after this batch
  std::map<std::uint64_t, States> images;                 // block -> before
  std::vector<std::pair<std::uint64_t, Hash32>> undone;   // blocks that left
  std::vector<store::NewJob> jobs;
  std::optional<Crowd> crowd;   // of the last event
  std::size_t bytes = 0;        // of jobs and states, about
  std::map<domain::TriggerId, std::optional<std::string>> errors;
  std::optional<store::EventDeadLetter> dead_letter;
  Progress progress;
  std::map<domain::Registry, std::int64_t> events_by_registry;
  std::vector<double> durations;           // seconds, of each event
  std::int64_t crowded = 0;                // events with very many matches
  std::int64_t left_alone = 0;             // evaluations that an open circuit breaker left out
  std::vector<domain::TriggerId> opened;   // whose circuit breaker has opened
  std::int64_t failed_evaluations = 0, breaker_transitions = 0;
  std::vector<double> breaker_open;   // seconds of block time, of each breaker that has closed
  std::int64_t cache_hits = 0;
  std::vector<double> state_reads;       // seconds, of each state that the store was asked for
  std::int64_t crashed = 0;              // exceptions of evaluations
  std::optional<std::string> at_event;   // the one that was looked at last
};

class BatchBuilder {
 public:
  // `known_errors`: as recorded on the triggers. Everything outlives the builder.
  BatchBuilder(TriggerSet& triggers, StateCache& cache, Troubled& troubled,
               const std::map<domain::TriggerId, std::string>& known_errors, const EngineSettings& settings,
               const BatchOrder& order, Batch& batch);

  // false: there is nothing to do. `recorded_revision`: the newest that any cursor of the shard names. An exception of
  // the rules or of this code comes back as Code::internal, want of memory as Code::busy.
  Result<bool> build(store::Tx& tx, std::int64_t recorded_revision);

 private:
  Result<bool> compute(store::Tx& tx, std::int64_t recorded_revision);
  Result<void> read_start(store::Tx& tx);
  Result<void> join(store::Tx& tx, const store::LogEntry& entry);
  Result<void> leave(store::Tx& tx, const store::LogEntry& entry);
  void set_aside(const store::LogEntry& entry);
  void process(store::Tx& tx, const domain::Event& event, std::int64_t seq);
  bool evaluate(store::Tx& tx, const domain::Event& event, const rules::CompiledTrigger& trigger, std::int64_t seq);
  rules::BreakerState breaker_of(store::Tx& tx, const domain::Trigger& trigger);
  void put_breaker(store::Tx& tx, const domain::Event& event, const domain::Trigger& trigger,
                   const rules::BreakerState& state);
  void note_closing(const domain::Event& event, const rules::BreakerState& before);
  void note_failed_evaluation(store::Tx& tx, const domain::Event& event, const domain::Trigger& trigger,
                              std::string text);
  void join_crowd(const domain::Event& event, const rules::CompiledTrigger& compiled, rules::Evaluation explained,
                  std::int64_t seq);
  void put_state(store::Tx& tx, const domain::Event& event, const store::StateRow& row,
                 std::optional<std::string> text);
  bool is_troubled(domain::TriggerId trigger) const;
  std::optional<store::StateValue> state_of(store::Tx& tx, const store::StateRow& row);
  bool full() const;

  TriggerSet& triggers_;
  StateCache& cache_;
  Troubled& troubled_;
  const std::map<domain::TriggerId, std::string>& known_errors_;
  const EngineSettings& settings_;
  const BatchOrder& order_;
  Batch& batch_;
  std::optional<AlertJobs> alerts_;
  Result<void> failure_;   // of a read in the middle of an evaluation
};

}   // namespace agentauri::engine
