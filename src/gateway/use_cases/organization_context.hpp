// For whom a request acts: the organization of the header, else the personal one, and the caller's role in it.
#pragma once

#include <optional>
#include <string>

#include "core/base/time.hpp"
#include "domain/principal.hpp"
#include "gateway/refusal.hpp"
#include "store/accounts.hpp"
#include "store/api_keys.hpp"

namespace agentauri::gateway {

// What every use-case gets of its request.
struct Caller {
  domain::Principal principal;
  std::optional<std::string> organization_header;   // X-Organization-ID, as sent
  Time now;
  store::RequestOrigin origin;   // for audit rows
};

struct OrganizationContext {
  domain::OrganizationId id;
  domain::Role role = domain::Role::viewer;
};

// The caller's role in an organization, as it is now: of a session the user's membership, of a key its permissions in
// its own organization. nullopt: not a member, or no such organization.
Outcome<std::optional<domain::Role>> role_in(store::Tx& tx, const Caller& caller, domain::OrganizationId organization);

// 403 for an organization that is not the caller's, whether it exists or not; 400 missing_organization when there is
// none.
Outcome<OrganizationContext> resolve_organization(store::Tx& tx, const Caller& caller);
// 403 with `denial` below `least`.
Outcome<OrganizationContext> require_role(store::Tx& tx, const Caller& caller, domain::Role least,
                                          std::string_view denial);
// Of an organization named in the path: 404 "Organization not found" for one that is not the caller's.
Outcome<OrganizationContext> find_organization_of_path(store::Tx& tx, const Caller& caller, std::string_view id);

}   // namespace agentauri::gateway
