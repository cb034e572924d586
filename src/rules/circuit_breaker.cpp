#include "rules/circuit_breaker.hpp"

#include <algorithm>
#include <array>
#include <chrono>

#include "core/json/json.hpp"

namespace agentauri::rules {
namespace {

using Phase = BreakerState::Phase;

constexpr std::array kPhases{Phase::closed, Phase::open, Phase::half_open};

json::Value micros_or_null(const std::optional<Time>& time) {
  return time ? json::Value(to_micros(*time)) : json::Value();
}

std::optional<std::int64_t> number(const json::Object& object, std::string_view name) {
  const auto* value = json::find(object, name);
  return value != nullptr && value->is_int64() ? std::optional(value->get_int64()) : std::nullopt;
}

std::optional<Time> time(const json::Object& object, std::string_view name) {
  const auto micros = number(object, name);
  return micros ? std::optional(from_micros(*micros)) : std::nullopt;
}

}   // namespace

bool allow(BreakerState& state, const domain::CircuitBreaker& config, Time now) {
  switch (state.phase) {
    case Phase::closed:
      return true;
    case Phase::open:
      if (state.opened_at && now - *state.opened_at < std::chrono::seconds(config.recovery_timeout_seconds))
        return false;
      state.phase = Phase::half_open;
      state.half_open_calls = 0;   // the call that finds it so is not counted
      return true;
    case Phase::half_open:
      if (state.half_open_calls >= config.half_open_max_calls) return false;
      ++state.half_open_calls;
      return true;
  }
  return true;
}

void note_success(BreakerState& state) {
  if (state.phase != Phase::open) state = {};
}

void note_failure(BreakerState& state, const domain::CircuitBreaker& config, Time now) {
  if (state.phase == Phase::open) return;
  state.last_failure = now;
  if (state.phase == Phase::closed && ++state.failure_count < config.failure_threshold) return;
  state.phase = Phase::open;
  state.opened_at = now;
  state.half_open_calls = 0;
}

std::optional<std::string> breaker_text(const BreakerState& state) {
  if (state == BreakerState{}) return std::nullopt;
  json::Object out;
  out["state"] = json::String(to_string(state.phase));
  out["failure_count"] = state.failure_count;
  out["last_failure"] = micros_or_null(state.last_failure);
  out["opened_at"] = micros_or_null(state.opened_at);
  out["half_open_calls"] = state.half_open_calls;
  return json::dump(out);
}

BreakerState read_breaker(const std::optional<std::string>& stored) {
  if (!stored) return {};
  const auto parsed = json::parse(*stored);
  if (!parsed || !parsed->is_object()) return {};
  const auto& object = parsed->get_object();
  const auto* name = json::find(object, "state");
  const auto phase = std::find_if(kPhases.begin(), kPhases.end(), [name](Phase p) {
    return name != nullptr && name->is_string() && json::view(name->get_string()) == to_string(p);
  });
  if (phase == kPhases.end()) return {};
  BreakerState out;
  out.phase = *phase;
  out.failure_count = static_cast<std::int32_t>(number(object, "failure_count").value_or(0));
  out.last_failure = time(object, "last_failure");
  out.opened_at = time(object, "opened_at");
  out.half_open_calls = static_cast<std::int32_t>(number(object, "half_open_calls").value_or(0));
  return out;
}

std::string_view to_string(BreakerState::Phase phase) {
  switch (phase) {
    case Phase::closed:
      return "Closed";
    case Phase::open:
      return "Open";
    case Phase::half_open:
      return "HalfOpen";
  }
  return "";
}

}   // namespace agentauri::rules
