#include "store/accounts.hpp"

namespace agentauri::store {
namespace {

using domain::AccountId;
using domain::OrganizationId;

#define ACCOUNT_COLUMNS                                                                                       \
  "id, username, email, password_hash, name, avatar, is_active, failed_logins, locked_until, last_login_at, " \
  "created_at, updated_at, is_admin "
const Query kInsertAccount{"account_insert",
                           "INSERT INTO accounts (id, username, username_key, email, email_key, password_hash, name, "
                           "avatar, is_active, is_admin, created_at, updated_at) "
                           "VALUES (:id, :username, :username_key, :email, :email_key, :password_hash, :name, :avatar, "
                           ":active, :admin, :created_at, :created_at)"};
const Query kFindAccount{"account_find", "SELECT " ACCOUNT_COLUMNS "FROM accounts WHERE id = :id"};
const Query kHoldAccount{"account_hold", "SELECT " ACCOUNT_COLUMNS "FROM accounts WHERE id = :id",
                         "SELECT " ACCOUNT_COLUMNS "FROM accounts WHERE id = :id FOR UPDATE"};
const Query kFindByUsername{"account_find_by_username",
                            "SELECT " ACCOUNT_COLUMNS "FROM accounts WHERE username_key = :key"};
const Query kFindByEmail{"account_find_by_email", "SELECT " ACCOUNT_COLUMNS "FROM accounts WHERE email_key = :key"};
const Query kListAccounts{"account_list", "SELECT " ACCOUNT_COLUMNS
                                          "FROM accounts WHERE (CAST(:all AS boolean) OR id > :after) ORDER BY id "
                                          "LIMIT :limit"};
#undef ACCOUNT_COLUMNS
const Query kAnyAccount{"account_any", "SELECT 1 FROM accounts LIMIT 1"};
const Query kCountFailed{"account_count_failed_login",
                         "UPDATE accounts SET failed_logins = failed_logins + 1, last_failed_at = :now WHERE id = :id "
                         "RETURNING failed_logins"};
const Query kCountNobody{"account_count_login_of_nobody",
                         "INSERT INTO counters (name, value) VALUES ('logins_of_nobody', 1) ON CONFLICT (name) DO "
                         "UPDATE SET value = counters.value + 1"};
const Query kLock{"account_lock", "UPDATE accounts SET locked_until = :until WHERE id = :id"};
const Query kRecordLogin{
    "account_record_login",
    "UPDATE accounts SET failed_logins = 0, locked_until = NULL, last_login_at = :now WHERE id = :id"};
const Query kSetPassword{"account_set_password",
                         "UPDATE accounts SET password_hash = :hash, failed_logins = 0, locked_until = NULL, "
                         "updated_at = :now WHERE id = :id"};
const Query kUnlock{"account_unlock", "UPDATE accounts SET failed_logins = 0, locked_until = NULL WHERE id = :id"};
const Query kSetActive{"account_set_active",
                       "UPDATE accounts SET is_active = :active, updated_at = :now WHERE id = :id"};
const Query kSetAdmin{"account_set_admin", "UPDATE accounts SET is_admin = :admin, updated_at = :now WHERE id = :id"};

const Query kInsertOrganization{
    "organization_insert",
    "INSERT INTO organizations (id, name, slug, description, owner_id, plan, is_personal, created_at, updated_at) "
    "VALUES (:id, :name, :slug, :description, :owner, :plan, :personal, :created_at, :created_at)"};
const Query kInsertMember{"member_insert",
                          "INSERT INTO members (id, organization_id, account_id, role, created_at) VALUES (:id, "
                          ":organization, :account, :role, :now)"};
const Query kFindRole{"member_find_role",
                      "SELECT role FROM members WHERE organization_id = :organization AND account_id = :account"};
const Query kListMemberships{
    "member_list",
    "SELECT o.id, o.name, o.slug, m.role FROM members m JOIN organizations o ON o.id = m.organization_id "
    "WHERE m.account_id = :account ORDER BY m.created_at, m.id"};

Account read_row(const Rows& rows, std::size_t i) {
  Account out;
  out.id = rows.id<AccountId>(i, 0);
  out.username = rows.text(i, 1);
  out.email = rows.text(i, 2);
  out.password_hash = rows.text_or_null(i, 3);
  out.name = rows.text_or_null(i, 4);
  out.avatar = rows.text_or_null(i, 5);
  out.is_active = rows.boolean(i, 6);
  out.failed_logins = rows.i64(i, 7);
  out.locked_until = rows.time_or_null(i, 8);
  out.last_login_at = rows.time_or_null(i, 9);
  out.created_at = rows.time(i, 10);
  out.updated_at = rows.time(i, 11);
  out.is_admin = rows.boolean(i, 12);
  return out;
}

Result<std::optional<Account>> read_account(Result<Rows> rows) {
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  return read_row(*rows, 0);
}

Result<void> run_void(Tx& tx, const Query& query, const Params& params) {
  auto done = tx.run(query, params);
  if (!done) return fail(done);
  return {};
}

}   // namespace

Result<void> insert_account(Tx& tx, const Account& account, const std::string& username_key,
                            const std::string& email_key) {
  return run_void(tx, kInsertAccount,
                  Params()
                      .id("id", account.id)
                      .text("username", account.username)
                      .text("username_key", username_key)
                      .text("email", account.email)
                      .text("email_key", email_key)
                      .text("password_hash", account.password_hash)
                      .text("name", account.name)
                      .text("avatar", account.avatar)
                      .boolean("active", account.is_active)
                      .boolean("admin", account.is_admin)
                      .time("created_at", account.created_at));
}

Result<std::optional<Account>> find_account(Tx& tx, AccountId id) {
  return read_account(tx.run(kFindAccount, Params().id("id", id)));
}
Result<std::optional<Account>> hold_account(Tx& tx, AccountId id) {
  return read_account(tx.run(kHoldAccount, Params().id("id", id)));
}
Result<std::optional<Account>> find_account_by_username(Tx& tx, const std::string& username_key) {
  return read_account(tx.run(kFindByUsername, Params().text("key", username_key)));
}
Result<std::optional<Account>> find_account_by_email(Tx& tx, const std::string& email_key) {
  return read_account(tx.run(kFindByEmail, Params().text("key", email_key)));
}

Result<std::vector<Account>> list_accounts(Tx& tx, std::optional<AccountId> after, std::int64_t limit) {
  auto rows = tx.run(kListAccounts,
                     Params().boolean("all", !after).id("after", after.value_or(AccountId{})).i64("limit", limit));
  if (!rows) return fail(rows);
  std::vector<Account> out;
  for (std::size_t i = 0; i < rows->size(); ++i) out.push_back(read_row(*rows, i));
  return out;
}

Result<bool> has_any_account(Tx& tx) {
  auto rows = tx.run(kAnyAccount);
  if (!rows) return fail(rows);
  return !rows->empty();
}

Result<std::int64_t> count_failed_login(Tx& tx, AccountId id, Time now) {
  auto rows = tx.run(kCountFailed, Params().id("id", id).time("now", now));
  if (!rows) return fail(rows);
  if (rows->empty()) return fail(Code::not_found, "the account is gone");
  return rows->i64(0, 0);
}

Result<void> count_login_of_nobody(Tx& tx) {
  return run_void(tx, kCountNobody, {});
}

Result<void> lock_account(Tx& tx, AccountId id, Time until) {
  return run_void(tx, kLock, Params().id("id", id).time("until", until));
}
Result<void> record_login(Tx& tx, AccountId id, Time now) {
  return run_void(tx, kRecordLogin, Params().id("id", id).time("now", now));
}
Result<void> set_password(Tx& tx, AccountId id, const std::string& password_hash, Time now) {
  return run_void(tx, kSetPassword, Params().id("id", id).text("hash", password_hash).time("now", now));
}
Result<void> unlock_account(Tx& tx, AccountId id) {
  return run_void(tx, kUnlock, Params().id("id", id));
}
Result<void> set_active(Tx& tx, AccountId id, bool is_active, Time now) {
  return run_void(tx, kSetActive, Params().boolean("active", is_active).time("now", now).id("id", id));
}
Result<void> set_admin(Tx& tx, AccountId id, bool is_admin, Time now) {
  return run_void(tx, kSetAdmin, Params().boolean("admin", is_admin).time("now", now).id("id", id));
}

Result<void> insert_organization(Tx& tx, const Organization& organization, domain::MembershipId owner_membership) {
  auto done = run_void(tx, kInsertOrganization,
                       Params()
                           .id("id", organization.id)
                           .text("name", organization.name)
                           .text("slug", organization.slug)
                           .text("description", organization.description)
                           .id("owner", organization.owner_id)
                           .text("plan", organization.plan)
                           .boolean("personal", organization.is_personal)
                           .time("created_at", organization.created_at));
  if (!done) return done;
  return run_void(tx, kInsertMember,
                  Params()
                      .id("id", owner_membership)
                      .id("organization", organization.id)
                      .id("account", organization.owner_id)
                      .text("role", std::string(to_string(domain::Role::owner)))
                      .time("now", organization.created_at));
}

Result<std::optional<domain::Role>> find_role(Tx& tx, OrganizationId organization, AccountId account) {
  auto rows = tx.run(kFindRole, Params().id("organization", organization).id("account", account));
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  const auto role = domain::parse_role(rows->text(0, 0));
  if (!role) return fail(Code::corrupt, "members.role", "is not a role");
  return role;
}

Result<std::vector<Membership>> list_memberships(Tx& tx, AccountId account) {
  auto rows = tx.run(kListMemberships, Params().id("account", account));
  if (!rows) return fail(rows);
  std::vector<Membership> out;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    const auto role = domain::parse_role(rows->text(i, 3));
    if (!role) return fail(Code::corrupt, "members.role", "is not a role");
    out.push_back({rows->id<OrganizationId>(i, 0), rows->text(i, 1), rows->text(i, 2), *role});
  }
  return out;
}

}   // namespace agentauri::store
