// Organizations and their members beyond what accounts.hpp needs, the same on SQLite and PostgreSQL. Every change of an
// organization or of its members begins with lock_organization(), so that changes of one organization follow each other
// and what is read after it is what the one before left.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/accounts.hpp"
#include "store/database.hpp"

namespace agentauri::store {

Result<std::optional<Organization>> find_organization(Tx& tx, domain::OrganizationId id);
Result<bool> organization_exists(Tx& tx, domain::OrganizationId id);
Result<std::optional<Organization>> lock_organization(Tx& tx, domain::OrganizationId id);

struct OrganizationOfMember {
  Organization organization;
  domain::Role role = domain::Role::viewer;
};
struct OrganizationPage {
  std::vector<OrganizationOfMember> rows;
  std::int64_t total = 0;   // counted to kMaxCounted (counting.hpp)
};
// Those that the account is a member of, newest first.
Result<OrganizationPage> list_organizations(Tx& tx, domain::AccountId account, std::int64_t limit, std::int64_t offset);

// Name, description, updated_at.
Result<void> update_organization(Tx& tx, const Organization& organization);
// The old owner stays as admin. Code::conflict when the new one owns an organization with that slug already.
Result<void> transfer_organization(Tx& tx, const Organization& organization, domain::AccountId new_owner, Time now);
// With its members, keys and triggers. Its unsent jobs are cancelled, the engine hears of the triggers, and the keys
// are appended to `revocations`; returns those.
Result<std::vector<domain::ApiKeyId>> delete_organization(Tx& tx, domain::OrganizationId id, Time now);

struct Member {
  domain::MembershipId id;
  domain::AccountId account_id;
  std::string username, email;
  domain::Role role = domain::Role::viewer;
  Time created_at;
};
struct MemberPage {
  std::vector<Member> rows;
  std::int64_t total = 0;   // counted to kMaxCounted (counting.hpp)
};
Result<std::optional<Member>> find_member(Tx& tx, domain::OrganizationId organization, domain::AccountId account);
// Oldest membership first.
Result<MemberPage> list_members(Tx& tx, domain::OrganizationId organization, std::int64_t limit, std::int64_t offset);
// Code::conflict when the account is a member already.
Result<void> insert_member(Tx& tx, domain::OrganizationId organization, const Member& member,
                           domain::AccountId invited_by);
Result<void> set_member_role(Tx& tx, domain::OrganizationId organization, domain::AccountId account, domain::Role role);
Result<void> delete_member(Tx& tx, domain::OrganizationId organization, domain::AccountId account);

}   // namespace agentauri::store
