// Accounts and their sessions: plain functions over a transaction. Nothing here hashes passwords: that happens on a
// lane of its own, before or after.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/time.hpp"
#include "gateway/auth/refresh_token.hpp"
#include "gateway/refusal.hpp"
#include "gateway/settings.hpp"
#include "gateway/use_cases/client_info.hpp"
#include "store/accounts.hpp"
#include "store/wallets.hpp"

namespace agentauri::gateway {

inline constexpr std::size_t kMaxSessionsPerAccount = 10;
inline constexpr std::chrono::hours kRefreshTokenLife{30 * 24};
// http-api.md 3.8: from the fifth wrong password on, doubling with every fifth more.
inline constexpr std::int64_t kFailuresBeforeLock = 5;
inline constexpr std::chrono::minutes kFirstLock{15};

struct NewUser {
  std::string username, email, password;
  bool is_admin = false;
};
// Every broken rule at once.
Outcome<void> check_new_user(const NewUser& user, GatewaySettings::PasswordPolicy policy);
// username_exists or email_exists (409).
Outcome<void> check_name_is_free(store::Tx& tx, const NewUser& user);

struct TokenPair {
  std::string access, refresh;
};
struct SignedIn {
  store::Account account;   // last_login_at as it was before this login
  TokenPair tokens;
  std::vector<domain::SessionId> revoked;   // sessions beyond the cap
};

// Issues and rotates the tokens of sessions. Immutable; threads may share it.
class SessionIssuer {
 public:
  explicit SessionIssuer(const GatewaySettings& settings);

  // A new session with its first pair, however its user was recognised; the oldest sessions beyond the cap are revoked.
  // The caller holds the account (store::hold_account), or has just made it.
  Outcome<TokenPair> open(store::Tx& tx, const store::Account& account, Time now,
                          std::vector<domain::SessionId>& revoked, const ClientInfo& client = {}) const;
  // The successor of `token`: the same pair again until the successor is first used. After that a replay revokes the
  // session. 401 invalid_refresh_token for everything that is wrong.
  Outcome<TokenPair> rotate(store::Tx& tx, const std::string& token, const ClientInfo& client, Time now,
                            std::vector<domain::SessionId>& revoked) const;

 private:
  TokenPair make_pair(const std::string& account_id, const std::string& username, domain::SessionId session,
                      std::string refresh, Time issued_at) const;

  std::string jwt_secret_, issuer_;
  std::vector<RefreshKeys> keys_;   // of the secret, then of the previous one
};

// What every account begins with, its membership included.
Outcome<void> make_personal_organization(store::Tx& tx, const store::Account& owner, std::string name, std::string slug,
                                         Time now);

// Account, personal organization and membership as one, without a session.
Outcome<store::Account> insert_user(store::Tx& tx, const NewUser& user, std::optional<std::string> password_hash,
                                    Time now);
// The same with a session and its tokens. Whether the user may register at all: registration.hpp.
Outcome<SignedIn> create_account(store::Tx& tx, const NewUser& user, const std::string& password_hash,
                                 const SessionIssuer& issuer, Time now, const ClientInfo& client = {});

// `identifier` with an `@` is an e-mail address, otherwise a user name.
Result<std::optional<store::Account>> find_login(store::Tx& tx, const std::string& identifier);
// Before the password is looked at: 403 account_disabled, 429 account_locked.
Outcome<void> check_may_log_in(const store::Account& account, Time now);
std::optional<Time> lock_after(std::int64_t failures, Time now);
// The failure stays counted.
Outcome<void> note_wrong_password(store::Tx& tx, domain::AccountId account, Time now);
// What a login of nobody leaves: a count, with the same commit as the failure of a user who exists.
Outcome<void> note_login_of_nobody(store::Tx& tx);
// Looks at the account again: it may have been locked, disabled or given another password while this one was checked.
Outcome<SignedIn> log_in(store::Tx& tx, const store::Account& seen, const SessionIssuer& issuer, Time now,
                         const ClientInfo& client = {});

struct PasswordChange {
  std::string current, next;
};
// Every broken rule at once, of the field `new_password`.
Outcome<void> check_new_password(const store::Account& account, const PasswordChange& change,
                                 GatewaySettings::PasswordPolicy policy);
// 400: the account has a password, and it is another one.
std::unexpected<Refusal> wrong_current_password();
// `seen` is the account whose password was checked; `kept` the session that lives on, alone. Which ones ended.
Outcome<std::vector<domain::SessionId>> change_password(store::Tx& tx, const store::Account& seen,
                                                        const std::string& new_hash, domain::SessionId kept, Time now);

struct LogOut {
  std::optional<std::string> refresh_token;
  std::optional<domain::SessionId> session;      // of the request's own credential
  std::optional<domain::AccountId> everywhere;   // every session of this account
};
// Which sessions ended. An unknown token ends none: logging out always succeeds.
Outcome<std::vector<domain::SessionId>> log_out(store::Tx& tx, const LogOut& what, Time now);

struct Me {
  store::Account account;
  std::vector<store::Membership> organizations;
  std::vector<store::Identity> identities;
};
Outcome<Me> read_me(store::Tx& tx, domain::AccountId account);

}   // namespace agentauri::gateway
