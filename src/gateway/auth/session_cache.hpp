// Which sessions are good, without asking the store at each request: what was loaded lately, less what was revoked
// since.
//
// A poller follows the sequence `revocations`. While it is behind by more than kMaxStaleness, nothing cached is
// believed and every session is asked for, so that a revoked session is refused everywhere within a second.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "core/async/task.hpp"
#include "core/base/time.hpp"
#include "store/accounts.hpp"
#include "store/database.hpp"

namespace agentauri::gateway {

inline constexpr std::chrono::milliseconds kRevocationPoll{500};
inline constexpr std::chrono::milliseconds kMaxStaleness{1000};
inline constexpr std::chrono::seconds kSessionCacheAge{60};   // then it is read again: a renamed or vanished user
inline constexpr std::size_t kMaxCachedSessions = 50'000;     // least recently used go first
inline constexpr std::size_t kMaxRevokedSessions = 100'000;   // beyond it everything cached is dropped
inline constexpr std::int64_t kRevocationBatch = 1000;

// Thread-safe.
class SessionCache {
 public:
  explicit SessionCache(store::Database& db) : db_(db) {}

  struct Lookup {
    std::optional<store::SessionView> session;
    std::string_view why;   // there is none, for the log: unknown, revoked, expired, or of an inactive user
  };
  // An Error: the store cannot be asked.
  Task<Result<Lookup>> find(domain::SessionId id, Time now);
  // Of this process, at once.
  void revoke(domain::SessionId id);

  // Reads what was revoked since the last call; the first call only learns where the sequence stands.
  Task<Result<void>> poll();

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  struct Entry {
    store::SessionView view;
    SteadyTime loaded;
    std::list<domain::SessionId>::iterator use;
  };
  std::optional<store::SessionView> find_cached(domain::SessionId id);
  void remember(const store::SessionView& view, SteadyTime asked_at);
  void forget(domain::SessionId id);

  store::Database& db_;
  std::mutex mutex_;
  std::unordered_map<domain::SessionId, Entry> entries_;
  std::list<domain::SessionId> by_use_;   // most recent first
  // When a revocation was noticed: a view that was asked for before that moment may not be cached.
  std::unordered_map<domain::SessionId, SteadyTime> revoked_;
  std::optional<std::int64_t> seq_;
  SteadyTime polled_at_{};
};

}   // namespace agentauri::gateway
