// The engine: reads the block log, matches, and commits state, jobs and cursor of a batch in one transaction.
//
// Life: made by src/app with a lease held; start() spins up its one thread, stop() ends it. step() is the whole of it
// and may be driven by hand (tests, simulation, tools). Not thread-safe otherwise. What it keeps in memory is the
// triggers, a bounded cache of states, and little things per chain and organization: nothing that grows with the events
// stored.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "core/base/time.hpp"
#include "core/telemetry/log.hpp"
#include "core/telemetry/metrics.hpp"
#include "engine/batch.hpp"
#include "engine/chain_trouble.hpp"
#include "engine/engine_metrics.hpp"
#include "engine/organization_paces.hpp"
#include "engine/settings.hpp"
#include "engine/state_cache.hpp"
#include "engine/trigger_set.hpp"
#include "store/chain_log.hpp"
#include "store/database.hpp"

namespace agentauri::engine {

class Engine {
 public:
  // `wake_workers` is called after a commit that enqueued something.
  Engine(store::Database& db, const Clock& clock, EngineSettings settings, Metrics& metrics,
         std::function<void()> wake_workers);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // One batch for every chain that has something to do. A chain whose batch fails waits (chain_trouble.hpp) and holds
  // up no other. Code::fenced: the lease has passed on; this object is of no more use.
  Result<Progress> step();

  // The loop on a thread of its own. `on_fenced` is called from it, once, when it ends because of that.
  void start(std::function<void()> on_fenced);
  void wake();   // a hint: there is something in the log. Any thread.
  void stop();

 private:
  struct Overview {
    std::int64_t newest_revision = 0;
    std::vector<store::ChainRow> chains;
  };
  // What a commit works out on its way. It is true only once the commit is.
  struct Outcome {
    store::ChainRow row;   // as the commit saw it
    store::EngineCursor cursor;
    OrganizationPaces::Plan pace;
    std::int64_t jobs = 0;
    std::optional<double> state_write_seconds;   // nullopt: there was none to write
    std::optional<std::uint64_t> pruned_below;
  };
  struct ChainMetrics {
    Gauge lag, stalled;
    std::map<domain::Registry, Counter> processed;
  };

  Result<void> load();
  Result<Overview> look();
  bool has_work(const store::ChainRow& chain, std::int64_t newest_revision) const;
  Result<Progress> step_chain(domain::ChainId chain);
  Result<Progress> run_batch(const BatchOrder& order, Batch& batch);
  Result<void> commit(store::Tx& tx, const BatchOrder& order, const Batch& batch, Outcome& out);
  Result<void> check_ours(store::Tx& tx, const BatchOrder& order, const Batch& batch);
  Result<void> settle_edits(store::Tx& tx, Time now);
  Result<void> write_state(store::Tx& tx, const Batch& batch, Outcome& out);
  Result<void> write_jobs(store::Tx& tx, const BatchOrder& order, const Batch& batch, Outcome& out);
  Result<void> put_jobs(store::Tx& tx, const std::vector<store::NewJob>& jobs, const store::ChainView& view, Time now,
                        Outcome& out);
  Result<void> put_crowd(store::Tx& tx, const Crowd& crowd, const store::ChainView& view, Time now, Outcome& out);
  Result<void> write_errors(store::Tx& tx, const Batch& batch);
  Result<void> prune(store::Tx& tx, Outcome& out);
  void show_stall(domain::ChainId chain, const ChainTrouble& trouble);
  void forget_mended(domain::ChainId chain, const Batch& batch);
  void take(const BatchOrder& order, Batch& batch, Outcome out);
  void tell_of_jobs(const Batch& batch) const;
  void count(domain::ChainId chain, const Batch& batch, const Outcome& outcome);
  ChainMetrics& metrics_of(domain::ChainId chain);
  void loop();
  Result<Progress> guarded_step();

  store::Database& db_;
  const Clock& clock_;
  const EngineSettings settings_;
  Log log_{"engine"};
  std::function<void()> wake_workers_;

  TriggerSet triggers_;
  StateCache cache_;
  Troubled troubled_;
  OrganizationPaces paces_;
  std::map<domain::TriggerId, std::string> errors_;   // as recorded on the triggers
  std::map<domain::ChainId, store::EngineCursor> cursors_;
  std::int64_t recorded_revision_ = -1;   // the newest that a cursor names
  std::map<domain::ChainId, ChainTrouble> troubles_;
  std::map<domain::ChainId, std::uint64_t> pruned_below_;

  Metrics& metrics_;
  std::map<domain::ChainId, ChainMetrics> chain_metrics_;
  EngineMetrics counted_;
  OpenBreakers breakers_;

  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable wanted_;
  bool awake_ = false, stopping_ = false;
  std::function<void()> on_fenced_;
};

}   // namespace agentauri::engine
