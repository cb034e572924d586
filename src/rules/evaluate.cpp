#include "rules/evaluate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/json/json.hpp"
#include "rules/condition_types.hpp"
#include "rules/event_fields.hpp"

namespace agentauri::rules {
namespace {

Step::Result result_of(Verdict::Result result) {
  switch (result) {
    case Verdict::Result::passed:
      return Step::Result::passed;
    case Verdict::Result::failed:
      return Step::Result::failed;
    case Verdict::Result::error:
      return Step::Result::error;
  }
  std::unreachable();
}

bool is_unnamed_housekeeping(const domain::Event& event, const CompiledTrigger& trigger) {
  const auto& named = trigger.named_event_types;
  return is_housekeeping_event(event.event_type) &&
         std::find(named.begin(), named.end(), event.event_type) == named.end();
}

// One evaluation under way.
class Run {
 public:
  Run(const domain::Event& event, const StateReader& state, bool explain)
      : event_(event), state_(state), explain_(explain) {}

  Evaluation finish(const CompiledTrigger& trigger) {
    out_.decision = Decision::no_match;
    if (is_unnamed_housekeeping(event_, trigger)) {
      if (explain_) {
        out_.steps.push_back({0, 0, "event_type", Step::Result::failed,
                              fmt::format("{} is matched only by triggers that name it", event_.event_type)});
      }
      return std::move(out_);
    }
    for (std::size_t i = 0; i < trigger.conditions.size(); ++i) {
      const CompiledCondition& condition = *trigger.conditions[i];
      const auto result = condition.is_stateful() ? test_stateful(i, condition) : test(i, condition, nullptr);
      if (result == Verdict::Result::passed) continue;
      if (result == Verdict::Result::error) {
        out_.decision = Decision::error;
        out_.changes.clear();
        out_.ema.reset();
        out_.event_count.reset();
      }
      return std::move(out_);
    }
    out_.decision = Decision::match;
    for (auto& [index, after] : on_match_) out_.changes[index].after = std::move(after);
    return std::move(out_);
  }

 private:
  Verdict::Result test(std::size_t index, const CompiledCondition& condition, Statement* statement) {
    Verdict verdict = condition.test(event_, statement, explain_);
    if (explain_ || verdict.result == Verdict::Result::error) {
      out_.steps.push_back(
          {index, condition.id, condition.type_name, result_of(verdict.result), std::move(verdict.text)});
    }
    return verdict.result;
  }

  Verdict::Result test_stateful(std::size_t index, const CompiledCondition& condition) {
    StateKey key{condition.id, condition.revision, condition.state_key(event_)};
    Statement statement;
    statement.before = state_(key);
    const auto result = test(index, condition, &statement);
    if (statement.ema) out_.ema = std::move(statement.ema);
    if (statement.event_count) out_.event_count = statement.event_count;
    if (!statement.after) return result;
    if (statement.after_match) on_match_.emplace_back(out_.changes.size(), std::move(*statement.after_match));
    out_.changes.push_back({std::move(key), std::move(*statement.after)});
    return result;
  }

  const domain::Event& event_;
  const StateReader& state_;
  const bool explain_;
  Evaluation out_;
  std::vector<std::pair<std::size_t, std::string>> on_match_;   // index of the change, its text if the trigger matches
};

}   // namespace

Evaluation evaluate(const domain::Event& event, const CompiledTrigger& trigger, const StateReader& state,
                    Explain explain) {
  return Run(event, state, explain == Explain::yes).finish(trigger);
}

bool candidate(const domain::Event& event, const domain::Trigger& trigger) {
  return trigger.enabled && trigger.registry == event.registry &&
         (!trigger.chain_id || *trigger.chain_id == event.chain_id) &&
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
    if (condition->is_barrier()) break;   // what comes before it decides what it sees
    condition->select(out);
  }
  return out;
}

Result<json::Object> state_view(const CompiledCondition& condition, std::string_view stored) {
  if (!condition.is_stateful()) return fail(Code::unsupported, "the condition has no state");
  auto view = condition.state_view(stored);
  if (!view) return fail(Code::corrupt, "the stored state cannot be read");
  return std::move(*view);
}

}   // namespace agentauri::rules
