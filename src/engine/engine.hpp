// The engine: reads the block log, matches, and commits state, jobs and cursor of a batch in one transaction.
//
// Life: made by src/app with a lease held; start() spins up its one thread, stop() ends it. step() is the whole of it and
// may be driven by hand (tests, simulation, tools). Not thread-safe otherwise.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "core/base/time.hpp"
#include "core/telemetry/log.hpp"
#include "core/telemetry/metrics.hpp"
#include "engine/trigger_index.hpp"
#include "store/chain_log.hpp"
#include "store/database.hpp"
#include "store/trigger_state.hpp"

namespace agentauri::engine {

struct EngineSettings {
  int shard = 0;
  std::string lease_name = "engine:0";
  domain::InstanceId instance;                 // holder of the lease
  std::int64_t epoch = 0;                      // of the lease
  std::int64_t batch_events = 500;
  std::chrono::milliseconds poll{250};
  std::map<domain::ChainId, std::uint32_t> confirmations;     // default wait; chains that are not named: 0
  std::map<domain::ChainId, std::string> chain_names;         // for templates
  std::uint64_t min_undo_blocks = 256;         // before-images reach at least so far below the head
  std::uint64_t max_undo_blocks = 20'000;
};

struct Progress {
  std::int64_t events = 0;
  std::int64_t evaluated = 0;
  std::int64_t matched = 0;
  std::int64_t jobs = 0;
  bool more = false;      // there may be more to do at once
};

class Engine {
 public:
  // `wake_workers` is called after a commit that enqueued something.
  Engine(store::Database& db, const Clock& clock, EngineSettings settings, Metrics& metrics, std::function<void()> wake_workers);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // One batch for every chain. Code::fenced: the lease has passed on; this object is of no more use.
  Result<Progress> step();

  // The loop on a thread of its own. `on_fenced` is called from it, once, when it ends because of that.
  void start(std::function<void()> on_fenced);
  void wake();            // a hint: there is something in the log. Any thread.
  void stop();

 private:
  struct Batch;
  Result<void> load();
  Result<void> adopt();
  Result<Progress> step_chain(const store::ChainRow& chain);
  Result<bool> compute(store::Tx& tx, Batch& batch);
  Result<void> process_joined(store::Tx& tx, Batch& batch, const store::LogEntry& entry);
  Result<void> process_left(store::Tx& tx, Batch& batch, const store::LogEntry& entry);
  void process_event(store::Tx& tx, Batch& batch, const domain::Event& event, std::int64_t seq);
  void match(Batch& batch, const domain::Event& event, const rules::CompiledTrigger& trigger, const rules::Evaluation& evaluation, std::int64_t seq);
  Result<void> commit(store::Tx& tx, Batch& batch);
  std::optional<store::StateValue> state_of(store::Tx& tx, Batch& batch, const store::StateRow& row);
  void loop();

  store::Database& db_;
  const Clock& clock_;
  EngineSettings settings_;
  Log log_{"engine"};
  std::function<void()> wake_workers_;

  TriggerIndex index_;
  std::int64_t revision_ = 0;
  bool loaded_ = false;
  // What the committed store holds, of what was looked at lately. nullopt: known to be absent.
  std::map<store::StateRow, std::optional<store::StateValue>> states_;
  std::map<domain::TriggerId, std::string> errors_;   // as recorded on the triggers
  std::map<domain::ChainId, std::uint64_t> pruned_below_;

  Metrics& metrics_;
  Histogram duration_;
  Counter evaluated_, matched_, crowded_;

  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable wanted_;
  bool awake_ = false, stopping_ = false;
  std::function<void()> on_fenced_;
};

}  // namespace agentauri::engine
