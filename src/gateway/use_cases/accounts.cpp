#include "gateway/use_cases/accounts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/auth/jwt.hpp"
#include "gateway/auth/passwords.hpp"

namespace agentauri::gateway {
namespace {

using domain::SessionId;
using store::Tx;

std::unexpected<Refusal> bad_refresh_token(std::string_view why) {
  return unauthenticated("invalid_refresh_token", "Invalid or expired refresh token", why);
}
std::unexpected<Refusal> name_taken(bool is_email) {
  return is_email ? refuse(409, "email_exists", "Email already registered")
                  : refuse(409, "username_exists", "Username already taken");
}

// Two registrations at once: the unique index decides, and its name says which member it was.
std::unexpected<Refusal> insert_refused(Result<void>& inserted) {
  if (inserted.error().code != Code::conflict) return broken(inserted);
  auto out = name_taken(inserted.error().field.contains("email"));
  out.error().cause = inserted.error();
  return out;
}

}   // namespace

Outcome<void> check_new_user(const NewUser& user, GatewaySettings::PasswordPolicy policy) {
  Validation validation;
  validation.length("username", user.username, 3, 50);
  if (!is_email(user.email)) validation.add("email", "email", "Validation error: email [{}]");
  check_password(user.password, user.username, user.email, policy, validation);
  if (!validation.ok()) return std::unexpected(validation.refusal());
  return {};
}

Outcome<void> check_name_is_free(Tx& tx, const NewUser& user) {
  auto by_name = store::find_account_by_username(tx, fold_case(user.username));
  if (!by_name) return broken(by_name);
  if (*by_name) return name_taken(false);
  auto by_email = store::find_account_by_email(tx, fold_case(user.email));
  if (!by_email) return broken(by_email);
  if (*by_email) return name_taken(true);
  return {};
}

SessionIssuer::SessionIssuer(const GatewaySettings& settings)
    : jwt_secret_(settings.jwt_secret.reveal()), issuer_(settings.base_url) {
  keys_.emplace_back(jwt_secret_);
  if (!settings.jwt_secret_previous.empty()) keys_.emplace_back(settings.jwt_secret_previous.reveal());
}

TokenPair SessionIssuer::make_pair(const std::string& account_id, const std::string& username, SessionId session,
                                   std::string refresh, Time issued_at) const {
  AccessClaims claims{account_id, username, to_string(session), to_unix_seconds(issued_at),
                      keys_.front().access_token_id(refresh)};
  return {sign_access_token(claims, issuer_, jwt_secret_), std::move(refresh)};
}

Outcome<TokenPair> SessionIssuer::open(Tx& tx, const store::Account& account, Time now, std::vector<SessionId>& revoked,
                                       const ClientInfo& client) const {
  store::Session session;
  session.id = SessionId::make(now);
  session.account_id = account.id;
  session.created_at = now;
  session.expires_at = now + kRefreshTokenLife;
  session.user_agent = client.user_agent;
  session.ip = client.ip;
  if (auto inserted = store::insert_session(tx, session); !inserted) return broken(inserted);
  auto live = store::live_sessions(tx, account.id, now);
  if (!live) return broken(live);
  std::erase(*live, session.id);
  for (std::size_t i = 0; i + kMaxSessionsPerAccount <= live->size(); ++i) {
    if (auto done = store::revoke_session(tx, (*live)[i], "session limit", now); !done) return broken(done);
    revoked.push_back((*live)[i]);
  }
  std::string refresh = make_refresh_token();
  store::RefreshToken token{
      make_uuid_v7(now), session.id,  refresh_token_hash(refresh), now, session.expires_at, std::nullopt,
      std::nullopt,      std::nullopt};
  if (auto inserted = store::insert_refresh_token(tx, token); !inserted) return broken(inserted);
  return make_pair(to_string(account.id), account.username, session.id, std::move(refresh), now);
}

Outcome<TokenPair> SessionIssuer::rotate(Tx& tx, const std::string& token, const ClientInfo& client, Time now,
                                         std::vector<SessionId>& revoked) const {
  if (!is_refresh_token(token)) return bad_refresh_token("the refresh token is malformed");
  const std::string hash = refresh_token_hash(token);
  auto known = store::find_refresh_token(tx, hash);
  if (!known) return broken(known);
  if (!*known) return bad_refresh_token("there is no such refresh token");
  const SessionId session_id = (*known)->session_id;
  // From here on rotations of this session follow each other, so what is read next is what the one before left.
  auto alive = store::touch_session(tx, session_id, now);
  if (!alive) return broken(alive);
  if (!*alive) return bad_refresh_token("the session was ended");
  auto session = store::find_session(tx, session_id);
  if (!session) return broken(session);
  if (!*session || !(*session)->is_active) return bad_refresh_token("the user is not active");
  if ((*session)->session.expires_at <= now || (*known)->expires_at <= now)
    return bad_refresh_token("the session or the refresh token is past its expiry");

  std::string successor;
  std::optional<store::RefreshToken> existing;
  for (const auto& keys : keys_) {
    std::string candidate = keys.successor_of(token);
    auto found = store::find_refresh_token(tx, refresh_token_hash(candidate));
    if (!found) return broken(found);
    if (successor.empty() || *found) successor = std::move(candidate);
    if (*found) {
      existing = std::move(*found);
      break;
    }
  }
  const auto account_id = to_string((*session)->session.account_id);
  if (existing && existing->used_at) {
    // Somebody else holds a later token of this family: one of the two is a thief.
    if (auto done = store::revoke_session(tx, session_id, "refresh token replayed", now); !done) return broken(done);
    revoked.push_back(session_id);
    return bad_refresh_token("the refresh token was used again after its successor: the session ends");
  }
  if (existing)
    return make_pair(account_id, (*session)->username, session_id, std::move(successor), existing->created_at);

  if (auto marked = store::mark_refresh_token_used(tx, (*known)->id, now); !marked) return broken(marked);
  const Time expires_at = now + kRefreshTokenLife;
  store::RefreshToken next{make_uuid_v7(now), session_id, refresh_token_hash(successor), now, expires_at, std::nullopt,
                           client.user_agent, client.ip};
  if (auto inserted = store::insert_refresh_token(tx, next); !inserted) return broken(inserted);
  const store::SessionUse use{session_id, now, client.user_agent, client.ip};
  if (auto noted = store::note_session_uses(tx, {use}); !noted) return broken(noted);
  if (auto extended = store::extend_session(tx, session_id, expires_at); !extended) return broken(extended);
  return make_pair(account_id, (*session)->username, session_id, std::move(successor), now);
}

Outcome<void> make_personal_organization(Tx& tx, const store::Account& owner, std::string name, std::string slug,
                                         Time now) {
  store::Organization personal;
  personal.id = domain::OrganizationId::make(now);
  personal.name = std::move(name);
  personal.slug = std::move(slug);
  personal.owner_id = owner.id;
  personal.is_personal = true;
  personal.created_at = personal.updated_at = now;
  if (auto made = store::insert_organization(tx, personal, domain::MembershipId::make(now)); !made) return broken(made);
  return {};
}

Outcome<store::Account> insert_user(Tx& tx, const NewUser& user, std::optional<std::string> password_hash, Time now) {
  if (auto is_free = check_name_is_free(tx, user); !is_free) return pass(is_free);
  store::Account account;
  account.id = domain::AccountId::make(now);
  account.username = user.username;
  account.email = user.email;
  account.password_hash = std::move(password_hash);
  account.is_admin = user.is_admin;
  account.created_at = account.updated_at = now;
  auto inserted = store::insert_account(tx, account, fold_case(user.username), fold_case(user.email));
  if (!inserted) return insert_refused(inserted);

  auto made = make_personal_organization(tx, account, fmt::format("{}'s Personal", user.username),
                                         personal_slug(user.username), now);
  if (!made) return pass(made);
  return account;
}

Outcome<SignedIn> create_account(Tx& tx, const NewUser& user, const std::string& password_hash,
                                 const SessionIssuer& issuer, Time now, const ClientInfo& client) {
  auto account = insert_user(tx, user, password_hash, now);
  if (!account) return pass(account);
  SignedIn out;
  out.account = std::move(*account);
  auto tokens = issuer.open(tx, out.account, now, out.revoked, client);
  if (!tokens) return pass(tokens);
  out.tokens = std::move(*tokens);
  return out;
}

Result<std::optional<store::Account>> find_login(Tx& tx, const std::string& identifier) {
  const std::string key = fold_case(identifier);
  return identifier.contains('@') ? store::find_account_by_email(tx, key) : store::find_account_by_username(tx, key);
}

Outcome<void> check_may_log_in(const store::Account& account, Time now) {
  if (!account.is_active) return refuse(403, "account_disabled", "Account is disabled");
  if (!account.locked_until || *account.locked_until <= now) return {};
  const auto left = std::chrono::ceil<std::chrono::seconds>(*account.locked_until - now).count();
  Refusal locked = Refusal::make(429, "account_locked",
                                 fmt::format("Account is temporarily locked. Try again in {} seconds.", left));
  locked.retry_after_s = left;
  return std::unexpected(std::move(locked));
}

std::optional<Time> lock_after(std::int64_t failures, Time now) {
  if (failures < kFailuresBeforeLock) return std::nullopt;
  const auto doublings = std::min<std::int64_t>((failures - kFailuresBeforeLock) / 5, 4);
  return now + kFirstLock * (1LL << doublings);
}

Outcome<void> note_wrong_password(Tx& tx, domain::AccountId account, Time now) {
  auto failures = store::count_failed_login(tx, account, now);
  if (!failures) return broken(failures);
  if (const auto until = lock_after(*failures, now)) {
    if (auto locked = store::lock_account(tx, account, *until); !locked) return broken(locked);
  }
  return {};
}

Outcome<void> note_login_of_nobody(Tx& tx) {
  if (auto noted = store::count_login_of_nobody(tx); !noted) return broken(noted);
  return {};
}

Outcome<SignedIn> log_in(Tx& tx, const store::Account& seen, const SessionIssuer& issuer, Time now,
                         const ClientInfo& client) {
  auto current = store::hold_account(tx, seen.id);
  if (!current) return broken(current);
  if (!*current || (*current)->password_hash != seen.password_hash)
    return unauthenticated("invalid_credentials", "Invalid credentials", "the password was changed in between");
  if (auto may = check_may_log_in(**current, now); !may) return pass(may);
  if (auto noted = store::record_login(tx, seen.id, now); !noted) return broken(noted);
  SignedIn out;
  out.account = std::move(**current);
  auto tokens = issuer.open(tx, out.account, now, out.revoked, client);
  if (!tokens) return pass(tokens);
  out.tokens = std::move(*tokens);
  return out;
}

Outcome<void> check_new_password(const store::Account& account, const PasswordChange& change,
                                 GatewaySettings::PasswordPolicy policy) {
  Validation validation;
  check_password(change.next, account.username, account.email, policy, validation, "new_password");
  if (change.next == change.current)
    validation.add("new_password", "password_unchanged", "New password must differ from the current one");
  if (!validation.ok()) return std::unexpected(validation.refusal());
  return {};
}

std::unexpected<Refusal> wrong_current_password() {
  Validation validation;
  validation.add("current_password", "password_incorrect", "Current password is incorrect");
  return std::unexpected(validation.refusal());
}

Outcome<std::vector<SessionId>> change_password(Tx& tx, const store::Account& seen, const std::string& new_hash,
                                                SessionId kept, Time now) {
  // Held, so that a login with the old password that is under way finds the new one.
  auto current = store::hold_account(tx, seen.id);
  if (!current) return broken(current);
  if (!*current || (*current)->password_hash != seen.password_hash)
    return refuse(409, "conflict", "The password was changed in between");
  if (auto set = store::set_password(tx, seen.id, new_hash, now); !set) return broken(set);
  auto ended = store::revoke_sessions_of(tx, seen.id, kept, "password changed", now);
  if (!ended) return broken(ended);
  return std::move(*ended);
}

Outcome<std::vector<SessionId>> log_out(Tx& tx, const LogOut& what, Time now) {
  std::vector<SessionId> ending;
  if (what.session) ending.push_back(*what.session);
  if (what.refresh_token && is_refresh_token(*what.refresh_token)) {
    auto token = store::find_refresh_token(tx, refresh_token_hash(*what.refresh_token));
    if (!token) return broken(token);
    if (*token) ending.push_back((*token)->session_id);
  }
  if (what.everywhere) {
    auto live = store::live_sessions(tx, *what.everywhere, now);
    if (!live) return broken(live);
    ending.insert(ending.end(), live->begin(), live->end());
  }
  for (const auto id : ending) {
    if (auto revoked = store::revoke_session(tx, id, "logout", now); !revoked) return broken(revoked);
  }
  return ending;
}

Outcome<Me> read_me(Tx& tx, domain::AccountId account) {
  auto found = store::find_account(tx, account);
  if (!found) return broken(found);
  if (!*found) return unauthenticated("token_invalid", "Invalid or expired token", "the user is gone");
  auto memberships = store::list_memberships(tx, account);
  if (!memberships) return broken(memberships);
  auto identities = store::list_identities(tx, account);
  if (!identities) return broken(identities);
  return Me{std::move(**found), std::move(*memberships), std::move(*identities)};
}

}   // namespace agentauri::gateway
