// Follows the sequence `revocations` and tells every cache what to forget. One poll feeds all of them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/async/task.hpp"
#include "gateway/auth/revocable_cache.hpp"
#include "store/database.hpp"

namespace agentauri::gateway {

inline constexpr std::chrono::milliseconds kRevocationPoll{500};
inline constexpr std::int64_t kRevocationBatch = 1000;

// One caller at a time.
class RevocationFeed {
 public:
  RevocationFeed(store::Database& db, std::vector<Revocable*> caches) : db_(db), caches_(std::move(caches)) {}

  // Reads what was revoked since the last call; the first call only learns where the sequence stands.
  Task<Result<void>> poll();

 private:
  store::Database& db_;
  std::vector<Revocable*> caches_;
  std::optional<std::int64_t> seq_;
};

}   // namespace agentauri::gateway
