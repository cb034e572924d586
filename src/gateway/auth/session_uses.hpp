// When and from where sessions were used last, for the list that their users see. A session is noted at most once a
// minute and written with others in one transaction, so that no request waits and a busy session costs a row a minute;
// a crash loses the last second of it.
#pragma once

#include <chrono>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "core/async/task.hpp"
#include "core/base/time.hpp"
#include "gateway/use_cases/client_info.hpp"
#include "store/database.hpp"
#include "store/sessions.hpp"

namespace agentauri::gateway {

inline constexpr std::chrono::seconds kSessionUseGrain{60};
inline constexpr std::size_t kMaxNotedSessions = 50'000;   // beyond it every session may be noted again
inline constexpr std::size_t kMaxPendingUses = 10'000;     // further uses are dropped: the next minute brings others
inline constexpr std::size_t kSessionUseBatch = 500;       // rows of one transaction

// Thread-safe; flush() has one caller at a time.
class SessionUses {
 public:
  explicit SessionUses(store::Database& db) : db_(db) {}

  void used(domain::SessionId session, const ClientInfo& client, Time now);
  // Writes everything that is pending. What cannot be written waits for the next call.
  Task<Result<void>> flush();

 private:
  std::vector<store::SessionUse> take();
  void put_back(std::vector<store::SessionUse> uses);

  store::Database& db_;
  std::mutex mutex_;
  std::unordered_map<domain::SessionId, Time> noted_;
  std::vector<store::SessionUse> pending_;
};

}   // namespace agentauri::gateway
