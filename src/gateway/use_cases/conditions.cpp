#include <fmt/format.h>

#include <algorithm>

#include "gateway/use_cases/trigger_parts.hpp"

namespace agentauri::gateway {
namespace {

using store::Tx;

constexpr std::string_view kMayNotCreate = "Insufficient permissions to create conditions";
constexpr std::string_view kMayNotUpdate = "Insufficient permissions to update conditions";
constexpr std::string_view kMayNotDelete = "Insufficient permissions to delete conditions";

// Checks one condition inside its trigger, whose order of evaluation may be worth a warning too.
Outcome<std::vector<rules::Warning>> check_in_place(domain::Trigger trigger, const domain::Condition& condition) {
  Validation validation;
  std::vector<rules::Warning> warnings;
  check_condition(condition, trigger.is_stateful, "", validation, &warnings);
  if (!validation.ok()) return std::unexpected(validation.refusal());
  std::erase_if(trigger.conditions, [&](const auto& c) { return c.id == condition.id; });
  const auto after = [&](const domain::Condition& c) {
    return std::pair(c.position, c.id == 0 ? INT64_MAX : c.id) >
           std::pair(condition.position, condition.id == 0 ? INT64_MAX : condition.id);
  };
  const auto at =
      trigger.conditions.insert(std::find_if(trigger.conditions.begin(), trigger.conditions.end(), after), condition);
  const std::string own = fmt::format("conditions[{}].", at - trigger.conditions.begin());
  std::vector<rules::Warning> all;
  if (!rules::compile(std::move(trigger), &all)) return warnings;
  for (auto& warning : all) {
    if (warning.code != "stateful_before_filter") continue;
    if (warning.field.starts_with(own)) warning.field = warning.field.substr(own.size());
    warnings.push_back(std::move(warning));
  }
  return warnings;
}

Outcome<domain::Condition> find_in(const domain::Trigger& trigger, domain::ConditionId id) {
  const auto found =
      std::find_if(trigger.conditions.begin(), trigger.conditions.end(), [id](const auto& c) { return c.id == id; });
  if (found == trigger.conditions.end()) return not_found("Condition not found");
  return *found;
}

Outcome<EditedCondition> commit(Tx& tx, const domain::Trigger& trigger, domain::ConditionId id,
                                std::vector<rules::Warning> warnings, Time now) {
  auto committed = store::commit_edit(tx, trigger.organization_id, trigger.id, now);
  if (!committed) return broken(committed);
  auto condition = find_in(*committed, id);
  if (!condition) return pass(condition);
  return EditedCondition{std::move(*condition), trigger.id, std::move(warnings)};
}

}   // namespace

Outcome<EditedCondition> create_condition(Tx& tx, const Caller& caller, std::string_view trigger_id,
                                          const ConditionDraft& draft) {
  auto trigger = begin_edit(tx, caller, trigger_id, kMayNotCreate, check_alone(draft));
  if (!trigger) return pass(trigger);
  domain::Condition base;
  base.created_at = caller.now;
  for (const auto& other : trigger->conditions)
    base.position = std::max(base.position, other.position == INT32_MAX ? other.position : other.position + 1);
  const auto condition = merge(draft, base);
  auto warnings = check_in_place(*trigger, condition);
  if (!warnings) return pass(warnings);
  if (trigger->conditions.size() >= kMaxConditionsPerTrigger)
    return bad_request(fmt::format("A trigger has at most {} conditions", kMaxConditionsPerTrigger));
  auto id = store::insert_condition(tx, trigger->id, condition);
  if (!id) return broken(id);
  return commit(tx, *trigger, *id, std::move(*warnings), caller.now);
}

Outcome<EditedCondition> update_condition(Tx& tx, const Caller& caller, std::string_view trigger_id,
                                          domain::ConditionId id, const ConditionDraft& draft) {
  auto trigger = begin_edit(tx, caller, trigger_id, kMayNotUpdate, check_alone(draft));
  if (!trigger) return pass(trigger);
  auto stored = find_in(*trigger, id);
  if (!stored) return pass(stored);
  auto condition = merge(draft, *stored);
  auto warnings = check_in_place(*trigger, condition);
  if (!warnings) return pass(warnings);
  const bool same = condition.condition_type == stored->condition_type && condition.field == stored->field &&
                    condition.op == stored->op && condition.value == stored->value &&
                    condition.config == stored->config;
  // What is asked has changed, so what was remembered answers another question: fresh state.
  if (!same) ++condition.revision;
  if (auto updated = store::update_condition(tx, condition); !updated) return broken(updated);
  return commit(tx, *trigger, id, std::move(*warnings), caller.now);
}

Outcome<void> delete_condition(Tx& tx, const Caller& caller, std::string_view trigger_id, domain::ConditionId id) {
  auto trigger = begin_edit(tx, caller, trigger_id, kMayNotDelete);
  if (!trigger) return pass(trigger);
  if (auto stored = find_in(*trigger, id); !stored) return pass(stored);
  if (auto deleted = store::delete_condition(tx, id); !deleted) return broken(deleted);
  auto committed = store::commit_edit(tx, trigger->organization_id, trigger->id, caller.now);
  if (!committed) return broken(committed);
  return {};
}

}   // namespace agentauri::gateway
