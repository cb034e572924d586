#include "gateway/use_cases/triggers.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/use_cases/trigger_parts.hpp"
#include "store/organizations.hpp"

namespace agentauri::gateway {
namespace {

using domain::Trigger;
using store::Tx;

constexpr std::string_view kMayNotCreate = "Insufficient permissions to create triggers";
constexpr std::string_view kMayNotUpdate = "Insufficient permissions to update triggers";
constexpr std::string_view kMayNotDelete = "Insufficient permissions to delete triggers";

// The draft over `trigger`, its own members only.
void apply(const TriggerDraft& draft, Trigger& trigger, Validation& validation) {
  if (draft.name) trigger.name = *draft.name;
  if (draft.description) trigger.description = draft.description;
  if (draft.chain_id) trigger.chain_id = draft.chain_id;
  if (draft.enabled) trigger.enabled = *draft.enabled;
  if (draft.is_stateful) trigger.is_stateful = *draft.is_stateful;
  if (draft.min_confirmations) trigger.min_confirmations = draft.min_confirmations;
  validation.length("name", trigger.name, 1, 255);
  if (trigger.description) validation.length("description", *trigger.description, 0, 1000);
  if (trigger.min_confirmations) validation.range("min_confirmations", *trigger.min_confirmations, 0, INT32_MAX);
  if (!draft.registry) return;
  if (const auto registry = domain::parse_registry(*draft.registry))
    trigger.registry = *registry;
  else
    validation.add("registry", "registry", "must be identity, reputation or validation");
}

// The whole new set of conditions: `kept` in the order of the request, `gone` those that are not named.
struct ConditionPlan {
  std::vector<domain::Condition> kept;   // id 0: new
  std::vector<domain::ConditionId> gone;
};
Outcome<ConditionPlan> plan_conditions(const std::vector<ConditionDraft>& drafts, const Trigger& trigger, Time now,
                                       Validation& validation, std::vector<rules::Warning>& warnings) {
  ConditionPlan plan;
  for (std::size_t i = 0; i < drafts.size(); ++i) {
    domain::Condition base;
    base.created_at = now;
    base.position = static_cast<std::int32_t>(i);
    if (drafts[i].id) {
      const auto stored = std::find_if(trigger.conditions.begin(), trigger.conditions.end(),
                                       [&](const auto& c) { return c.id == *drafts[i].id; });
      if (stored == trigger.conditions.end()) return not_found("Condition not found");
      const bool twice =
          std::any_of(plan.kept.begin(), plan.kept.end(), [&](const auto& c) { return c.id == stored->id; });
      if (twice) return bad_request(fmt::format("conditions[{}]: condition {} is named twice", i, stored->id));
      base = *stored;
      base.position = static_cast<std::int32_t>(i);
    }
    auto merged = merge(drafts[i], base);
    check_condition(merged, trigger.is_stateful, fmt::format("conditions[{}].", i), validation, &warnings);
    if (base.id != 0) {
      const bool same = merged.condition_type == base.condition_type && merged.field == base.field &&
                        merged.op == base.op && merged.value == base.value && merged.config == base.config;
      if (!same) ++merged.revision;
    }
    plan.kept.push_back(std::move(merged));
  }
  for (const auto& stored : trigger.conditions) {
    if (std::none_of(plan.kept.begin(), plan.kept.end(), [&](const auto& c) { return c.id == stored.id; }))
      plan.gone.push_back(stored.id);
  }
  return plan;
}

struct ActionPlan {
  std::vector<CheckedAction> kept;
  std::vector<domain::ActionId> gone;
};
Outcome<ActionPlan> plan_actions(const std::vector<ActionDraft>& drafts, const Trigger& trigger,
                                 const net::AddressGuard& guard, Validation& validation,
                                 std::vector<rules::Warning>& warnings) {
  ActionPlan plan;
  for (std::size_t i = 0; i < drafts.size(); ++i) {
    domain::Action base;
    if (drafts[i].id) {
      const auto stored = std::find_if(trigger.actions.begin(), trigger.actions.end(),
                                       [&](const auto& a) { return a.id == *drafts[i].id; });
      if (stored == trigger.actions.end()) return not_found("Action not found");
      const bool twice =
          std::any_of(plan.kept.begin(), plan.kept.end(), [&](const auto& a) { return a.action.id == stored->id; });
      if (twice) return bad_request(fmt::format("actions[{}]: action {} is named twice", i, stored->id));
      base = *stored;
    }
    plan.kept.push_back(check_action(drafts[i], std::move(base), !drafts[i].id, fmt::format("actions[{}].", i), guard,
                                     validation, warnings));
  }
  for (const auto& stored : trigger.actions) {
    if (std::none_of(plan.kept.begin(), plan.kept.end(), [&](const auto& a) { return a.action.id == stored.id; }))
      plan.gone.push_back(stored.id);
  }
  return plan;
}

Outcome<void> check_counts(const TriggerDraft& draft) {
  if (draft.conditions && draft.conditions->size() > kMaxConditionsPerTrigger)
    return bad_request(fmt::format("A trigger has at most {} conditions", kMaxConditionsPerTrigger));
  if (draft.actions && draft.actions->size() > kMaxActionsPerTrigger)
    return bad_request(fmt::format("A trigger has at most {} actions", kMaxActionsPerTrigger));
  return {};
}

Outcome<void> write_conditions(Tx& tx, domain::TriggerId trigger, const ConditionPlan& plan) {
  for (const auto id : plan.gone) {
    if (auto deleted = store::delete_condition(tx, id); !deleted) return broken(deleted);
  }
  for (const auto& condition : plan.kept) {
    if (condition.id == 0) {
      if (auto made = store::insert_condition(tx, trigger, condition); !made) return broken(made);
    } else if (auto updated = store::update_condition(tx, condition); !updated) {
      return broken(updated);
    }
  }
  return {};
}

Outcome<void> write_actions(Tx& tx, domain::TriggerId trigger, ActionPlan& plan, const crypto::DataKeys& keys, Time now,
                            std::map<domain::ActionId, std::string>& new_secrets) {
  for (const auto id : plan.gone) {
    if (auto deleted = store::delete_action(tx, trigger, id, now); !deleted) return broken(deleted);
  }
  for (auto& checked : plan.kept) {
    auto secret = write_action(tx, trigger, checked, keys, now);
    if (!secret) return pass(secret);
    if (*secret) new_secrets[checked.action.id] = std::move(**secret);
  }
  return {};
}

// Warnings that only the whole shows: the order of conditions, or that there are none.
void warn_of_the_whole(const Trigger& trigger, std::vector<rules::Warning>& warnings) {
  std::vector<rules::Warning> all;
  if (auto compiled = rules::compile(trigger, &all); !compiled) return;
  for (auto& warning : all) {
    const bool known = std::any_of(warnings.begin(), warnings.end(),
                                   [&](const auto& w) { return w.code == warning.code && w.field == warning.field; });
    if (!known) warnings.push_back(std::move(warning));
  }
}

Outcome<void> fill(Tx& tx, Trigger& trigger, const TriggerDraft& draft, const ActionContext& context, Time now,
                   bool is_new, EditedTrigger& out) {
  Validation validation;
  apply(draft, trigger, validation);
  auto conditions =
      plan_conditions(draft.conditions.value_or(std::vector<ConditionDraft>()), trigger, now, validation, out.warnings);
  if (!conditions) return pass(conditions);
  auto actions = plan_actions(draft.actions.value_or(std::vector<ActionDraft>()), trigger, context.guard, validation,
                              out.warnings);
  if (!actions) return pass(actions);
  // Conditions that stay as they are must still mean something under the changed trigger.
  if (!is_new && !draft.conditions && draft.is_stateful) {
    if (auto compiled = rules::compile(trigger, nullptr); !compiled)
      validation.add(compiled.error().field, "not_compilable", compiled.error().text);
  }
  if (!validation.ok()) return std::unexpected(validation.refusal());

  auto written = is_new ? store::insert_trigger(tx, trigger) : store::update_trigger(tx, trigger);
  if (!written) return broken(written);
  if (draft.conditions) {
    if (auto done = write_conditions(tx, trigger.id, *conditions); !done) return done;
  }
  if (draft.actions) {
    if (auto done = write_actions(tx, trigger.id, *actions, context.keys, now, out.new_secrets); !done) return done;
  }
  auto committed = store::commit_edit(tx, trigger.organization_id, trigger.id, now);
  if (!committed) return broken(committed);
  out.trigger = std::move(*committed);
  if (draft.conditions) warn_of_the_whole(out.trigger, out.warnings);
  return {};
}

}   // namespace

Outcome<void> check_page(const PageBounds& page) {
  if (page.limit < 1 || page.limit > 100)
    return refuse(400, "validation_error", "Invalid pagination: Limit must be between 1 and 100");
  if (page.offset < 0) return refuse(400, "validation_error", "Invalid pagination: Offset must be non-negative");
  return {};
}

Outcome<EditedTrigger> create_trigger(Tx& tx, const Caller& caller, const ActionContext& context,
                                      const TriggerDraft& draft) {
  auto organization = require_role(tx, caller, domain::Role::member, kMayNotCreate);
  if (!organization) return pass(organization);
  Trigger trigger;
  trigger.id = domain::TriggerId::make(caller.now);
  trigger.organization_id = organization->id;
  trigger.account_id = caller.principal.account;
  trigger.created_at = trigger.updated_at = caller.now;
  if (auto counted = check_counts(draft); !counted) return pass(counted);
  // Held, so that the limit is exact however many ask at once.
  auto held = store::lock_organization(tx, organization->id);
  if (!held) return broken(held);
  if (!*held) return forbidden("Not a member of the specified organization");
  auto existing = store::count_triggers(tx, organization->id, kMaxTriggersPerOrganization);
  if (!existing) return broken(existing);
  EditedTrigger out;
  if (*existing >= kMaxTriggersPerOrganization)
    return bad_request(fmt::format("An organization has at most {} triggers", kMaxTriggersPerOrganization));
  if (auto filled = fill(tx, trigger, draft, context, caller.now, true, out); !filled) return pass(filled);
  return out;
}

Outcome<EditedTrigger> update_trigger(Tx& tx, const Caller& caller, const ActionContext& context, std::string_view id,
                                      const TriggerDraft& draft) {
  Validation alone;
  Trigger nobody;
  nobody.name = "n";
  apply(draft, nobody, alone);
  auto trigger = begin_edit(tx, caller, id, kMayNotUpdate, alone);
  if (!trigger) return pass(trigger);
  if (auto counted = check_counts(draft); !counted) return pass(counted);
  EditedTrigger out;
  trigger->updated_at = caller.now;
  if (auto filled = fill(tx, *trigger, draft, context, caller.now, false, out); !filled) return pass(filled);
  return out;
}

Outcome<void> delete_trigger(Tx& tx, const Caller& caller, std::string_view id) {
  auto trigger = begin_edit(tx, caller, id, kMayNotDelete);
  if (!trigger) return pass(trigger);
  if (auto deleted = store::delete_trigger(tx, *trigger, caller.now); !deleted) return broken(deleted);
  return {};
}

Outcome<Trigger> find_trigger(Tx& tx, const Caller& caller, std::string_view id) {
  auto organization = resolve_organization(tx, caller);
  if (!organization) return pass(organization);
  const auto parsed = domain::TriggerId::parse(id);
  if (!parsed) return not_found("Trigger not found");
  auto found = store::find_trigger(tx, organization->id, *parsed);
  if (!found) return broken(found);
  if (!*found) return not_found("Trigger not found");
  return std::move(**found);
}

Outcome<store::TriggerPage> list_triggers(Tx& tx, const Caller& caller, const PageBounds& page) {
  auto organization = resolve_organization(tx, caller);
  if (!organization) return pass(organization);
  if (auto checked = check_page(page); !checked) return pass(checked);
  auto rows = store::list_triggers(tx, organization->id, page.limit + 1, page.offset);
  if (!rows) return broken(rows);
  return std::move(*rows);
}

Outcome<store::TriggerPage> list_triggers_of(Tx& tx, const Caller& caller, std::string_view organization_id,
                                             const PageBounds& page) {
  if (auto checked = check_page(page); !checked) return pass(checked);
  auto organization = find_organization_of_path(tx, caller, organization_id);
  if (!organization) return pass(organization);
  auto rows = store::list_triggers(tx, organization->id, page.limit + 1, page.offset);
  if (!rows) return broken(rows);
  return std::move(*rows);
}

Outcome<store::DeliveryPage> list_deliveries(Tx& tx, const Caller& caller, std::string_view trigger,
                                             const PageBounds& page) {
  auto organization = resolve_organization(tx, caller);
  if (!organization) return pass(organization);
  if (auto checked = check_page(page); !checked) return pass(checked);
  const auto id = domain::TriggerId::parse(trigger);
  if (!id) return not_found("Trigger not found");
  auto exists = store::trigger_exists(tx, organization->id, *id);
  if (!exists) return broken(exists);
  if (!*exists) return not_found("Trigger not found");
  auto rows = store::list_deliveries(tx, *id, page.limit + 1, page.offset);
  if (!rows) return broken(rows);
  return std::move(*rows);
}

}   // namespace agentauri::gateway
