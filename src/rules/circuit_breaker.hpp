// The circuit breaker of a trigger's evaluation (pipeline.md 6.7), as a pure function of its stored state: `now` is the
// block's time. Only errors of evaluation count; what a delivery meets is none of its business.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/time.hpp"
#include "domain/trigger.hpp"

namespace agentauri::rules {

// States of triggers are kept per condition; the breaker's is that of this one, which no condition has.
inline constexpr domain::ConditionId kBreakerCondition = 0;

struct BreakerState {
  enum class Phase : std::uint8_t { closed, open, half_open } phase = Phase::closed;
  std::int32_t failure_count = 0;
  std::optional<Time> last_failure, opened_at;
  std::int32_t half_open_calls = 0;

  bool operator==(const BreakerState&) const = default;
};

// Whether an evaluation may take place; a state whose recovery time is over becomes half open by asking.
bool allow(BreakerState& state, const domain::CircuitBreaker& config, Time now);
void note_success(BreakerState& state);
void note_failure(BreakerState& state, const domain::CircuitBreaker& config, Time now);

// As stored; nullopt for the state that every trigger begins with. Equal bytes for equal states.
std::optional<std::string> breaker_text(const BreakerState& state);
// Text that cannot be read is the state of the beginning.
BreakerState read_breaker(const std::optional<std::string>& stored);

// Closed, Open, HalfOpen.
std::string_view to_string(BreakerState::Phase phase);

}   // namespace agentauri::rules
