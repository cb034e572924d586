#include "gateway/use_cases/members.hpp"

#include "gateway/use_cases/organizations.hpp"

namespace agentauri::gateway {
namespace {

using domain::AccountId;
using domain::Role;
using store::Tx;

std::optional<Role> read_role(const std::string& text, Validation& validation) {
  const auto role = domain::parse_role(text);
  if (!role) validation.add("role", "role", "Role must be one of: owner, admin, member, viewer");
  return role;
}

std::string_view first_character(std::string_view utf8) {
  std::size_t size = 1;
  while (size < utf8.size() && (static_cast<unsigned char>(utf8[size]) & 0xC0) == 0x80) ++size;
  return utf8.substr(0, size);
}

// First character and three stars, or `alone` when there is no more than one byte.
std::string mask_part(std::string_view text, std::string_view alone) {
  return text.size() <= 1 ? std::string(alone) : std::string(first_character(text)) + "***";
}

Outcome<store::Member> find_member(Tx& tx, domain::OrganizationId organization, std::string_view account) {
  const auto id = AccountId::parse(account);
  if (!id) return not_found("Member not found");
  auto found = store::find_member(tx, organization, *id);
  if (!found) return broken(found);
  if (!*found) return not_found("Member not found");
  return std::move(**found);
}

bool is_self(const Caller& caller, AccountId account) {
  return !caller.principal.key && caller.principal.account == account;
}

}   // namespace

std::string mask_email(std::string_view email) {
  const std::size_t at = email.find('@');
  if (at == std::string_view::npos) return "***@***";
  const std::string local = mask_part(email.substr(0, at), "*");
  const std::string_view domain = email.substr(at + 1);
  const std::size_t dot = domain.rfind('.');
  if (dot == std::string_view::npos) return local + "@***";
  return local + "@" + mask_part(domain.substr(0, dot), "***") + "." + std::string(domain.substr(dot + 1));
}

Outcome<store::Member> add_member(Tx& tx, const Caller& caller, std::string_view organization,
                                  const std::string& account, const std::string& role_text) {
  Validation validation;
  if (account.empty()) validation.length("user_id", account, 1, SIZE_MAX);
  const auto role = read_role(role_text, validation);
  if (!validation.ok()) return std::unexpected(validation.refusal());
  if (*role == Role::owner) return bad_request("Cannot add a member as owner");
  auto held = hold_organization(tx, caller, organization);
  if (!held) return pass(held);
  if (held->role < Role::admin) return forbidden("Insufficient permissions to add members");
  const auto id = AccountId::parse(account);
  if (!id) return not_found("User not found");
  auto user = store::find_account(tx, *id);
  if (!user) return broken(user);
  if (!*user) return not_found("User not found");
  auto existing = store::find_role(tx, held->organization.id, *id);
  if (!existing) return broken(existing);
  // The organization is held: nobody adds the same user at this moment.
  if (*existing) return refuse(409, "conflict", "User is already a member of this organization");
  store::Member member{
      domain::MembershipId::make(caller.now), *id, (*user)->username, (*user)->email, *role, caller.now};
  auto added = store::insert_member(tx, held->organization.id, member, caller.principal.account);
  if (!added) return broken(added);
  return member;
}

Outcome<store::MemberPage> list_members(Tx& tx, const Caller& caller, std::string_view organization,
                                        const PageBounds& page) {
  if (auto checked = check_page(page); !checked) return pass(checked);
  auto context = find_organization_of_path(tx, caller, organization);
  if (!context) return pass(context);
  auto rows = store::list_members(tx, context->id, page.limit + 1, page.offset);
  if (!rows) return broken(rows);
  for (auto& member : rows->rows) {
    if (context->role < Role::admin && !is_self(caller, member.account_id)) member.email = mask_email(member.email);
  }
  return std::move(*rows);
}

Outcome<store::Member> update_member(Tx& tx, const Caller& caller, std::string_view organization,
                                     std::string_view account, const std::string& role_text) {
  Validation validation;
  const auto role = read_role(role_text, validation);
  if (!validation.ok()) return std::unexpected(validation.refusal());
  if (*role == Role::owner) return bad_request("Cannot change role to owner");
  auto held = hold_organization(tx, caller, organization);
  if (!held) return pass(held);
  if (held->role < Role::owner) return forbidden("Only the owner can update member roles");
  auto member = find_member(tx, held->organization.id, account);
  if (!member) return member;
  if (member->role == Role::owner) return bad_request("Cannot change the owner's role");
  auto updated = store::set_member_role(tx, held->organization.id, member->account_id, *role);
  if (!updated) return broken(updated);
  member->role = *role;
  return member;
}

Outcome<void> remove_member(Tx& tx, const Caller& caller, std::string_view organization, std::string_view account) {
  auto held = hold_organization(tx, caller, organization);
  if (!held) return pass(held);
  const auto target = AccountId::parse(account);
  if (held->role < Role::admin && !(target && is_self(caller, *target)))
    return forbidden("Insufficient permissions to remove members");
  auto member = find_member(tx, held->organization.id, account);
  if (!member) return pass(member);
  if (member->role == Role::owner) return bad_request("Cannot remove the owner from the organization");
  auto removed = store::delete_member(tx, held->organization.id, member->account_id);
  if (!removed) return broken(removed);
  return {};
}

}   // namespace agentauri::gateway
