// The condition types: a table. To add one: a class with its compile function in a file of its own, one line in
// condition_compilers.hpp and one row in condition_types.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json/json.hpp"
#include "domain/event.hpp"
#include "domain/trigger.hpp"
#include "rules/evaluate.hpp"

namespace agentauri::rules {

// What one condition says about one event.
struct Verdict {
  enum class Result : std::uint8_t { passed, failed, error } result = Result::failed;
  std::string text;   // of an error always, else only when asked for
};

// The state of a stateful condition on its way through one evaluation.
struct Statement {
  std::optional<std::string> before;        // as stored
  std::optional<std::string> after;         // set when it changed
  std::optional<std::string> after_match;   // used instead of `after` when the whole trigger matches
  std::optional<std::string> ema;           // decimal text; set when the condition passed or an explanation is wanted
  std::optional<std::uint64_t> event_count;
};

// Made by compile_condition(), immutable from then on; threads may share it.
class CompiledCondition {
 public:
  virtual ~CompiledCondition() = default;
  // `state` is null for stateless conditions. `explain`: fill the text.
  virtual Verdict test(const domain::Event& event, Statement* state, bool explain) const = 0;
  virtual bool is_stateful() const { return false; }
  // What stands behind it cannot narrow a selector: it remembers what it sees, or reports an error for it.
  virtual bool is_barrier() const { return is_stateful(); }
  // Of stateful conditions: "" or the agent id.
  virtual std::string state_key(const domain::Event&) const { return {}; }
  // Of stateful conditions: the stored state as the API shows it (pipeline.md 6.5); nullopt when it cannot be read.
  virtual std::optional<json::Object> state_view(std::string_view) const { return std::nullopt; }
  // Narrows a selector by what this condition demands.
  virtual void select(Selector&) const {}

  domain::ConditionId id = 0;
  std::int64_t revision = 0;
  std::string type_name;   // as stored
};

using CompiledPtr = std::shared_ptr<CompiledCondition>;

// Warnings and errors name members relative to the condition: `value`, `config.window_size`.
struct CompileContext {
  bool is_stateful = false;                   // of the trigger
  std::vector<Warning>* warnings = nullptr;   // may be null
};

struct ConditionType {
  std::string_view name;
  Result<CompiledPtr> (*compile)(const domain::Condition&, const CompileContext&);
  std::string_view help;
};
const std::vector<ConditionType>& condition_types();

}   // namespace agentauri::rules
