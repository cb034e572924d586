// The circuit breaker of a trigger as its owners see it (http-api.md 7.9): settings, state, reset.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "domain/trigger.hpp"
#include "gateway/use_cases/triggers.hpp"
#include "rules/circuit_breaker.hpp"

namespace agentauri::gateway {

struct BreakerView {
  domain::Trigger trigger;
  rules::BreakerState state;   // where there are several chains, the worst of them
  std::vector<std::pair<domain::ChainId, rules::BreakerState>> chains;   // those that remember something
};

// Absent members keep their value.
struct BreakerDraft {
  std::optional<std::int64_t> failure_threshold, recovery_timeout_seconds, half_open_max_calls;
};

Outcome<BreakerView> find_breaker(store::Tx& tx, const Caller& caller, std::string_view trigger);
// The state stays as it is.
Outcome<BreakerView> update_breaker(store::Tx& tx, const Caller& caller, std::string_view trigger,
                                    const BreakerDraft& draft);
// A new revision of the breaker: the engine starts anew with it, and what it remembered is forgotten.
Outcome<BreakerView> reset_breaker(store::Tx& tx, const Caller& caller, std::string_view trigger);

}   // namespace agentauri::gateway
