#include "store/organizations.hpp"

#include "store/api_keys.hpp"
#include "store/counting.hpp"
#include "store/triggers.hpp"

namespace agentauri::store {
namespace {

using domain::AccountId;
using domain::OrganizationId;
using domain::Role;

#define ORGANIZATION_COLUMNS \
  "o.id, o.name, o.slug, o.description, o.owner_id, o.plan, o.is_personal, o.created_at, o.updated_at "
const Query kFind{"organization_find", "SELECT " ORGANIZATION_COLUMNS "FROM organizations o WHERE o.id = :id"};
const Query kExists{"organization_exists", "SELECT 1 FROM organizations WHERE id = :id"};
// SQLite has one writer, so its transaction is the lock.
const Query kLock{"organization_lock", "SELECT " ORGANIZATION_COLUMNS "FROM organizations o WHERE o.id = :id",
                  "SELECT " ORGANIZATION_COLUMNS "FROM organizations o WHERE o.id = :id FOR UPDATE"};
const Query kList{"organization_list", "SELECT " ORGANIZATION_COLUMNS
                                       ", m.role FROM members m JOIN organizations o ON o.id = m.organization_id "
                                       "WHERE m.account_id = :account ORDER BY o.created_at DESC, o.id DESC "
                                       "LIMIT :limit OFFSET :offset"};
#undef ORGANIZATION_COLUMNS
const Query kCount{"organization_count",
                   "SELECT count(*) FROM (SELECT 1 FROM members WHERE account_id = :account LIMIT :limit) AS counted"};
const Query kUpdate{
    "organization_update",
    "UPDATE organizations SET name = :name, description = :description, updated_at = :now WHERE id = :id"};
const Query kSetOwner{"organization_set_owner",
                      "UPDATE organizations SET owner_id = :owner, updated_at = :now WHERE id = :id"};
const Query kDelete{"organization_delete", "DELETE FROM organizations WHERE id = :id"};
const Query kDeletePace{"organization_delete_pace", "DELETE FROM organization_pace WHERE organization_id = :id"};
// Locked in one order, so that two who lock several never wait for each other.
const Query kTriggers{"organization_triggers", "SELECT id FROM triggers WHERE organization_id = :id ORDER BY id",
                      "SELECT id FROM triggers WHERE organization_id = :id ORDER BY id FOR UPDATE"};

#define MEMBER_SELECT                                                     \
  "SELECT m.id, m.account_id, a.username, a.email, m.role, m.created_at " \
  "FROM members m JOIN accounts a ON a.id = m.account_id "
const Query kFindMember{"member_find",
                        MEMBER_SELECT "WHERE m.organization_id = :organization AND m.account_id = :account"};
const Query kListMembers{"member_list_of_organization", MEMBER_SELECT
                         "WHERE m.organization_id = :organization ORDER BY m.created_at, m.id "
                         "LIMIT :limit OFFSET :offset"};
#undef MEMBER_SELECT
const Query kCountMembers{
    "member_count",
    "SELECT count(*) FROM (SELECT 1 FROM members WHERE organization_id = :organization LIMIT :limit) AS counted"};
const Query kInsertMember{"member_invite",
                          "INSERT INTO members (id, organization_id, account_id, role, invited_by, created_at) "
                          "VALUES (:id, :organization, :account, :role, :invited_by, :created_at)"};
const Query kSetRole{"member_set_role",
                     "UPDATE members SET role = :role WHERE organization_id = :organization AND account_id = :account"};
const Query kDeleteMember{"member_delete",
                          "DELETE FROM members WHERE organization_id = :organization AND account_id = :account"};

Organization read_organization(const Rows& rows, std::size_t i) {
  Organization out;
  out.id = rows.id<OrganizationId>(i, 0);
  out.name = rows.text(i, 1);
  out.slug = rows.text(i, 2);
  out.description = rows.text_or_null(i, 3);
  out.owner_id = rows.id<AccountId>(i, 4);
  out.plan = rows.text(i, 5);
  out.is_personal = rows.boolean(i, 6);
  out.created_at = rows.time(i, 7);
  out.updated_at = rows.time(i, 8);
  return out;
}

Result<Role> read_role(const Rows& rows, std::size_t i, std::size_t column) {
  const auto role = domain::parse_role(rows.text(i, column));
  if (!role) return fail(Code::corrupt, "members.role", "is not a role");
  return *role;
}

Result<Member> read_member(const Rows& rows, std::size_t i) {
  auto role = read_role(rows, i, 4);
  if (!role) return fail(role);
  return Member{rows.id<domain::MembershipId>(i, 0),
                rows.id<AccountId>(i, 1),
                rows.text(i, 2),
                rows.text(i, 3),
                *role,
                rows.time(i, 5)};
}

Result<std::optional<Organization>> find_with(Tx& tx, const Query& query, OrganizationId id) {
  auto rows = tx.run(query, Params().id("id", id));
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  return read_organization(*rows, 0);
}

Result<std::int64_t> count(Tx& tx, const Query& query, Params params) {
  auto rows = tx.run(query, params.i64("limit", kMaxCounted));
  if (!rows) return fail(rows);
  return rows->i64(0, 0);
}

Result<void> run_void(Tx& tx, const Query& query, const Params& params) {
  auto done = tx.run(query, params);
  if (!done) return fail(done);
  return {};
}

}   // namespace

Result<std::optional<Organization>> find_organization(Tx& tx, OrganizationId id) {
  return find_with(tx, kFind, id);
}
Result<std::optional<Organization>> lock_organization(Tx& tx, OrganizationId id) {
  return find_with(tx, kLock, id);
}

Result<bool> organization_exists(Tx& tx, OrganizationId id) {
  auto rows = tx.run(kExists, Params().id("id", id));
  if (!rows) return fail(rows);
  return !rows->empty();
}

Result<OrganizationPage> list_organizations(Tx& tx, AccountId account, std::int64_t limit, std::int64_t offset) {
  OrganizationPage page;
  auto total = count(tx, kCount, Params().id("account", account));
  if (!total) return fail(total);
  page.total = *total;
  auto rows = tx.run(kList, Params().id("account", account).i64("limit", limit).i64("offset", offset));
  if (!rows) return fail(rows);
  for (std::size_t i = 0; i < rows->size(); ++i) {
    auto role = read_role(*rows, i, 9);
    if (!role) return fail(role);
    page.rows.push_back({read_organization(*rows, i), *role});
  }
  return page;
}

Result<void> update_organization(Tx& tx, const Organization& organization) {
  return run_void(tx, kUpdate,
                  Params()
                      .id("id", organization.id)
                      .text("name", organization.name)
                      .text("description", organization.description)
                      .time("now", organization.updated_at));
}

Result<void> transfer_organization(Tx& tx, const Organization& organization, AccountId new_owner, Time now) {
  auto moved = run_void(tx, kSetOwner, Params().id("id", organization.id).id("owner", new_owner).time("now", now));
  if (!moved) return moved;
  if (auto demoted = set_member_role(tx, organization.id, organization.owner_id, Role::admin); !demoted) return demoted;
  return set_member_role(tx, organization.id, new_owner, Role::owner);
}

Result<std::vector<domain::ApiKeyId>> delete_organization(Tx& tx, OrganizationId id, Time now) {
  auto triggers = tx.run(kTriggers, Params().id("id", id));
  if (!triggers) return fail(triggers);
  for (std::size_t i = 0; i < triggers->size(); ++i) {
    auto trigger = find_trigger(tx, id, triggers->id<domain::TriggerId>(i, 0));
    if (!trigger) return fail(trigger);
    if (!*trigger) continue;
    if (auto deleted = delete_trigger(tx, **trigger, now); !deleted) return fail(deleted);
  }
  auto keys = revoke_api_keys_of(tx, id, "organization deleted", now);
  if (!keys) return fail(keys);
  if (auto deleted = run_void(tx, kDeletePace, Params().id("id", id)); !deleted) return fail(deleted);
  if (auto deleted = run_void(tx, kDelete, Params().id("id", id)); !deleted) return fail(deleted);
  return keys;
}

Result<std::optional<Member>> find_member(Tx& tx, OrganizationId organization, AccountId account) {
  auto rows = tx.run(kFindMember, Params().id("organization", organization).id("account", account));
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  auto member = read_member(*rows, 0);
  if (!member) return fail(member);
  return std::move(*member);
}

Result<MemberPage> list_members(Tx& tx, OrganizationId organization, std::int64_t limit, std::int64_t offset) {
  MemberPage page;
  auto total = count(tx, kCountMembers, Params().id("organization", organization));
  if (!total) return fail(total);
  page.total = *total;
  auto rows = tx.run(kListMembers, Params().id("organization", organization).i64("limit", limit).i64("offset", offset));
  if (!rows) return fail(rows);
  for (std::size_t i = 0; i < rows->size(); ++i) {
    auto member = read_member(*rows, i);
    if (!member) return fail(member);
    page.rows.push_back(std::move(*member));
  }
  return page;
}

Result<void> insert_member(Tx& tx, OrganizationId organization, const Member& member, AccountId invited_by) {
  return run_void(tx, kInsertMember,
                  Params()
                      .id("id", member.id)
                      .id("organization", organization)
                      .id("account", member.account_id)
                      .text("role", std::string(to_string(member.role)))
                      .id("invited_by", invited_by)
                      .time("created_at", member.created_at));
}

Result<void> set_member_role(Tx& tx, OrganizationId organization, AccountId account, Role role) {
  return run_void(
      tx, kSetRole,
      Params().id("organization", organization).id("account", account).text("role", std::string(to_string(role))));
}

Result<void> delete_member(Tx& tx, OrganizationId organization, AccountId account) {
  return run_void(tx, kDeleteMember, Params().id("organization", organization).id("account", account));
}

}   // namespace agentauri::store
