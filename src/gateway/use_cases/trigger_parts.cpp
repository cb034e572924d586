#include "gateway/use_cases/trigger_parts.hpp"

#include <fmt/format.h>

#include "rules/action_config.hpp"
#include "rules/action_secrets.hpp"

namespace agentauri::gateway {
namespace {

// Characters of a condition's parts (pipeline.md 10).
constexpr std::size_t kMaxConditionType = 100, kMaxField = 255, kMaxOperator = 50, kMaxValue = 1000;
constexpr const char* kTypes = "must be telegram, rest (or webhook) or mcp";

std::string place(std::string_view prefix, std::string_view member) {
  return fmt::format("{}{}", prefix, member);
}

// `***` becomes what is stored. What looks like ciphertext of ours may not come from outside.
std::optional<json::Object> merge_config(const json::Object& fresh, const json::Object& stored, std::string_view prefix,
                                         Validation& validation) {
  if (const auto forged = rules::find_encrypted(fresh)) {
    validation.add(place(prefix, *forged), "reserved_prefix", "must not start with enc:v1:");
    return std::nullopt;
  }
  auto merged = rules::merge_masked(fresh, stored);
  if (!merged) {
    validation.add(place(prefix, merged.error().field), "nothing_stored", merged.error().text);
    return std::nullopt;
  }
  return std::move(*merged);
}

}   // namespace

domain::Condition merge(const ConditionDraft& draft, domain::Condition base) {
  if (draft.condition_type) base.condition_type = *draft.condition_type;
  if (draft.field) base.field = *draft.field;
  if (draft.op) base.op = *draft.op;
  if (draft.value) base.value = *draft.value;
  if (draft.config) base.config = *draft.config;
  if (draft.position) base.position = *draft.position;
  return base;
}

Validation check_alone(const ConditionDraft& draft) {
  Validation out;
  if (draft.condition_type) out.length("condition_type", *draft.condition_type, 1, kMaxConditionType);
  if (draft.field) out.length("field", *draft.field, 1, kMaxField);
  if (draft.op) out.length("operator", *draft.op, 1, kMaxOperator);
  if (draft.value) out.length("value", *draft.value, 1, kMaxValue);
  if (draft.config && draft.config->size() > kMaxConditionConfigBytes)
    out.add("config", "length", fmt::format("must have at most {} bytes", kMaxConditionConfigBytes));
  return out;
}

Validation check_alone(const ActionDraft& draft) {
  Validation out;
  if (draft.action_type && !domain::parse_action_type(*draft.action_type))
    out.add("action_type", "action_type", kTypes);
  if (draft.config && draft.config_bytes > kMaxActionConfigBytes)
    out.add("config", "length", fmt::format("must have at most {} bytes", kMaxActionConfigBytes));
  return out;
}

void check_condition(const domain::Condition& condition, bool is_stateful, std::string_view prefix,
                     Validation& validation, std::vector<rules::Warning>* warnings) {
  Validation own;
  own.length(place(prefix, "condition_type"), condition.condition_type, 1, kMaxConditionType);
  own.length(place(prefix, "field"), condition.field, 1, kMaxField);
  own.length(place(prefix, "operator"), condition.op, 1, kMaxOperator);
  own.length(place(prefix, "value"), condition.value, 1, kMaxValue);
  if (condition.config && condition.config->size() > kMaxConditionConfigBytes)
    own.add(place(prefix, "config"), "length", fmt::format("must have at most {} bytes", kMaxConditionConfigBytes));
  if (!own.ok()) return validation.add(std::move(own));
  std::vector<rules::Warning> found;
  auto compiled = rules::compile_condition(condition, is_stateful, &found);
  if (!compiled) {
    validation.add(place(prefix, compiled.error().field), "not_compilable", compiled.error().text);
    return;
  }
  if (warnings == nullptr) return;
  for (auto& warning : found)
    warnings->push_back({place(prefix, warning.field), std::move(warning.code), std::move(warning.text)});
}

CheckedAction check_action(const ActionDraft& draft, domain::Action base, bool is_new, std::string_view prefix,
                           const net::AddressGuard& guard, Validation& validation,
                           std::vector<rules::Warning>& warnings) {
  CheckedAction out;
  out.is_new = is_new;
  if (draft.action_type) {
    if (const auto type = domain::parse_action_type(*draft.action_type))
      base.type = *type;
    else
      validation.add(place(prefix, "action_type"), "action_type", kTypes);
  }
  if (draft.priority) base.priority = *draft.priority;
  const auto too_long = [&] {
    validation.add(place(prefix, "config"), "length", fmt::format("must have at most {} bytes", kMaxActionConfigBytes));
  };
  // Before anything looks into it.
  if (draft.config && draft.config_bytes > kMaxActionConfigBytes) {
    too_long();
    return out.action = std::move(base), out;
  }
  auto stored = json::parse(base.config.empty() ? "{}" : base.config);
  if (stored && stored->is_object()) out.config = std::move(stored->get_object());
  if (draft.config) {
    out.config_changed = true;
    if (auto merged = merge_config(*draft.config, out.config, prefix, validation))
      out.config = std::move(*merged);
    else
      return out.action = std::move(base), out;
  }
  out.action = std::move(base);
  if (json::dump(rules::in_clear_sizes(out.config)).size() > kMaxActionConfigBytes) {
    too_long();
    return out;
  }
  std::vector<rules::Warning> found;
  if (auto checked = rules::check_action(out.action.type, out.config, guard, &found); !checked)
    validation.add(place(prefix, checked.error().field), "config", checked.error().text);
  for (auto& warning : found)
    warnings.push_back({place(prefix, warning.field), std::move(warning.code), std::move(warning.text)});
  return out;
}

std::string make_signing_secret() {
  return "whsec_" + crypto::base64(crypto::random_bytes(32));
}

Outcome<std::optional<std::string>> write_action(store::Tx& tx, domain::TriggerId trigger, CheckedAction& checked,
                                                 const crypto::DataKeys& keys, Time now) {
  auto& action = checked.action;
  if (checked.is_new) {
    action.created_at = now;
    auto id = store::insert_action(tx, trigger, action);
    if (!id) return broken(id);
    action.id = *id;
  } else if (auto updated = store::update_action(tx, action, now); !updated) {
    return broken(updated);
  }
  if (checked.is_new || checked.config_changed) {
    action.config = json::dump(rules::encrypt_config(checked.config, action.id, keys));
    if (auto set = store::set_action_config(tx, action.id, action.config, now); !set) return broken(set);
    action.disabled_reason.reset();   // as the store does
  }
  if (action.type != domain::ActionType::rest) return std::nullopt;
  auto secrets = store::read_signing_secrets(tx, action.id);
  if (!secrets) return broken(secrets);
  if (secrets->current) return std::nullopt;
  std::string secret = make_signing_secret();
  secrets->current = keys.encrypt(secret, rules::signing_secret_aad(action.id));
  if (auto set = store::set_signing_secrets(tx, action.id, *secrets, now); !set) return broken(set);
  return secret;
}

Outcome<domain::Trigger> begin_edit(store::Tx& tx, const Caller& caller, std::string_view trigger,
                                    std::string_view denial, const Validation& alone) {
  auto organization = require_role(tx, caller, domain::Role::member, denial);
  if (!organization) return pass(organization);
  if (!alone.ok()) return std::unexpected(alone.refusal());
  const auto id = domain::TriggerId::parse(trigger);
  if (!id) return not_found("Trigger not found");
  auto found = store::lock_trigger(tx, organization->id, *id);
  if (!found) return broken(found);
  if (!*found) return not_found("Trigger not found");
  return std::move(**found);
}

}   // namespace agentauri::gateway
