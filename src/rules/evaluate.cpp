#include "rules/evaluate.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "core/json/json.hpp"
#include "rules/condition_types.hpp"

namespace agentauri::rules {
namespace {

// Letters that stand elsewhere: enough to find the type that was meant.
std::size_t difference(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t above = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, above + 1, diagonal + (a[i] == b[j] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row.back();
}

Error unknown_type(const std::string& name) {
  std::vector<std::string_view> names;
  for (const auto& type : condition_types()) names.push_back(type.name);
  const auto nearest = *std::min_element(names.begin(), names.end(), [&name](auto a, auto b) { return difference(name, a) < difference(name, b); });
  return {Code::invalid, "condition_type", fmt::format("\"{}\" is not a condition type; did you mean {}? There are: {}", name.substr(0, 60), nearest, fmt::join(names, ", "))};
}

}  // namespace

Result<std::shared_ptr<const CompiledCondition>> compile_condition(const domain::Condition& condition, bool is_stateful, std::vector<Warning>* warnings) {
  const auto& types = condition_types();
  const auto type = std::find_if(types.begin(), types.end(), [&](const ConditionType& t) { return t.name == condition.condition_type; });
  if (type == types.end()) return std::unexpected(unknown_type(condition.condition_type));
  auto compiled = type->compile(condition, {is_stateful, warnings});
  if (!compiled) return fail(compiled);
  (*compiled)->id = condition.id;
  (*compiled)->revision = condition.revision;
  (*compiled)->type_name = condition.condition_type;
  return std::shared_ptr<const CompiledCondition>(std::move(*compiled));
}

Result<CompiledTrigger> compile(domain::Trigger trigger, std::vector<Warning>* warnings) {
  CompiledTrigger out;
  bool remembered = false;
  for (std::size_t i = 0; i < trigger.conditions.size(); ++i) {
    const auto place = [i](std::string_view member) { return fmt::format("conditions[{}].{}", i, member); };
    std::vector<Warning> own;
    auto compiled = compile_condition(trigger.conditions[i], trigger.is_stateful, warnings != nullptr ? &own : nullptr);
    if (!compiled) return fail(compiled.error().code, place(compiled.error().field), compiled.error().text);
    if (warnings != nullptr) {
      for (auto& warning : own) warnings->push_back({place(warning.field), std::move(warning.code), std::move(warning.text)});
      if (remembered && !(*compiled)->is_stateful()) {
        warnings->push_back({place("position"), "stateful_before_filter", "this filter comes after a condition that remembers, which therefore sees events that the filter would drop; put filters first"});
      }
    }
    remembered = remembered || (*compiled)->is_stateful();
    out.conditions.push_back(std::move(*compiled));
  }
  if (warnings != nullptr && trigger.conditions.empty()) warnings->push_back({"conditions", "matches_everything", "a trigger without conditions fires for every event of its registry"});
  out.trigger = std::move(trigger);
  return out;
}

Evaluation evaluate(const domain::Event& event, const CompiledTrigger& trigger, const StateReader& state, Explain explain) {
  Evaluation out;
  out.decision = Decision::match;
  std::vector<std::pair<StateKey, std::string>> on_match;
  for (std::size_t i = 0; i < trigger.conditions.size(); ++i) {
    const CompiledCondition& condition = *trigger.conditions[i];
    Statement statement;
    StateKey key;
    const bool stateful = condition.is_stateful();
    if (stateful) {
      key = {condition.id, condition.revision, condition.state_key(event)};
      statement.before = state(key);
    }
    Verdict verdict = condition.test(event, stateful ? &statement : nullptr, explain == Explain::yes);
    if (statement.ema) out.ema = statement.ema;
    if (statement.event_count) out.event_count = statement.event_count;
    if (explain == Explain::yes) {
      Step step{i, condition.id, condition.type_name, Step::Result::passed, std::move(verdict.text)};
      step.result = verdict.result == Verdict::Result::passed ? Step::Result::passed : verdict.result == Verdict::Result::failed ? Step::Result::failed : Step::Result::error;
      out.steps.push_back(std::move(step));
    }
    if (verdict.result == Verdict::Result::error) {
      out.decision = Decision::error;
      out.changes.clear();
      if (explain == Explain::no) out.steps.push_back({i, condition.id, condition.type_name, Step::Result::error, std::move(verdict.text)});
      return out;
    }
    if (statement.after) {
      if (statement.after_match) on_match.emplace_back(key, *statement.after_match);
      out.changes.push_back({std::move(key), std::move(*statement.after)});
    }
    if (verdict.result == Verdict::Result::failed) {
      out.decision = Decision::no_match;
      return out;
    }
  }
  for (auto& [key, text] : on_match) {
    for (auto& change : out.changes) {
      if (change.key == key) change.after = std::move(text);
    }
  }
  return out;
}

bool candidate(const domain::Event& event, const domain::Trigger& trigger) {
  return trigger.enabled && trigger.registry == event.registry && (!trigger.chain_id || *trigger.chain_id == event.chain_id) &&
         to_unix_seconds(event.block_time) >= to_unix_seconds(trigger.created_at);
}

std::string explanation_json(const Evaluation& evaluation) {
  constexpr std::string_view kDecisions[] = {"match", "no_match", "error"};
  constexpr std::string_view kResults[] = {"passed", "failed", "error"};
  json::Array steps;
  for (const auto& step : evaluation.steps) {
    json::Object entry;
    entry["condition"] = step.index;
    entry["condition_id"] = std::to_string(step.condition);
    entry["condition_type"] = step.condition_type;
    entry["result"] = json::String(kResults[static_cast<std::size_t>(step.result)]);
    entry["text"] = step.text;
    steps.push_back(std::move(entry));
  }
  json::Object out;
  out["decision"] = json::String(kDecisions[static_cast<std::size_t>(evaluation.decision)]);
  out["steps"] = std::move(steps);
  return json::dump(out);
}

Selector selector_of(const CompiledTrigger& trigger) {
  Selector out;
  for (const auto& condition : trigger.conditions) {
    if (condition->is_stateful()) break;   // what comes before it decides what it sees
    condition->select(out);
  }
  return out;
}

}  // namespace agentauri::rules
