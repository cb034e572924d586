// Accounts, organizations, members, sessions and refresh tokens in the store, the same on SQLite and PostgreSQL.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/ids.hpp"
#include "domain/principal.hpp"
#include "store/database.hpp"

namespace agentauri::store {

// --- accounts --------------------------------------------------------------------------------------------------------

struct Account {
  domain::AccountId id;
  std::string username, email;                // as written
  std::optional<std::string> password_hash;   // PHC string
  std::optional<std::string> name, avatar;
  bool is_active = true;
  std::int64_t failed_logins = 0;
  std::optional<Time> locked_until, last_login_at;
  Time created_at, updated_at;
};

// The keys are how names are compared: case-folded. Code::conflict when one of them is taken.
Result<void> insert_account(Tx& tx, const Account& account, const std::string& username_key,
                            const std::string& email_key);
Result<std::optional<Account>> find_account(Tx& tx, domain::AccountId id);
Result<std::optional<Account>> find_account_by_username(Tx& tx, const std::string& username_key);
Result<std::optional<Account>> find_account_by_email(Tx& tx, const std::string& email_key);

// Adds one wrong password; returns the new count. Concurrent callers each see their own number.
Result<std::int64_t> count_failed_login(Tx& tx, domain::AccountId id, Time now);
Result<void> lock_account(Tx& tx, domain::AccountId id, Time until);
// Clears counter and lock, notes the time; locks the row, so that logins of one account follow each other.
Result<void> record_login(Tx& tx, domain::AccountId id, Time now);

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

// --- sessions --------------------------------------------------------------------------------------------------------

struct Session {
  domain::SessionId id;
  domain::AccountId account_id;
  Time created_at, last_used_at, expires_at;
  std::optional<Time> revoked_at;
  std::optional<std::string> user_agent, ip;
};
// A session with what authentication needs to know of its user.
struct SessionView {
  Session session;
  std::string username;
  bool is_active = false;
  std::optional<domain::OrganizationId> personal_organization;
};

Result<void> insert_session(Tx& tx, const Session& session);
Result<std::optional<SessionView>> find_session(Tx& tx, domain::SessionId id);
// Locks the row. false when the session is gone or revoked.
Result<bool> touch_session(Tx& tx, domain::SessionId id, Time now);
Result<void> extend_session(Tx& tx, domain::SessionId id, Time expires_at);
// Also appends to `revocations`. false when it was revoked already or does not exist.
Result<bool> revoke_session(Tx& tx, domain::SessionId id, std::string_view reason, Time now);
// Of sessions that are neither revoked nor expired, oldest first.
Result<std::vector<domain::SessionId>> live_sessions(Tx& tx, domain::AccountId account, Time now);

// The sequence `revocations` says of which sessions and API keys every process must forget what it knew.
struct Revocation {
  std::int64_t seq = 0;
  Uuid id;   // of a session or a key
};
Result<void> append_revocation(Tx& tx, const Uuid& id, Time now);
Result<std::int64_t> newest_revocation(Tx& tx);
Result<std::vector<Revocation>> read_revocations(Tx& tx, std::int64_t after, std::int64_t limit);

// --- refresh tokens --------------------------------------------------------------------------------------------------

struct RefreshToken {
  Uuid id;
  domain::SessionId session_id;
  std::string token_hash;   // SHA-256, hex
  Time created_at, expires_at;
  std::optional<Time> used_at;   // first presented
  std::optional<std::string> user_agent, ip;
};

Result<void> insert_refresh_token(Tx& tx, const RefreshToken& token);
Result<std::optional<RefreshToken>> find_refresh_token(Tx& tx, const std::string& token_hash);
Result<void> mark_refresh_token_used(Tx& tx, const Uuid& id, Time now);

// --- clean-up --------------------------------------------------------------------------------------------------------

// Sessions revoked or expired, and tokens expired or superseded, before `before`; at most `limit` rows of each. Returns
// how many rows went.
Result<std::int64_t> delete_dead_sessions(Tx& tx, Time before, std::int64_t limit);
Result<std::int64_t> delete_old_revocations(Tx& tx, Time before, std::int64_t limit);

}   // namespace agentauri::store
