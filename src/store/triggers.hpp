// Triggers with their conditions and actions in the store, the same on SQLite and PostgreSQL. Every edit ends with
// commit_edit() or delete_trigger(), which append the revision that the engine adopts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/trigger.hpp"
#include "store/database.hpp"

namespace agentauri::store {

// The trigger's own row; conditions and actions are added one by one.
Result<void> insert_trigger(Tx& tx, const domain::Trigger& trigger);
// With conditions (by position, then id) and actions (by priority, then id). nullopt when the id is unknown or belongs
// to another organization.
Result<std::optional<domain::Trigger>> find_trigger(Tx& tx, domain::OrganizationId owner, domain::TriggerId id);
// The same, and nobody else edits the trigger until the transaction ends: every edit begins with it.
Result<std::optional<domain::Trigger>> lock_trigger(Tx& tx, domain::OrganizationId owner, domain::TriggerId id);
Result<bool> trigger_exists(Tx& tx, domain::OrganizationId owner, domain::TriggerId id);
// Name, description, chain, registry, switches, min_confirmations, updated_at.
Result<void> update_trigger(Tx& tx, const domain::Trigger& trigger);
// With conditions and actions, and with the follow that it is the last trigger of; its unsent jobs are cancelled; the
// engine hears of it.
Result<void> delete_trigger(Tx& tx, const domain::Trigger& trigger, Time now);
// Appends the trigger as it is now to the revisions. Returns it.
Result<domain::Trigger> commit_edit(Tx& tx, domain::OrganizationId owner, domain::TriggerId id, Time now);

struct TriggerPage {
  std::vector<domain::Trigger> rows;   // without conditions and actions
  std::int64_t total = 0;              // counted to kMaxCounted (counting.hpp)
};
// Newest first.
Result<TriggerPage> list_triggers(Tx& tx, domain::OrganizationId owner, std::int64_t limit, std::int64_t offset);
Result<std::int64_t> count_triggers(Tx& tx, domain::OrganizationId owner, std::int64_t up_to);

// Returns the new id.
Result<domain::ConditionId> insert_condition(Tx& tx, domain::TriggerId trigger, const domain::Condition& condition);
// Everything but id and created_at, the revision included.
Result<void> update_condition(Tx& tx, const domain::Condition& condition);
Result<void> delete_condition(Tx& tx, domain::ConditionId id);

// With an empty config: what is encrypted names the id, so set_action_config() follows.
Result<domain::ActionId> insert_action(Tx& tx, domain::TriggerId trigger, const domain::Action& action);
Result<void> update_action(Tx& tx, const domain::Action& action, Time now);
// A new config also clears the reason for which a worker had disabled the action.
Result<void> set_action_config(Tx& tx, domain::ActionId id, const std::string& config, Time now);
struct SigningSecrets {
  std::optional<std::string> current, previous;   // enc:v1
  std::optional<Time> previous_expires_at;
};
Result<SigningSecrets> read_signing_secrets(Tx& tx, domain::ActionId id);
Result<void> set_signing_secrets(Tx& tx, domain::ActionId id, const SigningSecrets& secrets, Time now);
// Its unsent jobs are cancelled.
Result<void> delete_action(Tx& tx, domain::TriggerId trigger, domain::ActionId id, Time now);

}   // namespace agentauri::store
