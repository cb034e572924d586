// The circuit breaker of a trigger in the store: its settings, which users edit, and what the engine remembers of it on
// each chain (docs/adr/0005).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "domain/trigger.hpp"
#include "store/database.hpp"

namespace agentauri::store {

struct StoredBreaker {
  domain::ChainId chain = 0;
  std::string state;   // as rules::breaker_text() wrote it
};
// Of one revision of the breaker, by chain; chains without an entry have nothing to remember.
Result<std::vector<StoredBreaker>> read_breakers(Tx& tx, domain::TriggerId trigger, std::int64_t revision);
// Settings and revision; `updated_at` of the trigger stays. commit_edit() tells the engine.
Result<void> set_breaker(Tx& tx, domain::TriggerId trigger, const domain::CircuitBreaker& breaker);

}   // namespace agentauri::store
