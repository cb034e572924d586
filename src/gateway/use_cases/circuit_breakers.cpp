#include "gateway/use_cases/circuit_breakers.hpp"

#include <fmt/format.h>

#include <tuple>

#include "gateway/use_cases/trigger_parts.hpp"
#include "store/circuit_breakers.hpp"

namespace agentauri::gateway {
namespace {

using rules::BreakerState;
using store::Tx;

constexpr std::string_view kMayNotUpdate = "Insufficient permissions to update circuit breaker config";
constexpr std::string_view kMayNotReset = "Insufficient permissions to reset circuit breaker";

// The more a chain's breaker keeps from being evaluated, the worse.
auto badness(const BreakerState& state) {
  const int phase = state.phase == BreakerState::Phase::open        ? 2
                    : state.phase == BreakerState::Phase::half_open ? 1
                                                                    : 0;
  return std::tuple(phase, state.failure_count);
}

Outcome<BreakerView> view_of(Tx& tx, domain::Trigger trigger) {
  BreakerView out;
  auto stored = store::read_breakers(tx, trigger.id, trigger.breaker.revision);
  if (!stored) return broken(stored);
  for (auto& row : *stored) {
    const auto state = rules::read_breaker(std::move(row.state));
    if (state == BreakerState{}) continue;
    if (badness(state) > badness(out.state)) out.state = state;
    out.chains.emplace_back(row.chain, state);
  }
  out.trigger = std::move(trigger);
  return out;
}

// The draft over `breaker`. Numbers that no column could hold are out of range too.
void apply(const BreakerDraft& draft, domain::CircuitBreaker& breaker, Validation& validation) {
  const auto set = [&](std::string_view field, const std::optional<std::int64_t>& given, std::int64_t min,
                       std::int64_t max, std::int32_t& out) {
    if (!given) return;
    if (*given < min || *given > max)
      validation.add(field, "range", fmt::format("{} must be between {} and {}", field, min, max));
    else
      out = static_cast<std::int32_t>(*given);
  };
  set("failure_threshold", draft.failure_threshold, 1, 1000, breaker.failure_threshold);
  set("recovery_timeout_seconds", draft.recovery_timeout_seconds, 60, 604'800, breaker.recovery_timeout_seconds);
  set("half_open_max_calls", draft.half_open_max_calls, 1, 10, breaker.half_open_max_calls);
}

Outcome<BreakerView> write(Tx& tx, const domain::Trigger& trigger, const domain::CircuitBreaker& breaker, Time now) {
  if (auto set = store::set_breaker(tx, trigger.id, breaker); !set) return broken(set);
  auto committed = store::commit_edit(tx, trigger.organization_id, trigger.id, now);
  if (!committed) return broken(committed);
  return view_of(tx, std::move(*committed));
}

}   // namespace

Outcome<BreakerView> find_breaker(Tx& tx, const Caller& caller, std::string_view trigger) {
  auto found = find_trigger(tx, caller, trigger);
  if (!found) return pass(found);
  return view_of(tx, std::move(*found));
}

Outcome<BreakerView> update_breaker(Tx& tx, const Caller& caller, std::string_view trigger_id,
                                    const BreakerDraft& draft) {
  Validation validation;
  domain::CircuitBreaker checked;
  apply(draft, checked, validation);
  auto trigger = begin_edit(tx, caller, trigger_id, kMayNotUpdate, validation);
  if (!trigger) return pass(trigger);
  domain::CircuitBreaker breaker = trigger->breaker;
  apply(draft, breaker, validation);
  return write(tx, *trigger, breaker, caller.now);
}

Outcome<BreakerView> reset_breaker(Tx& tx, const Caller& caller, std::string_view trigger_id) {
  auto trigger = begin_edit(tx, caller, trigger_id, kMayNotReset);
  if (!trigger) return pass(trigger);
  domain::CircuitBreaker breaker = trigger->breaker;
  ++breaker.revision;
  return write(tx, *trigger, breaker, caller.now);
}

}   // namespace agentauri::gateway
