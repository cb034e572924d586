// The condition types: a table. To add one: a class with its row in condition_types.cpp.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "domain/event.hpp"
#include "domain/trigger.hpp"
#include "rules/evaluate.hpp"

namespace agentauri::rules {

// What one condition says about one event.
struct Verdict {
  enum class Result : std::uint8_t { passed, failed, error } result = Result::failed;
  std::string text;    // only when asked for
};

// The state of a stateful condition on its way through one evaluation.
struct Statement {
  std::optional<std::string> before;   // as stored
  std::optional<std::string> after;    // set when it changed
  std::optional<std::string> after_match;   // used instead of `after` when the whole trigger matches (reset_on_trigger)
  std::optional<std::string> ema;
  std::optional<std::uint64_t> event_count;
};

class CompiledCondition {
 public:
  virtual ~CompiledCondition() = default;
  // `state` is null for stateless conditions. `explain`: fill the text.
  virtual Verdict test(const domain::Event& event, Statement* state, bool explain) const = 0;
  virtual bool is_stateful() const { return false; }
  // Of stateful conditions: "" or the agent id.
  virtual std::string state_key(const domain::Event&) const { return {}; }
  // Narrows a selector by what this condition demands.
  virtual void select(Selector&) const {}

  domain::ConditionId id = 0;
  std::int64_t revision = 0;
  std::string type_name;   // as stored
};

using CompiledPtr = std::shared_ptr<CompiledCondition>;

// Warnings and errors name members relative to the condition: `value`, `config.window_size`.
struct CompileContext {
  bool is_stateful = false;                    // of the trigger
  std::vector<Warning>* warnings = nullptr;    // may be null
};

struct ConditionType {
  std::string_view name;
  Result<CompiledPtr> (*compile)(const domain::Condition&, const CompileContext&);
  std::string_view help;
};
const std::vector<ConditionType>& condition_types();

}  // namespace agentauri::rules
