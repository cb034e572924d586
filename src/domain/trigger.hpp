// What users define: a trigger with its conditions and actions, as stored.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/time.hpp"
#include "domain/event.hpp"
#include "domain/ids.hpp"

namespace agentauri::domain {

// Stored and answered verbatim; src/rules compiles it.
struct Condition {
  ConditionId id = 0;
  std::int64_t revision = 1;   // grows when the condition changes: fresh state
  std::string condition_type, field, op, value;
  std::optional<std::string> config;   // JSON text
  std::int32_t position = 0;           // order of evaluation
  Time created_at;
};

enum class ActionType : std::uint8_t { telegram, rest, mcp };
std::string_view to_string(ActionType type);                          // `rest` also for webhooks
std::optional<ActionType> parse_action_type(std::string_view text);   // takes `webhook` for rest

struct Action {
  ActionId id = 0;
  ActionType type = ActionType::rest;
  std::int32_t priority = 0;   // lower first
  std::string config;          // JSON text; members that are secrets are `enc:v1:…`
  Time created_at;
  // Why the worker sends nothing any more; a new config enables it again. Not part of revisions.
  std::optional<std::string> disabled_reason = std::nullopt;
};

// Whose evaluation fails again and again is left alone for a while (pipeline.md 6.7).
struct CircuitBreaker {
  std::int32_t failure_threshold = 10;            // 1..1000
  std::int32_t recovery_timeout_seconds = 3600;   // 60..604800, of block time
  std::int32_t half_open_max_calls = 1;           // 1..10
  std::int64_t revision = 1;                      // grows with each reset: the state starts anew
};

struct Trigger {
  TriggerId id;
  OrganizationId organization_id;
  AccountId account_id;   // who made it
  std::string name;
  std::optional<std::string> description;
  std::optional<ChainId> chain_id;   // nullopt: every chain
  Registry registry = Registry::identity;
  bool enabled = true;
  bool is_stateful = false;
  std::optional<std::int32_t> min_confirmations;
  CircuitBreaker breaker;
  std::optional<std::string> last_error;
  Time created_at, updated_at;
  std::vector<Condition> conditions;   // by position, then id
  std::vector<Action> actions;         // by priority, then id
};

}   // namespace agentauri::domain
