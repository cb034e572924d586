// The rules: what a trigger means, as pure functions. Live evaluation, test, backtest, explain, replay and simulation
// all call evaluate(); it knows no clock, socket or database.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/base/result.hpp"
#include "core/json/json.hpp"
#include "domain/event.hpp"
#include "domain/trigger.hpp"

namespace agentauri::rules {

class CompiledCondition;   // condition_types.hpp

// What a reader may want to know about an accepted trigger ("unknown event name", "stateful condition before a
// filter").
struct Warning {
  std::string field;   // conditions[1].value
  std::string code;    // unknown_event_type, stateful_before_filter, …
  std::string text;
};

// A trigger made ready. Immutable, so that threads may share it.
struct CompiledTrigger {
  domain::Trigger trigger;
  std::vector<std::shared_ptr<const CompiledCondition>> conditions;   // in order of evaluation
  std::vector<std::string> named_event_types;                         // what its conditions ask for by name
};

// Aliases are translated, values parsed. Fails with Code::invalid and field `conditions[i].<member>` on what can never
// be evaluated. `warnings` may be null.
Result<CompiledTrigger> compile(domain::Trigger trigger, std::vector<Warning>* warnings = nullptr);
// A trigger as it stands in the store: rows that do not compile (written by hand, or by an older version) become
// conditions whose evaluation is an error, so that the trigger shows what is wrong with it. Never fails.
CompiledTrigger compile_stored(domain::Trigger trigger);
// One condition alone (its own routes). `is_stateful` is the trigger's.
Result<std::shared_ptr<const CompiledCondition>> compile_condition(const domain::Condition& condition, bool is_stateful,
                                                                   std::vector<Warning>* warnings = nullptr);

// The state of one stateful condition, as stored: short JSON text, equal bytes for equal states. Conditions of one
// trigger need different ids, also those of a trigger that is only tried out.
struct StateKey {
  domain::ConditionId condition = 0;
  std::int64_t revision = 0;
  std::string key;   // "" or the agent id (partition_by)

  auto operator<=>(const StateKey&) const = default;
};
// How evaluate() reads a state: nullopt when there is none yet.
using StateReader = std::function<std::optional<std::string>(const StateKey&)>;
struct StateChange {
  StateKey key;
  std::string after;
};

// The state as the API shows it: {"ema", "count", "last_updated"} or {"window_start", "count", "recent_timestamps"}.
// Code::unsupported for a condition without state, Code::corrupt when the text is not what evaluate() wrote.
Result<json::Object> state_view(const CompiledCondition& condition, std::string_view stored);

// What happened at one condition, in words for people and values for programs.
struct Step {
  std::size_t index = 0;   // of the condition, from 0
  domain::ConditionId condition = 0;
  std::string condition_type;   // as stored; `event_type` with condition 0: the rule about housekeeping events
  enum class Result : std::uint8_t { passed, failed, error } result = Result::passed;
  std::string text;   // `score 45 < 60`, `tag1 is absent`
};

enum class Decision : std::uint8_t { match, no_match, error };

struct Evaluation {
  Decision decision = Decision::no_match;
  std::vector<Step> steps;            // up to and including the deciding one
  std::vector<StateChange> changes;   // empty after an error
  // Results of stateful conditions, for templates. `ema` is decimal text; it may be missing after a no_match that was
  // evaluated without explanation.
  std::optional<std::string> ema;
  std::optional<std::uint64_t> event_count;
};

// Whether the steps carry their texts: dear to make, and wanted only for what fires or is asked about.
enum class Explain : bool { no, yes };

// Conditions in order, AND, stopping at the first that is false; conditions behind it do not see the event. After an
// error nothing changes. Events about the contract rather than an agent (`Upgraded`, `MetadataUpdate`, …) and logs that
// did not decode match only triggers that name them. Selection (chain, registry, enabled, age) is the caller's:
// candidate() below.
Evaluation evaluate(const domain::Event& event, const CompiledTrigger& trigger, const StateReader& state,
                    Explain explain = Explain::yes);

// Chain, registry, enabled, and block time not before the trigger's creation in whole seconds.
bool candidate(const domain::Event& event, const domain::Trigger& trigger);

// {"decision": "match", "steps": [...]} — what is stored with a job and shown by the API.
std::string explanation_json(const Evaluation& evaluation);

// What the engine's index can know without evaluating. Every field is a necessary condition of a match: a trigger may
// be skipped for an event that does not satisfy it, unless it is stateful in a way that a skipped event would change.
struct Selector {
  std::optional<std::vector<std::string>> event_types;   // real names
  std::optional<Uint256> agent_id;
  std::optional<Decimal> score_below, score_above;   // exclusive or inclusive: see `_inclusive`
  bool below_inclusive = false, above_inclusive = false;
};
// From the leading stateless conditions only (what precedes the first stateful one decides what that one sees).
Selector selector_of(const CompiledTrigger& trigger);

}   // namespace agentauri::rules
