// Which sessions are good, without asking the store at each request.
#pragma once

#include <optional>
#include <string_view>

#include "core/async/task.hpp"
#include "core/base/time.hpp"
#include "gateway/auth/revocable_cache.hpp"
#include "store/accounts.hpp"
#include "store/database.hpp"

namespace agentauri::gateway {

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
  void revoke(domain::SessionId id) { cache_.revoke(id.uuid); }
  Revocable& revocable() { return cache_; }

 private:
  store::Database& db_;
  RevocableCache<domain::SessionId, store::SessionView> cache_;
};

}   // namespace agentauri::gateway
