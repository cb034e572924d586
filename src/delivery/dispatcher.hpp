// The worker: claims due jobs, makes the attempts, records how they ended.
//
// Life: made by src/app, used on one executor. run() ends when stop() was called and what is in hand has ended; when it
// is cancelled, attempts in hand are cut and recorded as such (`unknown` when bytes had left), due again at once.
// Results wait in memory while the store is away; what is leased without this worker's knowledge (the answer to a claim
// was lost) is given back as `unknown`, and what it leaves behind when it goes becomes `unknown` too.
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
#include "delivery/lanes.hpp"
#include "store/database.hpp"
#include "store/jobs.hpp"
#include "store/reach.hpp"

namespace agentauri::delivery {

struct DispatcherSettings {
  domain::InstanceId instance;
  LaneSettings lanes;
  std::size_t claim = 128;               // jobs of one claim
  std::chrono::milliseconds poll{500};   // when no hint comes
  std::chrono::milliseconds recover_every{1000};
};

class Dispatcher {
 public:
  // `channels`: by action type; a type without one ends its jobs dead, with a reason.
  Dispatcher(Executor executor, store::Database& db, const Clock& clock, DispatcherSettings settings,
             std::map<domain::ActionType, Channel*> channels, Metrics& metrics);
  ~Dispatcher();

  Task<void> run();
  // A hint: jobs may be due. Any thread.
  void wake() { wake_.notify(); }
  // Takes nothing new. On the executor.
  void stop();
  std::size_t in_flight() const { return lanes_.in_flight(); }

 private:
  struct TypeMetrics;

  struct Ended {
    store::AttemptResult result;
    domain::ActionType type;
    Micros age;          // from the job's making to the attempt's end
    bool bare = false;   // the store refused what it said
  };

  Task<void> claim_loop(TaskGroup& attempts);
  Task<Result<store::Claim>> claim(std::size_t limit);
  void start_attempts(TaskGroup& attempts, std::vector<store::ClaimedJob> jobs);
  Task<void> attempt(std::shared_ptr<const store::ClaimedJob> job, Lanes::Ticket ticket);
  Task<Sent> make(const store::ClaimedJob& job);
  void finish(const store::ClaimedJob& job, Sent sent, std::chrono::microseconds took);
  Task<void> record_loop();
  Task<void> more_results();
  Task<void> flush_results();
  Task<Result<std::int64_t>> write_results(std::size_t count);
  void count_end(const Ended& ended);
  void let_go(const store::AttemptResult& result);
  Task<void> upkeep_loop();
  Task<void> recover();
  Task<void> give_back_lost();
  TypeMetrics& metrics_of(domain::ActionType type);

  Executor executor_;
  store::Database& db_;
  const Clock& clock_;
  DispatcherSettings settings_;
  std::map<domain::ActionType, Channel*> channels_;
  Metrics& metrics_;
  Log log_{"worker"};
  Signal wake_, results_ready_;
  bool stopping_ = false, recording_ = true;
  bool wanting_ = false;   // due jobs wait for an attempt to end
  std::size_t ended_since_claim_ = 0;
  Lanes lanes_;
  std::vector<Ended> results_;
  std::unordered_map<domain::JobId, std::int64_t> in_hand_;   // with its lease's epoch: until its result is recorded
  store::Reach reach_;
  Gauge active_;
  std::map<domain::ActionType, std::unique_ptr<TypeMetrics>> type_metrics_;
};

}   // namespace agentauri::delivery
