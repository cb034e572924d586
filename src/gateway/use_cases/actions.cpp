#include <fmt/format.h>

#include <algorithm>

#include "gateway/use_cases/trigger_parts.hpp"
#include "rules/action_secrets.hpp"

namespace agentauri::gateway {
namespace {

using store::Tx;

constexpr std::string_view kMayNotCreate = "Insufficient permissions to create actions";
constexpr std::string_view kMayNotUpdate = "Insufficient permissions to update actions";
constexpr std::string_view kMayNotDelete = "Insufficient permissions to delete actions";

Outcome<domain::Action> find_in(const domain::Trigger& trigger, domain::ActionId id) {
  const auto found =
      std::find_if(trigger.actions.begin(), trigger.actions.end(), [id](const auto& a) { return a.id == id; });
  if (found == trigger.actions.end()) return not_found("Action not found");
  return *found;
}

Outcome<EditedAction> write(Tx& tx, const domain::Trigger& trigger, CheckedAction& checked,
                            std::vector<rules::Warning> warnings, const crypto::DataKeys& keys, Time now) {
  auto secret = write_action(tx, trigger.id, checked, keys, now);
  if (!secret) return pass(secret);
  if (auto committed = store::commit_edit(tx, trigger.organization_id, trigger.id, now); !committed)
    return broken(committed);
  return EditedAction{std::move(checked.action), trigger.id, std::move(warnings), std::move(*secret)};
}

}   // namespace

Outcome<EditedAction> create_action(Tx& tx, const Caller& caller, const ActionContext& context,
                                    std::string_view trigger_id, const ActionDraft& draft) {
  Validation validation;
  std::vector<rules::Warning> warnings;
  auto checked = check_action(draft, domain::Action(), true, "", context.guard, validation, warnings);
  auto trigger = begin_edit(tx, caller, trigger_id, kMayNotCreate, validation);
  if (!trigger) return pass(trigger);
  if (trigger->actions.size() >= kMaxActionsPerTrigger)
    return bad_request(fmt::format("A trigger has at most {} actions", kMaxActionsPerTrigger));
  return write(tx, *trigger, checked, std::move(warnings), context.keys, caller.now);
}

Outcome<EditedAction> update_action(Tx& tx, const Caller& caller, const ActionContext& context,
                                    std::string_view trigger_id, domain::ActionId id, const ActionDraft& draft) {
  auto trigger = begin_edit(tx, caller, trigger_id, kMayNotUpdate, check_alone(draft));
  if (!trigger) return pass(trigger);
  auto stored = find_in(*trigger, id);
  if (!stored) return pass(stored);
  Validation validation;
  std::vector<rules::Warning> warnings;
  auto checked = check_action(draft, std::move(*stored), false, "", context.guard, validation, warnings);
  if (!validation.ok()) return std::unexpected(validation.refusal());
  return write(tx, *trigger, checked, std::move(warnings), context.keys, caller.now);
}

Outcome<void> delete_action(Tx& tx, const Caller& caller, std::string_view trigger_id, domain::ActionId id) {
  auto trigger = begin_edit(tx, caller, trigger_id, kMayNotDelete);
  if (!trigger) return pass(trigger);
  if (auto stored = find_in(*trigger, id); !stored) return pass(stored);
  if (auto deleted = store::delete_action(tx, trigger->id, id, caller.now); !deleted) return broken(deleted);
  if (auto committed = store::commit_edit(tx, trigger->organization_id, trigger->id, caller.now); !committed)
    return broken(committed);
  return {};
}

Outcome<EditedAction> rotate_secret(Tx& tx, const Caller& caller, const crypto::DataKeys& keys,
                                    std::string_view trigger_id, domain::ActionId id, std::int64_t overlap_seconds) {
  Validation validation;
  validation.range("overlap_seconds", overlap_seconds, 0, kMaxOverlapSeconds);
  auto trigger = begin_edit(tx, caller, trigger_id, kMayNotUpdate, validation);
  if (!trigger) return pass(trigger);
  auto action = find_in(*trigger, id);
  if (!action) return pass(action);
  if (action->type != domain::ActionType::rest) return bad_request("Only rest actions have a signing secret");
  auto secrets = store::read_signing_secrets(tx, id);
  if (!secrets) return broken(secrets);
  std::string fresh = make_signing_secret();
  store::SigningSecrets next;
  next.current = keys.encrypt(fresh, rules::signing_secret_aad(id));
  if (overlap_seconds > 0 && secrets->current) {
    next.previous = std::move(secrets->current);
    next.previous_expires_at = caller.now + std::chrono::seconds(overlap_seconds);
  }
  if (auto set = store::set_signing_secrets(tx, id, next, caller.now); !set) return broken(set);
  return EditedAction{std::move(*action), trigger->id, {}, std::move(fresh)};
}

}   // namespace agentauri::gateway
