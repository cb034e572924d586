// Which API keys are good, without asking the store at each request.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/async/task.hpp"
#include "core/base/time.hpp"
#include "gateway/auth/revocable_cache.hpp"
#include "store/api_keys.hpp"
#include "store/database.hpp"

namespace agentauri::gateway {

// What a key was found to be. One that is not good is known all the same, for the audit.
struct KeyVerdict {
  enum class Fault : std::uint8_t { none, malformed, unknown, expired, revoked, creator_inactive };
  Fault fault = Fault::none;
  std::optional<store::ApiKeyView> view;   // nullopt: malformed or unknown
};
// For the log.
std::string_view why(KeyVerdict::Fault fault);

// Thread-safe.
class KeyCache {
 public:
  explicit KeyCache(store::Database& db) : db_(db) {}

  // One SHA-256, and the store only for a well-formed key that is not cached. An Error: the store cannot be asked.
  Task<Result<KeyVerdict>> check(std::string text, Time now);
  // Of this process, at once.
  void revoke(domain::ApiKeyId id) { cache_.revoke(id.uuid); }
  Revocable& revocable() { return cache_; }

 private:
  store::Database& db_;
  RevocableCache<Hash32, store::ApiKeyView> cache_;
};

}   // namespace agentauri::gateway
