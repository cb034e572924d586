// What the gateway does beside requests: it follows the sequence of revocations, and hourly forgets dead sessions.
#pragma once

#include <chrono>

#include "core/async/task.hpp"
#include "core/base/time.hpp"
#include "core/telemetry/log.hpp"
#include "core/telemetry/metrics.hpp"
#include "gateway/auth/session_cache.hpp"
#include "store/database.hpp"

namespace agentauri::gateway {

inline constexpr std::chrono::hours kCleanupInterval{1};
inline constexpr std::chrono::hours kDeadSessionRetention{7 * 24};
inline constexpr std::int64_t kCleanupBatch = 500;
inline constexpr int kMaxCleanupBatches = 1000;   // of one round; the rest waits for the next

class Housekeeping {
 public:
  Housekeeping(store::Database& db, const Clock& clock, Metrics& metrics, SessionCache& sessions);
  // Until it is cancelled.
  Task<void> run();
  // One round; how many rows went.
  Task<Result<std::int64_t>> clean_up();

 private:
  store::Database& db_;
  const Clock& clock_;
  Metrics& metrics_;
  SessionCache& sessions_;
  Log log_{"gateway"};
};

}   // namespace agentauri::gateway
