#include "gateway/use_cases/organizations.hpp"

#include <algorithm>

namespace agentauri::gateway {
namespace {

using domain::AccountId;
using domain::Role;
using store::Tx;

constexpr std::size_t kMaxName = 255, kMaxSlug = 100, kMaxDescription = 1000;

bool is_slug(std::string_view text) {
  const auto is_alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && is_alnum(text.front()) && is_alnum(text.back()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return is_alnum(c) || c == '-'; });
}

std::unexpected<Refusal> slug_exists(std::string text) {
  return refuse(400, "slug_exists", std::move(text));
}

// Two at once: the unique index decides.
std::unexpected<Refusal> slug_refused(Result<void>& written, std::string text) {
  if (written.error().code != Code::conflict || !written.error().field.contains("slug")) return broken(written);
  auto out = slug_exists(std::move(text));
  out.error().cause = written.error();
  return out;
}

}   // namespace

Outcome<HeldOrganization> hold_organization(Tx& tx, const Caller& caller, std::string_view id) {
  const auto parsed = domain::OrganizationId::parse(id);
  if (!parsed) return not_found("Organization not found");
  auto held = store::lock_organization(tx, *parsed);
  if (!held) return broken(held);
  if (!*held) return not_found("Organization not found");
  auto role = role_in(tx, caller, *parsed);
  if (!role) return pass(role);
  if (!*role) return not_found("Organization not found");
  return HeldOrganization{std::move(**held), **role};
}

Outcome<store::Organization> create_organization(Tx& tx, const Caller& caller, const NewOrganization& wanted) {
  Validation validation;
  validation.length("name", wanted.name, 1, kMaxName);
  validation.length("slug", wanted.slug, 1, kMaxSlug);
  if (!is_slug(wanted.slug)) validation.add("slug", "slug", "Slug must be lowercase alphanumeric with hyphens");
  if (wanted.description) validation.length("description", *wanted.description, 0, kMaxDescription);
  if (!validation.ok()) return std::unexpected(validation.refusal());

  store::Organization out;
  out.id = domain::OrganizationId::make(caller.now);
  out.name = wanted.name;
  out.slug = wanted.slug;
  out.description = wanted.description;
  out.owner_id = caller.principal.account;
  out.created_at = out.updated_at = caller.now;
  auto made = store::insert_organization(tx, out, domain::MembershipId::make(caller.now));
  if (!made)
    return slug_refused(made, "You already have an organization with this slug. Please choose a different one.");
  return out;
}

Outcome<store::OrganizationPage> list_organizations(Tx& tx, const Caller& caller, const PageBounds& page) {
  if (auto checked = check_page(page); !checked) return pass(checked);
  if (!caller.principal.key) {
    auto rows = store::list_organizations(tx, caller.principal.account, page.limit + 1, page.offset);
    if (!rows) return broken(rows);
    return std::move(*rows);
  }
  auto own = store::find_organization(tx, *caller.principal.organization);
  if (!own) return broken(own);
  store::OrganizationPage out;
  out.total = *own ? 1 : 0;
  if (*own && page.offset == 0) out.rows.push_back({std::move(**own), caller.principal.role});
  return out;
}

Outcome<store::OrganizationOfMember> find_organization(Tx& tx, const Caller& caller, std::string_view id) {
  auto context = find_organization_of_path(tx, caller, id);
  if (!context) return pass(context);
  auto found = store::find_organization(tx, context->id);
  if (!found) return broken(found);
  if (!*found) return not_found("Organization not found");
  return store::OrganizationOfMember{std::move(**found), context->role};
}

Outcome<store::Organization> update_organization(Tx& tx, const Caller& caller, std::string_view id,
                                                 const OrganizationDraft& draft) {
  Validation validation;
  if (draft.name) validation.length("name", *draft.name, 1, kMaxName);
  if (draft.description) validation.length("description", *draft.description, 0, kMaxDescription);
  if (!validation.ok()) return std::unexpected(validation.refusal());
  auto held = hold_organization(tx, caller, id);
  if (!held) return pass(held);
  if (held->role < Role::admin) return forbidden("Insufficient permissions to update organization");
  auto& organization = held->organization;
  if (draft.name) organization.name = *draft.name;
  if (draft.description) organization.description = draft.description;
  organization.updated_at = caller.now;
  if (auto updated = store::update_organization(tx, organization); !updated) return broken(updated);
  return std::move(organization);
}

Outcome<std::vector<domain::ApiKeyId>> delete_organization(Tx& tx, const Caller& caller, std::string_view id) {
  auto held = hold_organization(tx, caller, id);
  if (!held) return pass(held);
  if (held->role < Role::owner) return forbidden("Only the owner can delete an organization");
  if (held->organization.is_personal) return bad_request("Personal organizations cannot be deleted");
  auto keys = store::delete_organization(tx, held->organization.id, caller.now);
  if (!keys) return broken(keys);
  return std::move(*keys);
}

Outcome<store::Organization> transfer_organization(Tx& tx, const Caller& caller, std::string_view id,
                                                   const std::string& new_owner) {
  Validation validation;
  if (new_owner.empty()) validation.length("new_owner_id", new_owner, 1, SIZE_MAX);
  if (!validation.ok()) return std::unexpected(validation.refusal());
  const auto target = AccountId::parse(new_owner);
  // A key is nobody: it is told below that only the owner can.
  if (!caller.principal.key && target == caller.principal.account)
    return bad_request("Cannot transfer ownership to yourself");
  auto held = hold_organization(tx, caller, id);
  if (!held) return pass(held);
  if (held->role < Role::owner) return forbidden("Only the owner can transfer ownership");
  auto& organization = held->organization;
  if (!target) return bad_request("New owner must be a member of the organization");
  auto role = store::find_role(tx, organization.id, *target);
  if (!role) return broken(role);
  if (!*role) return bad_request("New owner must be a member of the organization");
  if (organization.is_personal) return bad_request("Personal organizations cannot be transferred");
  auto moved = store::transfer_organization(tx, organization, *target, caller.now);
  if (!moved) return slug_refused(moved, "The new owner already has an organization with this slug");
  organization.owner_id = *target;
  organization.updated_at = caller.now;
  return std::move(organization);
}

}   // namespace agentauri::gateway
