// compile(): from what users wrote to conditions that can be evaluated.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/base/edit_distance.hpp"
#include "rules/condition_parts.hpp"
#include "rules/condition_types.hpp"
#include "rules/evaluate.hpp"

namespace agentauri::rules {
namespace {

using domain::Condition;
using domain::Event;

constexpr std::size_t kComparedChars = 100;   // as long as a condition type may be

Error unknown_type(std::string_view name) {
  std::vector<std::string_view> names;
  for (const auto& type : condition_types()) names.push_back(type.name);
  const std::string_view compared = name.substr(0, kComparedChars);
  const auto nearest = *std::min_element(names.begin(), names.end(), [compared](auto a, auto b) {
    return edit_distance(compared, a) < edit_distance(compared, b);
  });
  return {Code::invalid, "condition_type",
          fmt::format("unknown condition type {}; did you mean {}? There are: {}", shown(name), nearest,
                      fmt::join(names, ", "))};
}

// A stored row that does not compile: an error for every event that reaches it (pipeline.md 6.4, "bad config").
class BrokenCondition final : public CompiledCondition {
 public:
  // `needs`: the condition is merely false for events without this field.
  BrokenCondition(std::string why, bool (*needs)(const Event&)) : why_(std::move(why)), needs_(needs) {}

  Verdict test(const Event& event, Statement*, bool explain) const override {
    if (needs_ != nullptr && !needs_(event)) {
      return {Verdict::Result::failed, explain ? "its field is absent" : std::string()};
    }
    return {Verdict::Result::error, why_};
  }
  bool is_barrier() const override { return true; }

 private:
  std::string why_;
  bool (*needs_)(const Event&);
};

// A bad operator is an error only when there is something to compare.
std::shared_ptr<CompiledCondition> make_broken(const Condition& condition, const Error& error) {
  bool (*needs)(const Event&) = nullptr;
  if (error.field == "operator") {
    if (condition.condition_type == "score_threshold") needs = [](const Event& e) { return e.score.has_value(); };
    if (condition.condition_type == "response_threshold") needs = [](const Event& e) { return e.response.has_value(); };
    if (condition.condition_type == "value_threshold") needs = [](const Event& e) { return e.value.has_value(); };
  }
  return std::make_shared<BrokenCondition>(fmt::format("{}: {}", error.field, error.text), needs);
}

void note_identity(CompiledCondition& compiled, const Condition& condition) {
  compiled.id = condition.id;
  compiled.revision = condition.revision;
  compiled.type_name = condition.condition_type;
}

// The event types that the conditions name, whatever else they demand.
std::vector<std::string> named_event_types(const CompiledTrigger& trigger) {
  std::vector<std::string> out;
  for (const auto& condition : trigger.conditions) {
    Selector own;
    condition->select(own);
    if (own.event_types) out.insert(out.end(), own.event_types->begin(), own.event_types->end());
  }
  return out;
}

void warn_of_order(const CompiledTrigger& trigger, std::vector<Warning>& warnings) {
  bool remembered = false;
  for (std::size_t i = 0; i < trigger.conditions.size(); ++i) {
    const bool stateful = trigger.conditions[i]->is_stateful();
    if (remembered && !stateful) {
      warnings.push_back({fmt::format("conditions[{}].position", i), "stateful_before_filter",
                          "this filter comes after a condition that remembers, which therefore sees events that the "
                          "filter would drop; put filters first"});
    }
    remembered = remembered || stateful;
  }
  if (trigger.conditions.empty()) {
    warnings.push_back(
        {"conditions", "matches_everything", "a trigger without conditions fires for every event of its registry"});
  }
}

}   // namespace

Result<std::shared_ptr<const CompiledCondition>> compile_condition(const Condition& condition, bool is_stateful,
                                                                   std::vector<Warning>* warnings) {
  const auto& types = condition_types();
  const auto type = std::find_if(types.begin(), types.end(),
                                 [&](const ConditionType& t) { return t.name == condition.condition_type; });
  if (type == types.end()) return std::unexpected(unknown_type(condition.condition_type));
  auto compiled = type->compile(condition, {is_stateful, warnings});
  if (!compiled) return fail(compiled);
  note_identity(**compiled, condition);
  return std::shared_ptr<const CompiledCondition>(std::move(*compiled));
}

Result<CompiledTrigger> compile(domain::Trigger trigger, std::vector<Warning>* warnings) {
  CompiledTrigger out;
  for (std::size_t i = 0; i < trigger.conditions.size(); ++i) {
    const auto place = [i](std::string_view member) { return fmt::format("conditions[{}].{}", i, member); };
    std::vector<Warning> own;
    auto compiled = compile_condition(trigger.conditions[i], trigger.is_stateful, warnings != nullptr ? &own : nullptr);
    if (!compiled) return fail(compiled.error().code, place(compiled.error().field), compiled.error().text);
    for (auto& warning : own) {
      warnings->push_back({place(warning.field), std::move(warning.code), std::move(warning.text)});
    }
    out.conditions.push_back(std::move(*compiled));
  }
  if (warnings != nullptr) warn_of_order(out, *warnings);
  out.named_event_types = named_event_types(out);
  out.trigger = std::move(trigger);
  return out;
}

CompiledTrigger compile_stored(domain::Trigger trigger) {
  CompiledTrigger out;
  for (const auto& condition : trigger.conditions) {
    auto compiled = compile_condition(condition, trigger.is_stateful);
    if (compiled) {
      out.conditions.push_back(std::move(*compiled));
      continue;
    }
    auto broken = make_broken(condition, compiled.error());
    note_identity(*broken, condition);
    out.conditions.push_back(std::move(broken));
  }
  out.named_event_types = named_event_types(out);
  out.trigger = std::move(trigger);
  return out;
}

}   // namespace agentauri::rules
