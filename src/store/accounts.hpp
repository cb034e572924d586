// Accounts, organizations, sessions and refresh tokens in the store.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/ids.hpp"
#include "domain/principal.hpp"
#include "store/database.hpp"

namespace agentauri::store {

struct Account {
  domain::AccountId id;
  std::string username, email;
  std::optional<std::string> password_hash, name, avatar;
  bool is_active = true;
  std::int64_t failed_logins = 0;
  std::optional<Time> locked_until, last_login_at;
  Time created_at;
};

struct Membership {
  domain::OrganizationId organization_id;
  std::string name, slug;
  domain::Role role = domain::Role::viewer;
  bool is_personal = false;
};

// How names and e-mails are compared: ASCII letters in lower case, everything else as written.
std::string fold(std::string_view text);

// Creates the account with its personal organization and ownership. Code::conflict with field `username` or `email`.
Result<void> create_account(Tx& tx, const Account& account, domain::OrganizationId organization, std::string_view organization_name, std::string_view slug, Time now);
Result<std::optional<Account>> find_account(Tx& tx, domain::AccountId id);
Result<std::optional<Account>> find_account_by_username(Tx& tx, std::string_view username);
Result<std::optional<Account>> find_account_by_email(Tx& tx, std::string_view email);
Result<void> record_failed_login(Tx& tx, domain::AccountId id, std::int64_t failures, std::optional<Time> locked_until, Time now);
Result<void> record_login(Tx& tx, domain::AccountId id, Time now);

// By membership creation.
Result<std::vector<Membership>> list_memberships(Tx& tx, domain::AccountId id);
Result<std::optional<Membership>> find_membership(Tx& tx, domain::AccountId id, domain::OrganizationId organization);

struct Session {
  domain::SessionId id;
  domain::AccountId account_id;
  Time created_at, expires_at;
  std::optional<Time> revoked_at;
};
// The oldest sessions beyond `most` are revoked.
Result<void> create_session(Tx& tx, const Session& session, std::optional<std::string> user_agent, std::optional<std::string> ip, std::int64_t most);
Result<std::optional<Session>> find_session(Tx& tx, domain::SessionId id);
Result<void> touch_session(Tx& tx, domain::SessionId id, Time now, Time expires_at);
// Revokes and appends to `revocations`. Nothing happens to a session that is revoked already.
Result<void> revoke_session(Tx& tx, domain::SessionId id, std::string_view reason, Time now);
Result<void> revoke_sessions_of(Tx& tx, domain::AccountId account, std::string_view reason, Time now);

struct Revocation {
  std::int64_t seq = 0;
  domain::SessionId session;
};
Result<std::vector<Revocation>> read_revocations(Tx& tx, std::int64_t after, std::int64_t limit);
Result<std::int64_t> newest_revocation(Tx& tx);

struct RefreshToken {
  std::string hash;
  domain::SessionId session;
  Time created_at, expires_at;
  std::optional<Time> used_at;   // first presented for a refresh
};
Result<std::optional<RefreshToken>> find_refresh_token(Tx& tx, std::string_view hash);
// false when it exists already.
Result<bool> add_refresh_token(Tx& tx, const RefreshToken& token, std::optional<std::string> user_agent, std::optional<std::string> ip);
Result<void> mark_refresh_token_used(Tx& tx, std::string_view hash, Time now);
// Sessions and tokens that have been dead for longer than `before`.
Result<std::int64_t> forget_dead_sessions(Tx& tx, Time before);

}  // namespace agentauri::store
