#include "gateway/api/render_access.hpp"

#include <algorithm>

#include "gateway/api/render_parts.hpp"
#include "store/counting.hpp"

namespace agentauri::gateway {

using namespace render_parts;

namespace {

json::Array render_permissions(const std::vector<std::string>& permissions) {
  json::Array out;
  for (const auto& permission : permissions) out.push_back(text(permission));
  return out;
}

}   // namespace

json::Object render_organization(const store::Organization& organization, std::optional<domain::Role> my_role) {
  json::Object out;
  out["id"] = text(to_string(organization.id));
  out["name"] = text(organization.name);
  out["slug"] = text(organization.slug);
  out["description"] = text(organization.description);
  out["owner_id"] = text(to_string(organization.owner_id));
  out["plan"] = text(organization.plan);
  out["is_personal"] = organization.is_personal;
  out["created_at"] = time(organization.created_at);
  out["updated_at"] = time(organization.updated_at);
  if (my_role) out["my_role"] = text(to_string(*my_role));
  return out;
}

json::Object render_member(const store::Member& member) {
  json::Object out;
  out["id"] = text(to_string(member.id));
  out["user_id"] = text(to_string(member.account_id));
  out["username"] = text(member.username);
  out["email"] = text(member.email);
  out["role"] = text(to_string(member.role));
  out["created_at"] = time(member.created_at);
  return out;
}

json::Object render_api_key(const store::ApiKey& key) {
  json::Object out;
  out["id"] = text(to_string(key.id));
  out["name"] = text(key.name);
  out["prefix"] = text(key.prefix);
  out["environment"] = text(key.environment);
  out["key_type"] = text(key.key_type);
  out["permissions"] = render_permissions(key.permissions);
  out["rate_limit_override"] = number(key.rate_limit_override);
  out["last_used_at"] = time(key.last_used_at);
  out["expires_at"] = time(key.expires_at);
  out["created_at"] = time(key.created_at);
  out["created_by"] = text(to_string(key.created_by));
  out["is_revoked"] = key.revoked_at.has_value();
  out["revoked_at"] = time(key.revoked_at);
  return out;
}

json::Object render_made_api_key(const MadeApiKey& made) {
  json::Object out;
  out["id"] = text(to_string(made.key.id));
  out["key"] = text(made.text);
  out["name"] = text(made.key.name);
  out["prefix"] = text(made.key.prefix);
  out["environment"] = text(made.key.environment);
  out["key_type"] = text(made.key.key_type);
  out["permissions"] = render_permissions(made.key.permissions);
  out["created_at"] = time(made.key.created_at);
  out["expires_at"] = time(made.key.expires_at);
  return out;
}

json::Object render_rotated_api_key(const RotatedApiKey& rotated) {
  json::Object out;
  out["id"] = text(to_string(rotated.made.key.id));
  out["key"] = text(rotated.made.text);
  out["prefix"] = text(rotated.made.key.prefix);
  out["old_key_id"] = text(to_string(rotated.old));
  out["old_key_revoked_at"] = time(rotated.made.key.created_at);   // one moment
  return out;
}

json::Object render_api_key_page(const store::ApiKeyPage& page, const PageBounds& bounds) {
  json::Array items;
  for (const auto& key : page.rows) items.push_back(render_api_key(key));
  const std::int64_t total = std::min(page.total, store::kMaxTotal);
  json::Object out;
  out["items"] = std::move(items);
  out["total"] = total;
  out["page"] = bounds.offset / bounds.limit + 1;
  out["page_size"] = bounds.limit;
  if (page.total > store::kMaxTotal) out["total_capped"] = true;
  out["total_pages"] = (total + bounds.limit - 1) / bounds.limit;
  return out;
}

json::Object render_api_key_stats(const store::ApiKeyStats& stats) {
  json::Object by_environment, by_type;
  by_environment["live"] = stats.live;
  by_environment["test"] = stats.test;
  by_type["standard"] = stats.standard;
  by_type["restricted"] = stats.restricted;
  by_type["admin"] = stats.admin;
  json::Object out;
  out["total_keys"] = stats.total;
  out["active_keys"] = stats.active;
  out["expired_keys"] = stats.expired;
  out["revoked_keys"] = stats.revoked;
  out["unused_keys"] = stats.unused;
  out["keys_expiring_soon"] = stats.expiring_soon;
  out["api_calls_total"] = stats.calls_total;
  out["calls_24h"] = stats.calls_24h;
  out["failed_auth_24h"] = stats.failed_24h;
  out["rate_limited_24h"] = stats.rate_limited_24h;
  out["keys_by_environment"] = std::move(by_environment);
  out["keys_by_type"] = std::move(by_type);
  return out;
}

}   // namespace agentauri::gateway
