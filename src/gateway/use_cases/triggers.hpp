// Triggers, conditions and actions: who may do what, what is valid, and what the engine is told. Plain functions over a
// transaction; every edit ends with a revision.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/crypto/crypto.hpp"
#include "core/json/json.hpp"
#include "domain/trigger.hpp"
#include "gateway/refusal.hpp"
#include "gateway/use_cases/organization_context.hpp"
#include "net/address_guard.hpp"
#include "rules/evaluate.hpp"
#include "store/jobs.hpp"
#include "store/triggers.hpp"

namespace agentauri::gateway {

inline constexpr std::int64_t kMaxTriggersPerOrganization = 1000;
inline constexpr std::size_t kMaxConditionsPerTrigger = 20;
inline constexpr std::size_t kMaxActionsPerTrigger = 10;
inline constexpr std::size_t kMaxConditionConfigBytes = 16 * 1024;
inline constexpr std::size_t kMaxActionConfigBytes = 128 * 1024;
inline constexpr std::int64_t kDefaultOverlapSeconds = 24 * 3600;
inline constexpr std::int64_t kMaxOverlapSeconds = 30 * 24 * 3600;

// What saving actions needs beside the request; lives as long as the gateway.
struct ActionContext {
  const crypto::DataKeys& keys;
  const net::AddressGuard& guard;   // that of the worker, so that what it would refuse is refused on save
};

// What a request says. Absent members keep their value (PUT) or take their default (POST).
struct ConditionDraft {
  std::optional<domain::ConditionId> id;   // inside PUT of a trigger: the stored one that is meant
  std::optional<std::string> condition_type, field, op, value, config;
  std::optional<std::int32_t> position;
};
struct ActionDraft {
  std::optional<domain::ActionId> id;
  std::optional<std::string> action_type;
  std::optional<std::int32_t> priority;
  std::optional<json::Object> config;
  std::size_t config_bytes = 0;   // of `config` as JSON: measured before the transaction, where nothing may take long
};
struct TriggerDraft {
  std::optional<std::string> name, description, registry;
  std::optional<domain::ChainId> chain_id;
  std::optional<bool> enabled, is_stateful;
  std::optional<std::int32_t> min_confirmations;
  // Of a PUT: the whole new list. Entries with an id change that one, entries without are new, what is not named goes.
  std::optional<std::vector<ConditionDraft>> conditions;
  std::optional<std::vector<ActionDraft>> actions;
};

// A trigger after an edit, with what only this answer may say.
struct EditedTrigger {
  domain::Trigger trigger;
  std::vector<rules::Warning> warnings;
  std::map<domain::ActionId, std::string> new_secrets;   // whsec_…, of actions that were made or got a new one
};
struct EditedCondition {
  domain::Condition condition;
  domain::TriggerId trigger;
  std::vector<rules::Warning> warnings;
};
struct EditedAction {
  domain::Action action;
  domain::TriggerId trigger;
  std::vector<rules::Warning> warnings;
  std::optional<std::string> new_secret;
};

struct PageBounds {
  std::int64_t limit = 20, offset = 0;
};
// validation_error "Invalid pagination: …".
Outcome<void> check_page(const PageBounds& page);

Outcome<EditedTrigger> create_trigger(store::Tx& tx, const Caller& caller, const ActionContext& context,
                                      const TriggerDraft& draft);
Outcome<EditedTrigger> update_trigger(store::Tx& tx, const Caller& caller, const ActionContext& context,
                                      std::string_view id, const TriggerDraft& draft);
Outcome<void> delete_trigger(store::Tx& tx, const Caller& caller, std::string_view id);
// Of the caller's organization; 404 "Trigger not found" for every other id.
Outcome<domain::Trigger> find_trigger(store::Tx& tx, const Caller& caller, std::string_view id);
Outcome<store::TriggerPage> list_triggers(store::Tx& tx, const Caller& caller, const PageBounds& page);
Outcome<store::TriggerPage> list_triggers_of(store::Tx& tx, const Caller& caller, std::string_view organization,
                                             const PageBounds& page);
Outcome<store::DeliveryPage> list_deliveries(store::Tx& tx, const Caller& caller, std::string_view trigger,
                                             const PageBounds& page);

Outcome<EditedCondition> create_condition(store::Tx& tx, const Caller& caller, std::string_view trigger,
                                          const ConditionDraft& draft);
Outcome<EditedCondition> update_condition(store::Tx& tx, const Caller& caller, std::string_view trigger,
                                          domain::ConditionId id, const ConditionDraft& draft);
Outcome<void> delete_condition(store::Tx& tx, const Caller& caller, std::string_view trigger, domain::ConditionId id);

Outcome<EditedAction> create_action(store::Tx& tx, const Caller& caller, const ActionContext& context,
                                    std::string_view trigger, const ActionDraft& draft);
Outcome<EditedAction> update_action(store::Tx& tx, const Caller& caller, const ActionContext& context,
                                    std::string_view trigger, domain::ActionId id, const ActionDraft& draft);
Outcome<void> delete_action(store::Tx& tx, const Caller& caller, std::string_view trigger, domain::ActionId id);
// The old secret signs beside the new one for `overlap_seconds`.
Outcome<EditedAction> rotate_secret(store::Tx& tx, const Caller& caller, const crypto::DataKeys& keys,
                                    std::string_view trigger, domain::ActionId id, std::int64_t overlap_seconds);

}   // namespace agentauri::gateway
