// Accounts, with the organization and the memberships that each has, in the store, the same on SQLite and PostgreSQL.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/ids.hpp"
#include "domain/principal.hpp"
#include "store/database.hpp"
#include "store/sessions.hpp"

namespace agentauri::store {

// --- accounts --------------------------------------------------------------------------------------------------------

struct Account {
  domain::AccountId id;
  std::string username, email;                // as written
  std::optional<std::string> password_hash;   // PHC string
  std::optional<std::string> name, avatar;
  bool is_active = true;
  bool is_admin = false;
  std::int64_t failed_logins = 0;
  std::optional<Time> locked_until, last_login_at;
  Time created_at, updated_at;
};

// The keys are how names are compared: case-folded. Code::conflict when one of them is taken.
Result<void> insert_account(Tx& tx, const Account& account, const std::string& username_key,
                            const std::string& email_key);
Result<std::optional<Account>> find_account(Tx& tx, domain::AccountId id);
// The same, and nobody else changes the account until the transaction ends.
Result<std::optional<Account>> hold_account(Tx& tx, domain::AccountId id);
Result<std::optional<Account>> find_account_by_username(Tx& tx, const std::string& username_key);
Result<std::optional<Account>> find_account_by_email(Tx& tx, const std::string& email_key);

// In the order in which they were made, those after `after` (nullopt: from the first).
Result<std::vector<Account>> list_accounts(Tx& tx, std::optional<domain::AccountId> after, std::int64_t limit);
Result<bool> has_any_account(Tx& tx);

// Adds one wrong password; returns the new count. Concurrent callers each see their own number.
Result<std::int64_t> count_failed_login(Tx& tx, domain::AccountId id, Time now);
// The same for a user who does not exist: all of them are one number.
Result<void> count_login_of_nobody(Tx& tx);
Result<void> lock_account(Tx& tx, domain::AccountId id, Time until);
// Clears counter and lock, notes the time.
Result<void> record_login(Tx& tx, domain::AccountId id, Time now);
// Clears counter and lock too. Sessions stay: who calls it says which of them end.
Result<void> set_password(Tx& tx, domain::AccountId id, const std::string& password_hash, Time now);
// Clears counter and lock.
Result<void> unlock_account(Tx& tx, domain::AccountId id);
Result<void> set_active(Tx& tx, domain::AccountId id, bool is_active, Time now);
Result<void> set_admin(Tx& tx, domain::AccountId id, bool is_admin, Time now);

// --- organizations ---------------------------------------------------------------------------------------------------

struct Organization {
  domain::OrganizationId id;
  std::string name, slug;
  std::optional<std::string> description;
  domain::AccountId owner_id;
  std::string plan = "free";
  bool is_personal = false;
  Time created_at, updated_at;
};
struct Membership {
  domain::OrganizationId organization_id;
  std::string name, slug;
  domain::Role role = domain::Role::viewer;
};

// With the owner's membership.
Result<void> insert_organization(Tx& tx, const Organization& organization, domain::MembershipId owner_membership);
// nullopt: not a member, or no such organization.
Result<std::optional<domain::Role>> find_role(Tx& tx, domain::OrganizationId organization, domain::AccountId account);
// By creation of the membership, oldest first.
Result<std::vector<Membership>> list_memberships(Tx& tx, domain::AccountId account);

}   // namespace agentauri::store
