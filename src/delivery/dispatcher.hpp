// The worker: claims due jobs, makes the attempts, records how they ended.
//
// Life: made by src/app, used on one executor. run() ends when stop() was called and what is in hand has ended, or when it
// is cancelled; what is left then stays leased and becomes `unknown` when its instance is gone.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/async/task.hpp"
#include "core/base/time.hpp"
#include "core/telemetry/log.hpp"
#include "core/telemetry/metrics.hpp"
#include "delivery/channels/channel.hpp"
#include "store/database.hpp"
#include "store/jobs.hpp"

namespace agentauri::delivery {

struct DispatcherSettings {
  domain::InstanceId instance;
  std::size_t concurrent = 512;               // attempts in flight
  std::size_t concurrent_per_endpoint = 16;   // 1 while an endpoint fails
  std::size_t claim = 128;                    // jobs of one claim
  std::chrono::milliseconds poll{500};
  std::chrono::milliseconds recover_every{1000};
  int failures_to_narrow = 3;                 // in a row, until an endpoint gets one attempt at a time
};

class Dispatcher {
 public:
  // `channels`: by action type; a type without one ends its jobs dead, with a reason.
  Dispatcher(Executor executor, store::Database& db, const Clock& clock, DispatcherSettings settings, std::map<domain::ActionType, Channel*> channels, Metrics& metrics);
  ~Dispatcher();

  Task<void> run();
  // A hint: jobs may be due. Any thread.
  void wake() { wake_.notify(); }
  // Takes nothing new. On the executor.
  void stop();
  std::size_t in_flight() const { return in_flight_; }

 private:
  struct Endpoint {
    std::size_t in_flight = 0;
    int failures = 0;
  };

  Task<Result<std::vector<store::ClaimedJob>>> claim(std::size_t limit);
  Task<std::chrono::microseconds> until_next_due();
  Task<void> attempt(store::ClaimedJob job);
  Task<void> record_loop();
  Task<void> flush_results();
  Task<void> upkeep_loop();
  store::ClaimRoom room() const;
  std::size_t limit_of(const Endpoint& endpoint) const;
  void finish(const store::ClaimedJob& job, const Sent& sent, std::chrono::microseconds took);

  Executor executor_;
  store::Database& db_;
  const Clock& clock_;
  DispatcherSettings settings_;
  std::map<domain::ActionType, Channel*> channels_;
  Metrics& metrics_;
  Log log_{"worker"};
  Signal wake_, results_ready_;
  std::size_t in_flight_ = 0;
  bool stopping_ = false, recording_ = true;
  std::unordered_map<std::string, Endpoint> endpoints_;
  std::vector<store::AttemptResult> results_;
  Gauge active_, depth_, depth_too_, dead_;
};

}  // namespace agentauri::delivery
