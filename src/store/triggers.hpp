// Triggers, conditions and actions in the store, the same on SQLite and PostgreSQL. Edits append a revision in the caller's
// transaction, through touch_trigger().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/trigger.hpp"
#include "store/database.hpp"

namespace agentauri::store {

struct TriggerPage {
  std::vector<domain::Trigger> rows;   // without conditions and actions
  std::int64_t total = 0;              // exact up to 100,000
};

Result<void> create_trigger(Tx& tx, const domain::Trigger& trigger);
// With conditions and actions. nullopt when the id is unknown or belongs to another organization.
Result<std::optional<domain::Trigger>> find_trigger(Tx& tx, domain::OrganizationId owner, domain::TriggerId id);
Result<TriggerPage> list_triggers(Tx& tx, domain::OrganizationId owner, std::int64_t limit, std::int64_t offset);
Result<std::int64_t> count_triggers(Tx& tx, domain::OrganizationId owner);
Result<void> update_trigger(Tx& tx, const domain::Trigger& trigger);
Result<void> delete_trigger(Tx& tx, domain::TriggerId id);
// updated_at = now, and a revision with the trigger as it is in this transaction. The new state comes back.
Result<domain::Trigger> touch_trigger(Tx& tx, domain::OrganizationId owner, domain::TriggerId id, Time now);

Result<domain::ConditionId> create_condition(Tx& tx, domain::TriggerId trigger, const domain::Condition& condition);
Result<void> update_condition(Tx& tx, const domain::Condition& condition);   // its revision grows
Result<void> delete_condition(Tx& tx, domain::ConditionId id);

struct ActionSecrets {
  std::optional<std::string> signing_secret, previous_signing_secret;   // enc:v1
  std::optional<Time> previous_expires_at;
};
// The configuration is encrypted with the id in its associated data, so the row comes first and its content second.
Result<domain::ActionId> create_action(Tx& tx, domain::TriggerId trigger, const domain::Action& action);
Result<void> update_action(Tx& tx, const domain::Action& action, Time now);   // and clears disabled_reason
Result<void> set_action_secrets(Tx& tx, domain::ActionId id, const ActionSecrets& secrets, Time now);
Result<ActionSecrets> read_action_secrets(Tx& tx, domain::ActionId id);
Result<void> delete_action(Tx& tx, domain::ActionId id);

}  // namespace agentauri::store
