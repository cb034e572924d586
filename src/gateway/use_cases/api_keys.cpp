#include "gateway/use_cases/api_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/json/json.hpp"
#include "gateway/auth/api_key.hpp"
#include "gateway/use_cases/organizations.hpp"

namespace agentauri::gateway {
namespace {

using domain::ApiKeyId;
using domain::Role;
using store::ApiKey;
using store::Tx;

constexpr std::size_t kMaxName = 255, kMaxReason = 1000;
constexpr std::array<std::string_view, 3> kKeyTypes{"standard", "restricted", "admin"};

Validation check(const NewApiKey& wanted) {
  Validation validation;
  validation.length("name", wanted.name, 1, kMaxName);
  if (!parse_key_environment(wanted.environment))
    validation.add("environment", "environment", "Environment must be one of: live, test");
  if (std::find(kKeyTypes.begin(), kKeyTypes.end(), wanted.key_type) == kKeyTypes.end())
    validation.add("key_type", "key_type", "Key type must be one of: standard, restricted, admin");
  if (wanted.permissions.empty()) validation.add("permissions", "permissions", "At least one permission is required");
  if (wanted.permissions.size() > kMaxPermissions)
    validation.add("permissions", "length", fmt::format("At most {} permissions can be named", kMaxPermissions));
  else
    for (const auto& name : wanted.permissions) {
      if (!domain::parse_permission(name))
        validation.add("permissions", "permission",
                       fmt::format("Invalid permission '{}'. Must be one of: read, write, delete, admin", name));
    }
  if (wanted.rate_limit_override)
    validation.range("rate_limit_override", *wanted.rate_limit_override, 1, kMaxRateLimitOverride);
  return validation;
}

Outcome<void> check(const ApiKeyDraft& draft) {
  Validation validation;
  if (draft.name) validation.length("name", *draft.name, 1, kMaxName);
  if (!validation.ok()) return std::unexpected(validation.refusal());
  return {};
}

json::Value or_null(const std::optional<std::string>& text) {
  return text ? json::Value(json::String(*text)) : json::Value();
}

// In the transaction of the change itself, so that neither is there without the other.
Outcome<void> write_audit(Tx& tx, const Caller& caller, const ApiKey& key, std::string event, json::Object details) {
  auto written =
      store::insert_api_key_audit(tx, {{key.id, key.organization_id, std::move(event), caller.origin,
                                        caller.principal.account, json::dump(std::move(details)), caller.now}});
  if (!written) return broken(written);
  return {};
}

Outcome<MadeApiKey> insert(Tx& tx, ApiKey key) {
  std::string text = make_api_key(*parse_key_environment(key.environment));
  key.prefix = text.substr(0, kApiKeyPrefixSize);
  auto inserted = store::insert_api_key(tx, key, hash_of_api_key(text));
  if (!inserted && inserted.error().code == Code::conflict && inserted.error().field.contains("hash")) {
    auto out = refuse(500, "internal_error", "Key generation failed, please retry");
    out.error().cause = inserted.error();
    return out;
  }
  if (!inserted) return broken(inserted);
  return MadeApiKey{std::move(key), std::move(text)};
}

struct HeldKey {
  ApiKey key;
  Role role = Role::viewer;
};
// The key that nobody else changes until the transaction ends, in the order of checks of http-api.md 1.8: whether it
// exists, whether it is revoked (`is_revoked` is said then), whether it is the caller's. The organization is held
// before the key, as whoever deletes an organization does.
Outcome<HeldKey> hold_key(Tx& tx, const Caller& caller, std::string_view id, std::string_view is_revoked) {
  const auto parsed = ApiKeyId::parse(id);
  if (!parsed) return not_found("API key not found");
  auto seen = store::find_api_key(tx, *parsed);
  if (!seen) return broken(seen);
  if (!*seen) return not_found("API key not found");
  if ((*seen)->revoked_at) return bad_request(std::string(is_revoked));
  auto organization = store::lock_organization(tx, (*seen)->organization_id);
  if (!organization) return broken(organization);
  auto role = role_in(tx, caller, (*seen)->organization_id);
  if (!role) return pass(role);
  if (!*role) return not_found("API key not found");
  auto held = store::lock_api_key(tx, *parsed);
  if (!held) return broken(held);
  if (!*held) return not_found("API key not found");
  if ((*held)->revoked_at) return bad_request(std::string(is_revoked));
  return HeldKey{std::move(**held), **role};
}

Outcome<OrganizationContext> find_organization(Tx& tx, const Caller& caller,
                                               const std::optional<std::string>& organization) {
  if (!organization) return bad_request("organization_id query parameter is required");
  return find_organization_of_path(tx, caller, *organization);
}

}   // namespace

Outcome<MadeApiKey> create_api_key(Tx& tx, const Caller& caller, const std::optional<std::string>& organization,
                                   const NewApiKey& wanted) {
  if (const auto validation = check(wanted); !validation.ok()) return std::unexpected(validation.refusal());
  if (!organization) return bad_request("organization_id query parameter is required");
  auto held = hold_organization(tx, caller, *organization);
  if (!held) return pass(held);
  if (held->role < Role::admin) return forbidden("Insufficient permissions to create API keys");
  auto living = store::count_live_api_keys(tx, held->organization.id, kMaxApiKeysPerOrganization);
  if (!living) return broken(living);
  if (*living >= kMaxApiKeysPerOrganization)
    return bad_request(fmt::format("An organization has at most {} API keys", kMaxApiKeysPerOrganization));

  ApiKey key;
  key.id = ApiKeyId::make(caller.now);
  key.organization_id = held->organization.id;
  key.name = wanted.name;
  key.environment = wanted.environment;
  key.key_type = wanted.key_type;
  key.permissions = wanted.permissions;
  key.rate_limit_override = wanted.rate_limit_override;
  key.expires_at = wanted.expires_at;
  key.created_at = caller.now;
  key.created_by = caller.principal.account;
  auto made = insert(tx, std::move(key));
  if (!made) return made;
  json::Object details;
  details["name"] = json::String(wanted.name);
  details["environment"] = json::String(wanted.environment);
  details["key_type"] = json::String(wanted.key_type);
  if (auto noted = write_audit(tx, caller, made->key, "created", std::move(details)); !noted) return pass(noted);
  return made;
}

Outcome<store::ApiKeyPage> list_api_keys(Tx& tx, const Caller& caller, const std::optional<std::string>& organization,
                                         bool include_revoked, const PageBounds& page) {
  if (auto checked = check_page(page); !checked) return pass(checked);
  auto context = find_organization(tx, caller, organization);
  if (!context) return pass(context);
  auto rows = store::list_api_keys(tx, context->id, include_revoked, page.limit, page.offset);
  if (!rows) return broken(rows);
  return std::move(*rows);
}

Outcome<store::ApiKeyStats> read_api_key_stats(Tx& tx, const Caller& caller, std::string_view organization) {
  auto context = find_organization_of_path(tx, caller, organization);
  if (!context) return pass(context);
  auto stats = store::read_api_key_stats(tx, context->id, caller.now);
  if (!stats) return broken(stats);
  return *stats;
}

Outcome<ApiKey> find_api_key(Tx& tx, const Caller& caller, std::string_view id) {
  const auto parsed = ApiKeyId::parse(id);
  if (!parsed) return not_found("API key not found");
  auto found = store::find_api_key(tx, *parsed);
  if (!found) return broken(found);
  if (!*found) return not_found("API key not found");
  auto role = role_in(tx, caller, (*found)->organization_id);
  if (!role) return pass(role);
  if (!*role) return not_found("API key not found");
  return std::move(**found);
}

Outcome<ApiKey> update_api_key(Tx& tx, const Caller& caller, std::string_view id, const ApiKeyDraft& draft) {
  auto held = hold_key(tx, caller, id, "Cannot update a revoked API key");
  if (!held) return pass(held);
  if (held->role < Role::admin) return forbidden("Insufficient permissions to update API keys");
  if (auto checked = check(draft); !checked) return pass(checked);
  auto& key = held->key;
  if (draft.name) key.name = *draft.name;
  if (draft.expires_at) key.expires_at = draft.expires_at;
  if (auto updated = store::update_api_key(tx, key, caller.now); !updated) return broken(updated);
  json::Object details;
  details["name"] = or_null(draft.name);
  details["expires_at"] = draft.expires_at ? json::Value(json::String(to_rfc3339(*draft.expires_at))) : json::Value();
  if (auto noted = write_audit(tx, caller, key, "updated", std::move(details)); !noted) return pass(noted);
  return std::move(key);
}

Outcome<ApiKey> revoke_api_key(Tx& tx, const Caller& caller, std::string_view id,
                               const std::optional<std::string>& reason) {
  auto held = hold_key(tx, caller, id, "API key is already revoked");
  if (!held) return pass(held);
  // The one change of keys that a key with `delete` may make.
  const bool may = held->role >= Role::admin ||
                   (caller.principal.key && caller.principal.permissions.allows(domain::Permission::remove));
  if (!may) return forbidden("Insufficient permissions to revoke API keys");
  Validation validation;
  if (reason) validation.length("reason", *reason, 0, kMaxReason);
  if (!validation.ok()) return std::unexpected(validation.refusal());
  auto& key = held->key;
  if (auto revoked = store::revoke_api_key(tx, key.id, reason, caller.now); !revoked) return broken(revoked);
  key.revoked_at = caller.now;
  json::Object details;
  details["reason"] = or_null(reason);
  if (auto noted = write_audit(tx, caller, key, "revoked", std::move(details)); !noted) return pass(noted);
  return std::move(key);
}

Outcome<RotatedApiKey> rotate_api_key(Tx& tx, const Caller& caller, std::string_view id, const ApiKeyDraft& draft) {
  if (auto checked = check(draft); !checked) return pass(checked);
  auto held = hold_key(tx, caller, id, "Cannot rotate a revoked API key");
  if (!held) return pass(held);
  if (held->role < Role::admin) return forbidden("Insufficient permissions to rotate API keys");
  const ApiKeyId old = held->key.id;
  if (auto revoked = store::revoke_api_key(tx, old, "rotated", caller.now); !revoked) return broken(revoked);

  ApiKey key = std::move(held->key);
  key.id = ApiKeyId::make(caller.now);
  if (draft.name) key.name = *draft.name;
  if (draft.expires_at) key.expires_at = draft.expires_at;
  key.created_at = caller.now;
  key.created_by = caller.principal.account;
  key.last_used_at.reset();
  auto made = insert(tx, std::move(key));
  if (!made) return pass(made);
  json::Object details;
  details["old_key_id"] = json::String(to_string(old));
  details["new_key_id"] = json::String(to_string(made->key.id));
  if (auto noted = write_audit(tx, caller, made->key, "rotated", std::move(details)); !noted) return pass(noted);
  return RotatedApiKey{std::move(*made), old};
}

}   // namespace agentauri::gateway
