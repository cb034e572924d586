#include "gateway/use_cases/organization_context.hpp"

#include "store/organizations.hpp"

namespace agentauri::gateway {

Outcome<std::optional<domain::Role>> role_in(store::Tx& tx, const Caller& caller, domain::OrganizationId organization) {
  if (!caller.principal.key) {
    auto role = store::find_role(tx, organization, caller.principal.account);
    if (!role) return broken(role);
    return *role;
  }
  if (caller.principal.organization != organization) return std::nullopt;
  // The key may be known a moment longer than its organization lives.
  auto exists = store::organization_exists(tx, organization);
  if (!exists) return broken(exists);
  return *exists ? std::optional(caller.principal.role) : std::nullopt;
}

Outcome<OrganizationContext> resolve_organization(store::Tx& tx, const Caller& caller) {
  auto id = caller.principal.organization;
  if (caller.organization_header) id = domain::OrganizationId::parse(*caller.organization_header);
  if (!id && !caller.organization_header)
    return refuse(400, "missing_organization", "X-Organization-ID header is required");
  if (!id) return forbidden("Not a member of the specified organization");
  auto role = role_in(tx, caller, *id);
  if (!role) return pass(role);
  if (!*role) return forbidden("Not a member of the specified organization");
  return OrganizationContext{*id, **role};
}

Outcome<OrganizationContext> require_role(store::Tx& tx, const Caller& caller, domain::Role least,
                                          std::string_view denial) {
  auto context = resolve_organization(tx, caller);
  if (context && context->role < least) return forbidden(std::string(denial));
  return context;
}

Outcome<OrganizationContext> find_organization_of_path(store::Tx& tx, const Caller& caller, std::string_view id) {
  const auto parsed = domain::OrganizationId::parse(id);
  if (!parsed) return not_found("Organization not found");
  auto role = role_in(tx, caller, *parsed);
  if (!role) return pass(role);
  if (!*role) return not_found("Organization not found");
  return OrganizationContext{*parsed, **role};
}

}   // namespace agentauri::gateway
