#include "gateway/api/render.hpp"

#include "gateway/api/render_parts.hpp"
#include "gateway/auth/jwt.hpp"
#include "gateway/auth/passwords.hpp"
#include "gateway/use_cases/registration.hpp"
#include "rules/action_secrets.hpp"

namespace agentauri::gateway {

using namespace render_parts;

namespace {

// Stored JSON. What is not JSON was not written by us; it is shown as text rather than lost.
json::Value stored_json(const std::string& stored) {
  auto value = json::parse(stored);
  return value ? std::move(*value) : text(stored);
}

}   // namespace

json::Object render_tokens(const TokenPair& tokens) {
  json::Object out;
  out["token"] = text(tokens.access);
  out["refresh_token"] = text(tokens.refresh);
  out["expires_in"] = kAccessTokenSeconds;
  return out;
}

json::Object render_auth(const SignedIn& signed_in) {
  const auto& account = signed_in.account;
  json::Object user;
  user["id"] = text(to_string(account.id));
  user["username"] = text(account.username);
  user["email"] = text(account.email);
  user["name"] = text(account.name);
  user["avatar"] = text(account.avatar);
  user["created_at"] = time(account.created_at);
  user["last_login_at"] = time(account.last_login_at);
  user["is_active"] = account.is_active;
  auto out = render_tokens(signed_in.tokens);
  out["user"] = std::move(user);
  return out;
}

json::Object render_password_policy(const GatewaySettings& settings) {
  const auto policy = password_rules(settings.password_policy);
  json::Array rules;
  for (const auto& rule : policy.rules) {
    json::Object row;
    row["code"] = text(rule.code);
    row["message"] = text(rule.text);
    rules.push_back(std::move(row));
  }
  const bool is_strict = settings.password_policy == GatewaySettings::PasswordPolicy::strict;
  json::Object out;
  out["policy"] = text(std::string_view(is_strict ? "strict" : "default"));
  out["min_length"] = policy.min_length;
  out["max_length"] = policy.max_length;
  out["require_uppercase"] = policy.needs_each_class;
  out["require_lowercase"] = policy.needs_each_class;
  out["require_digit"] = policy.needs_each_class;
  out["require_special"] = policy.needs_each_class;
  out["special_characters"] = text(policy.special);
  out["rules"] = std::move(rules);
  out["registration"] = text(to_string(settings.registration));
  return out;
}

json::Object render_me(const Me& me) {
  json::Object out;
  out["id"] = text(to_string(me.account.id));
  out["username"] = text(me.account.username);
  out["email"] = text(me.account.email);
  out["name"] = text(me.account.name);
  out["avatar"] = text(me.account.avatar);
  json::Array wallets, providers;
  for (const auto& identity : me.identities) {
    if (identity.provider != store::kWalletProvider) {
      if (const auto name = text(identity.provider);
          std::find(providers.begin(), providers.end(), name) == providers.end())
        providers.push_back(name);
      continue;
    }
    json::Object row;
    row["address"] = text(identity.wallet_address.value_or(""));
    row["chain_id"] = number(identity.chain_id);
    wallets.push_back(std::move(row));
  }
  out["wallets"] = std::move(wallets);
  out["providers"] = std::move(providers);
  json::Array organizations;
  for (const auto& membership : me.organizations) {
    json::Object row;
    row["id"] = text(to_string(membership.organization_id));
    row["name"] = text(membership.name);
    row["slug"] = text(membership.slug);
    row["role"] = text(to_string(membership.role));
    organizations.push_back(std::move(row));
  }
  out["organizations"] = std::move(organizations);
  out["is_admin"] = me.account.is_admin;
  out["created_at"] = time(me.account.created_at);
  return out;
}

json::Object render_trigger(const domain::Trigger& trigger) {
  json::Object out;
  out.reserve(15);
  out["id"] = text(to_string(trigger.id));
  out["user_id"] = text(to_string(trigger.account_id));
  out["organization_id"] = text(to_string(trigger.organization_id));
  out["name"] = text(trigger.name);
  out["description"] = text(trigger.description);
  out["chain_id"] = number(trigger.chain_id);
  out["registry"] = text(to_string(trigger.registry));
  out["enabled"] = trigger.enabled;
  out["is_stateful"] = trigger.is_stateful;
  out["min_confirmations"] = number(trigger.min_confirmations);
  out["last_error"] = text(trigger.last_error);
  out["created_at"] = time(trigger.created_at);
  out["updated_at"] = time(trigger.updated_at);
  return out;
}

json::Object render_trigger_detail(const domain::Trigger& trigger,
                                   const std::map<domain::ActionId, std::string>* new_secrets) {
  auto out = render_trigger(trigger);
  json::Array conditions;
  for (const auto& condition : trigger.conditions) conditions.push_back(render_condition(condition, trigger.id));
  json::Array actions;
  for (const auto& action : trigger.actions) {
    std::optional<std::string> secret;
    if (new_secrets != nullptr && new_secrets->contains(action.id)) secret = new_secrets->at(action.id);
    actions.push_back(render_action(action, trigger.id, secret));
  }
  out["conditions"] = std::move(conditions);
  out["actions"] = std::move(actions);
  return out;
}

json::Object render_condition(const domain::Condition& condition, domain::TriggerId trigger) {
  json::Object out;
  out["id"] = text(std::to_string(condition.id));
  out["trigger_id"] = text(to_string(trigger));
  out["condition_type"] = text(condition.condition_type);
  out["field"] = text(condition.field);
  out["operator"] = text(condition.op);
  out["value"] = text(condition.value);
  out["config"] = condition.config ? stored_json(*condition.config) : json::Value();
  out["position"] = condition.position;
  out["created_at"] = time(condition.created_at);
  return out;
}

json::Object render_action(const domain::Action& action, domain::TriggerId trigger,
                           const std::optional<std::string>& new_secret) {
  json::Object out;
  out["id"] = action.id;
  out["trigger_id"] = text(to_string(trigger));
  out["action_type"] = text(to_string(action.type));
  out["priority"] = action.priority;
  auto config = stored_json(action.config);
  out["config"] = config.is_object() ? rules::mask_config(std::move(config.get_object())) : json::Object();
  out["disabled_reason"] = text(action.disabled_reason);
  out["created_at"] = time(action.created_at);
  if (new_secret) out["signing_secret"] = text(*new_secret);
  return out;
}

json::Object render_event(const domain::Event& event) {
  json::Object data;
  const auto put_text = [&](const char* key, const std::optional<std::string>& value) {
    if (value) data[key] = text(*value);
  };
  put_text("owner", event.owner);
  put_text("token_uri", event.token_uri);
  put_text("metadata_key", event.metadata_key);
  put_text("metadata_value", event.metadata_value);
  put_text("client_address", event.client_address);
  // A uint64 is text above what every JSON reader keeps exact.
  constexpr std::uint64_t kExact = (1ULL << 53) - 1;
  if (event.feedback_index)
    data["feedback_index"] = *event.feedback_index <= kExact ? json::Value(*event.feedback_index)
                                                             : text(std::to_string(*event.feedback_index));
  if (event.value) data["value"] = text(to_string(Decimal{*event.value, event.value_decimals.value_or(0)}));
  if (event.value_decimals) data["value_decimals"] = *event.value_decimals;
  if (event.score) data["score"] = *event.score;
  put_text("tag1", event.tag1);
  put_text("tag2", event.tag2);
  put_text("tag1_hash", event.tag1_hash);
  put_text("endpoint", event.endpoint);
  put_text("file_uri", event.file_uri);
  put_text("file_hash", event.file_hash);
  put_text("validator_address", event.validator_address);
  put_text("request_hash", event.request_hash);
  put_text("request_uri", event.request_uri);
  if (event.response) data["response"] = *event.response;
  put_text("response_uri", event.response_uri);
  put_text("response_hash", event.response_hash);
  put_text("tag", event.tag);
  put_text("parse_error", event.parse_error);

  json::Object out;
  out["id"] = text(domain::event_id(event));
  out["chain_id"] = event.chain_id;
  out["block_number"] = event.block_num;
  out["block_hash"] = text(to_hex_0x(event.block_hash));
  out["tx_hash"] = text(to_hex_0x(event.txn_hash));
  out["log_index"] = event.log_index;
  out["contract_address"] = text(to_hex_0x(event.contract));
  out["event_type"] = text(event.event_type);
  out["registry"] = text(to_string(event.registry));
  if (event.agent_id) out["agent_id"] = text(to_string(*event.agent_id));
  out["timestamp"] = to_unix_seconds(event.block_time);
  out["data"] = std::move(data);
  return out;
}

json::Object render_delivery(const store::Delivery& delivery, std::string_view trigger) {
  json::Array attempts;
  for (const auto& attempt : delivery.tries) {
    json::Object row;
    row["n"] = attempt.n;
    row["started_at"] = time(attempt.intended_at);
    row["finished_at"] = time(attempt.finished_at);
    row["outcome"] = text(attempt.outcome);
    row["status"] = number(attempt.status);
    row["duration_us"] = number(attempt.duration_us);
    row["excerpt"] = text(attempt.excerpt);
    row["request_id"] = text(attempt.request_id);
    attempts.push_back(std::move(row));
  }
  json::Object out;
  out["id"] = text(to_hex(delivery.id.view()));
  out["trigger_id"] = text(trigger);
  out["action_id"] = delivery.action_id;
  out["action_type"] = text(delivery.action_type);
  out["kind"] = text(delivery.kind);
  out["state"] = text(delivery.state);
  out["reason"] = text(delivery.reason);
  out["event_id"] = text(delivery.event_id);
  out["chain_id"] = delivery.chain_id;
  out["block_number"] = delivery.block_num;
  out["orphaned"] = delivery.orphaned;
  out["attempt_count"] = delivery.attempts;
  out["next_attempt_at"] = time(delivery.next_at);
  out["created_at"] = time(delivery.created_at);
  out["finished_at"] = time(delivery.finished_at);
  out["explanation"] = stored_json(delivery.explanation);
  out["attempts"] = std::move(attempts);
  return out;
}

json::Object wrap(json::Value data, const std::vector<rules::Warning>& warnings) {
  json::Object out;
  out["data"] = std::move(data);
  if (warnings.empty()) return out;
  json::Array list;
  for (const auto& warning : warnings) {
    json::Object row;
    row["field"] = text(warning.field);
    row["code"] = text(warning.code);
    row["message"] = text(warning.text);
    list.push_back(std::move(row));
  }
  out["warnings"] = std::move(list);
  return out;
}

}   // namespace agentauri::gateway
