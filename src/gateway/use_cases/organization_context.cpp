#include "gateway/use_cases/organization_context.hpp"

namespace agentauri::gateway {

Outcome<OrganizationContext> resolve_organization(store::Tx& tx, const Caller& caller) {
  auto id = caller.principal.organization;
  if (caller.organization_header) id = domain::OrganizationId::parse(*caller.organization_header);
  if (!id && !caller.organization_header)
    return refuse(400, "missing_organization", "X-Organization-ID header is required");
  if (!id) return forbidden("Not a member of the specified organization");
  auto role = store::find_role(tx, *id, caller.principal.account);
  if (!role) return broken(role);
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
  auto role = store::find_role(tx, *parsed, caller.principal.account);
  if (!role) return broken(role);
  if (!*role) return not_found("Organization not found");
  return OrganizationContext{*parsed, **role};
}

}   // namespace agentauri::gateway
