// What the three use-cases of triggers share: drafts laid over what is stored, checked, and written.
#pragma once

#include "gateway/use_cases/triggers.hpp"

namespace agentauri::gateway {

// `prefix` is the place in the request: "" or "conditions[2].".
domain::Condition merge(const ConditionDraft& draft, domain::Condition base);
void check_condition(const domain::Condition& condition, bool is_stateful, std::string_view prefix,
                     Validation& validation, std::vector<rules::Warning>* warnings);

// An action on its way into the store: its configuration with `***` filled in, not yet encrypted.
struct CheckedAction {
  domain::Action action;
  json::Object config;
  bool is_new = false;
  bool config_changed = false;
};
// `base`: the stored action, or a fresh one.
CheckedAction check_action(const ActionDraft& draft, domain::Action base, bool is_new, std::string_view prefix,
                           const net::AddressGuard& guard, Validation& validation,
                           std::vector<rules::Warning>& warnings);
// Writes row, configuration and, for a rest action that has none, a signing secret, which is returned.
Outcome<std::optional<std::string>> write_action(store::Tx& tx, domain::TriggerId trigger, CheckedAction& checked,
                                                 const crypto::DataKeys& keys, Time now);
std::string make_signing_secret();

// What a request can be told before anybody looks for what it names.
Validation check_alone(const ConditionDraft& draft);
Validation check_alone(const ActionDraft& draft);
// Every edit begins here, in the order of http-api.md 1.8: role, what is wrong with the request whatever it names, then
// the trigger, locked.
Outcome<domain::Trigger> begin_edit(store::Tx& tx, const Caller& caller, std::string_view trigger,
                                    std::string_view denial, const Validation& alone = {});

}   // namespace agentauri::gateway
