// How an alert leaves: one channel for each action type, in a table that src/app fills.
#pragma once

#include <memory>
#include <optional>

#include "core/async/task.hpp"
#include "core/base/time.hpp"
#include "delivery/retry_policy.hpp"
#include "store/jobs.hpp"

namespace agentauri::delivery {

struct Sent {
  AttemptEnd end;
  std::optional<int> retry_count;   // of the action's configuration
};

class Channel {
 public:
  virtual ~Channel() = default;
  // One attempt. Its row is durable already. Never throws, always ends (the action's own time limit).
  // `job` lives until the task ends.
  virtual Task<Sent> send(const store::ClaimedJob& job, Time now) = 0;
  virtual const RetryLadder& ladder() const = 0;
};

}   // namespace agentauri::delivery
