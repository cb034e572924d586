// The trail that API keys leave (http-api.md 3.9): each use, each failure, and what was presented as a key and was
// none. Collected here and written in batches, so that no request waits for it; a crash loses the last second of it.
#pragma once

#include <cstdint>
#include <mutex>
#include <string_view>
#include <vector>

#include "core/async/task.hpp"
#include "core/base/time.hpp"
#include "core/telemetry/metrics.hpp"
#include "domain/principal.hpp"
#include "gateway/auth/key_cache.hpp"
#include "store/api_keys.hpp"
#include "store/database.hpp"

namespace agentauri::gateway {

inline constexpr std::chrono::milliseconds kTrailInterval{1000};
inline constexpr std::size_t kMaxPendingTrail = 10'000;   // further rows are counted and dropped
inline constexpr std::size_t kTrailBatch = 500;           // rows of one transaction

// Thread-safe; flush() has one caller at a time.
class KeyTrail {
 public:
  KeyTrail(store::Database& db, Metrics& metrics);

  void used(const domain::Principal& key, store::RequestOrigin origin, Time now);
  // `text`: what was presented.
  void failed(const KeyVerdict& verdict, std::string_view text, store::RequestOrigin origin, Time now);

  // Writes everything that is pending, with when and from where each key was used last. What cannot be written waits
  // for the next call.
  Task<Result<void>> flush();

 private:
  struct Batch {
    std::vector<store::ApiKeyAudit> audit;
    std::vector<store::AuthFailure> failures;
    bool empty() const { return audit.empty() && failures.empty(); }
  };
  bool has_room() const { return pending_.audit.size() + pending_.failures.size() < kMaxPendingTrail; }
  Batch take();
  void put_back(Batch batch);

  store::Database& db_;
  Counter dropped_;
  std::mutex mutex_;
  Batch pending_;
};

}   // namespace agentauri::gateway
