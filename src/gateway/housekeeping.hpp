// What the gateway does beside requests: it follows the sequence of revocations, writes every second what API keys
// and sessions were used for, and hourly forgets dead sessions, old audit rows, nonces, idempotency keys and
// invitations.
#pragma once

#include <array>
#include <chrono>
#include <map>
#include <string_view>

#include "core/async/task.hpp"
#include "core/base/time.hpp"
#include "core/telemetry/background_task.hpp"
#include "core/telemetry/log.hpp"
#include "core/telemetry/metrics.hpp"
#include "gateway/auth/key_trail.hpp"
#include "gateway/auth/revocation_feed.hpp"
#include "gateway/auth/session_uses.hpp"
#include "gateway/store_hint.hpp"
#include "store/database.hpp"

namespace agentauri::gateway {

inline constexpr std::chrono::hours kCleanupInterval{1};
inline constexpr std::chrono::hours kDeadSessionRetention{7 * 24};
inline constexpr std::chrono::hours kAuditRetention{30 * 24};
inline constexpr std::chrono::hours kNonceRetention{1};   // after their end: until then a reply names what was wrong
inline constexpr std::int64_t kCleanupBatch = 500;
inline constexpr int kMaxCleanupBatches = 1000;   // of one round; the rest waits for the next

class Housekeeping {
 public:
  Housekeeping(store::Database& db, const Clock& clock, Metrics& metrics, RevocationFeed& revocations, KeyTrail& trail,
               SessionUses& session_uses);
  // Until it is cancelled; the trail is written once more then.
  Task<void> run();
  // One round; how many rows went. The first failure ends it: a store that is away must not keep the rest waiting.
  Task<Result<std::int64_t>> clean_up();

 private:
  // One kind of rows that are kept for a while; a background task in the metrics.
  struct Kept {
    std::string_view task;
    std::chrono::hours retention;
    Result<std::int64_t> (*remove)(store::Tx& tx, Time before, std::int64_t limit);
  };
  static const std::array<Kept, 6> kKept;
  Task<Result<std::int64_t>> clean_up(const Kept& kept);
  Task<void> follow();
  Task<void> write_trail();
  Task<void> write_session_uses();
  Task<void> clean_up_when_due();

  store::Database& db_;
  const Clock& clock_;
  std::map<std::string_view, BackgroundTask> tasks_;
  RevocationFeed& revocations_;
  KeyTrail& trail_;
  SessionUses& session_uses_;
  StoreHint revoked_;
  Log log_{"gateway"};
  using SteadyTime = std::chrono::steady_clock::time_point;
  bool follows_ = true, writes_ = true, writes_uses_ = true;
  SteadyTime written_at_{}, cleaned_at_ = std::chrono::steady_clock::now() - kCleanupInterval;
};

}   // namespace agentauri::gateway
