// Organizations: who may do what with them. Plain functions over a transaction; roles are read inside it, so that a
// change of membership counts at once.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/refusal.hpp"
#include "gateway/use_cases/organization_context.hpp"
#include "gateway/use_cases/triggers.hpp"
#include "store/organizations.hpp"

namespace agentauri::gateway {

// An organization that nobody else changes until the transaction ends, and the caller's role in it.
struct HeldOrganization {
  store::Organization organization;
  domain::Role role = domain::Role::viewer;
};
// 404 "Organization not found" for one that is not the caller's.
Outcome<HeldOrganization> hold_organization(store::Tx& tx, const Caller& caller, std::string_view id);

struct NewOrganization {
  std::string name, slug;
  std::optional<std::string> description;
};
struct OrganizationDraft {
  std::optional<std::string> name, description;   // absent: stays
};

Outcome<store::Organization> create_organization(store::Tx& tx, const Caller& caller, const NewOrganization& wanted);
// Of a key: its own alone.
Outcome<store::OrganizationPage> list_organizations(store::Tx& tx, const Caller& caller, const PageBounds& page);
Outcome<store::OrganizationOfMember> find_organization(store::Tx& tx, const Caller& caller, std::string_view id);
Outcome<store::Organization> update_organization(store::Tx& tx, const Caller& caller, std::string_view id,
                                                 const OrganizationDraft& draft);
// Returns the keys that ended with it.
Outcome<std::vector<domain::ApiKeyId>> delete_organization(store::Tx& tx, const Caller& caller, std::string_view id);
Outcome<store::Organization> transfer_organization(store::Tx& tx, const Caller& caller, std::string_view id,
                                                   const std::string& new_owner);

}   // namespace agentauri::gateway
