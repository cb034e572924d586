#include "store/accounts.hpp"

#include <algorithm>

namespace agentauri::store {
namespace {

using domain::AccountId;
using domain::SessionId;

#define ACCOUNT_COLUMNS "SELECT id, username, email, password_hash, name, avatar, is_active, failed_logins, locked_until, last_login_at, created_at FROM accounts "
const Query kFind{"account_find", ACCOUNT_COLUMNS "WHERE id = :id"};
const Query kByName{"account_by_username", ACCOUNT_COLUMNS "WHERE username_key = :key"};
const Query kByEmail{"account_by_email", ACCOUNT_COLUMNS "WHERE email_key = :key"};
#undef ACCOUNT_COLUMNS
const Query kCreate{"account_create",
                    "INSERT INTO accounts (id, username, username_key, email, email_key, password_hash, name, avatar, is_active, created_at, updated_at) "
                    "VALUES (:id, :username, :username_key, :email, :email_key, :hash, :name, :avatar, :active, :now, :now)"};
const Query kCreateOrganization{"organization_create",
                                "INSERT INTO organizations (id, name, slug, owner_id, plan, is_personal, created_at, updated_at) VALUES (:id, :name, :slug, :owner, 'free', :personal, :now, :now)"};
const Query kAddMember{"member_add", "INSERT INTO members (id, organization_id, account_id, role, created_at) VALUES (:id, :organization, :account, :role, :now)"};
const Query kFailedLogin{"account_failed_login", "UPDATE accounts SET failed_logins = :failures, locked_until = :locked, last_failed_at = :now, updated_at = :now WHERE id = :id"};
const Query kLogin{"account_login", "UPDATE accounts SET failed_logins = 0, locked_until = NULL, last_login_at = :now, updated_at = :now WHERE id = :id"};
const Query kMemberships{"membership_list",
                         "SELECT o.id, o.name, o.slug, m.role, o.is_personal FROM members m JOIN organizations o ON o.id = m.organization_id WHERE m.account_id = :account ORDER BY m.created_at, m.id"};
const Query kMembership{"membership_find",
                        "SELECT o.id, o.name, o.slug, m.role, o.is_personal FROM members m JOIN organizations o ON o.id = m.organization_id WHERE m.account_id = :account AND m.organization_id = :organization"};
const Query kCreateSession{"session_create",
                           "INSERT INTO sessions (id, account_id, created_at, last_used_at, expires_at, user_agent, ip) VALUES (:id, :account, :now, :now, :expires, :user_agent, :ip)"};
const Query kFindSession{"session_find", "SELECT id, account_id, created_at, expires_at, revoked_at FROM sessions WHERE id = :id"};
const Query kTouchSession{"session_touch", "UPDATE sessions SET last_used_at = :now, expires_at = :expires WHERE id = :id"};
const Query kLiveSessions{"session_live", "SELECT id FROM sessions WHERE account_id = :account AND revoked_at IS NULL AND expires_at > :now ORDER BY created_at DESC, id DESC"};
const Query kRevokeSession{"session_revoke", "UPDATE sessions SET revoked_at = :now, revoke_reason = :reason WHERE id = :id AND revoked_at IS NULL"};
const Query kDrawRevocation{"revocation_draw", "UPDATE counters SET value = value + 1 WHERE name = 'revocations' RETURNING value"};
const Query kAddRevocation{"revocation_add", "INSERT INTO revocations (seq, session_id, at) VALUES (:seq, :session, :now)"};
const Query kRevocations{"revocation_read", "SELECT seq, session_id FROM revocations WHERE seq > :after ORDER BY seq LIMIT :limit"};
const Query kNewestRevocation{"revocation_newest", "SELECT value FROM counters WHERE name = 'revocations'"};
const Query kFindToken{"refresh_token_find", "SELECT token_hash, session_id, created_at, expires_at, used_at FROM refresh_tokens WHERE token_hash = :hash"};
const Query kAddToken{"refresh_token_add",
                      "INSERT INTO refresh_tokens (id, session_id, token_hash, created_at, expires_at, user_agent, ip) VALUES (:id, :session, :hash, :created, :expires, :user_agent, :ip) "
                      "ON CONFLICT (token_hash) DO NOTHING"};
const Query kUseToken{"refresh_token_use", "UPDATE refresh_tokens SET used_at = :now WHERE token_hash = :hash AND used_at IS NULL"};
const Query kForgetSessions{"session_forget", "DELETE FROM sessions WHERE (revoked_at IS NOT NULL AND revoked_at < :before) OR expires_at < :before"};
const Query kForgetRevocations{"revocation_forget", "DELETE FROM revocations WHERE at < :before"};

Result<std::optional<Account>> read_account(Result<Rows> rows) {
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  Account a;
  a.id = rows->id<AccountId>(0, 0);
  a.username = rows->text(0, 1);
  a.email = rows->text(0, 2);
  a.password_hash = rows->text_or_null(0, 3);
  a.name = rows->text_or_null(0, 4);
  a.avatar = rows->text_or_null(0, 5);
  a.is_active = rows->boolean(0, 6);
  a.failed_logins = rows->i64(0, 7);
  a.locked_until = rows->time_or_null(0, 8);
  a.last_login_at = rows->time_or_null(0, 9);
  a.created_at = rows->time(0, 10);
  return a;
}

Membership read_membership(const Rows& rows, std::size_t i) {
  return {rows.id<domain::OrganizationId>(i, 0), rows.text(i, 1), rows.text(i, 2), domain::parse_role(rows.text(i, 3)).value_or(domain::Role::viewer), rows.boolean(i, 4)};
}

Result<void> done(const Result<Rows>& rows) {
  if (!rows) return std::unexpected(rows.error());
  return {};
}

}  // namespace

std::string fold(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

Result<void> create_account(Tx& tx, const Account& a, domain::OrganizationId organization, std::string_view organization_name, std::string_view slug, Time now) {
  auto taken = find_account_by_username(tx, a.username);
  if (!taken) return fail(taken);
  if (*taken) return fail(Code::conflict, "username", "Username already taken");
  taken = find_account_by_email(tx, a.email);
  if (!taken) return fail(taken);
  if (*taken) return fail(Code::conflict, "email", "Email already registered");
  auto created = tx.run(kCreate, Params().id("id", a.id).text("username", a.username).text("username_key", fold(a.username)).text("email", a.email).text("email_key", fold(a.email))
                                     .text("hash", a.password_hash).text("name", a.name).text("avatar", a.avatar).boolean("active", a.is_active).time("now", now));
  if (!created) {
    // Two registrations at once: the unique index decides, and says which.
    if (created.error().code != Code::conflict) return fail(created);
    const bool email = created.error().field.find("email") != std::string::npos;
    return fail(Code::conflict, email ? "email" : "username", email ? "Email already registered" : "Username already taken");
  }
  auto made = tx.run(kCreateOrganization, Params().id("id", organization).text("name", std::string(organization_name)).text("slug", std::string(slug)).id("owner", a.id).boolean("personal", true).time("now", now));
  if (!made) return fail(made);
  return done(tx.run(kAddMember, Params().uuid("id", make_uuid_v7(now)).id("organization", organization).id("account", a.id).text("role", "owner").time("now", now)));
}

Result<std::optional<Account>> find_account(Tx& tx, AccountId id) { return read_account(tx.run(kFind, Params().id("id", id))); }
Result<std::optional<Account>> find_account_by_username(Tx& tx, std::string_view username) { return read_account(tx.run(kByName, Params().text("key", fold(username)))); }
Result<std::optional<Account>> find_account_by_email(Tx& tx, std::string_view email) { return read_account(tx.run(kByEmail, Params().text("key", fold(email)))); }

Result<void> record_failed_login(Tx& tx, AccountId id, std::int64_t failures, std::optional<Time> locked_until, Time now) {
  return done(tx.run(kFailedLogin, Params().id("id", id).i64("failures", failures).time("locked", locked_until).time("now", now)));
}
Result<void> record_login(Tx& tx, AccountId id, Time now) { return done(tx.run(kLogin, Params().id("id", id).time("now", now))); }

Result<std::vector<Membership>> list_memberships(Tx& tx, AccountId id) {
  auto rows = tx.run(kMemberships, Params().id("account", id));
  if (!rows) return fail(rows);
  std::vector<Membership> out;
  for (std::size_t i = 0; i < rows->size(); ++i) out.push_back(read_membership(*rows, i));
  return out;
}

Result<std::optional<Membership>> find_membership(Tx& tx, AccountId id, domain::OrganizationId organization) {
  auto rows = tx.run(kMembership, Params().id("account", id).id("organization", organization));
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  return read_membership(*rows, 0);
}

Result<void> create_session(Tx& tx, const Session& s, std::optional<std::string> user_agent, std::optional<std::string> ip, std::int64_t most) {
  auto created = tx.run(kCreateSession, Params().id("id", s.id).id("account", s.account_id).time("now", s.created_at).time("expires", s.expires_at).text("user_agent", std::move(user_agent)).text("ip", std::move(ip)));
  if (!created) return fail(created);
  auto live = tx.run(kLiveSessions, Params().id("account", s.account_id).time("now", s.created_at));
  if (!live) return fail(live);
  for (std::size_t i = static_cast<std::size_t>(most); i < live->size(); ++i) {
    if (auto revoked = revoke_session(tx, live->id<SessionId>(i, 0), "too many sessions", s.created_at); !revoked) return revoked;
  }
  return {};
}

Result<std::optional<Session>> find_session(Tx& tx, SessionId id) {
  auto rows = tx.run(kFindSession, Params().id("id", id));
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  return Session{rows->id<SessionId>(0, 0), rows->id<AccountId>(0, 1), rows->time(0, 2), rows->time(0, 3), rows->time_or_null(0, 4)};
}

Result<void> touch_session(Tx& tx, SessionId id, Time now, Time expires_at) { return done(tx.run(kTouchSession, Params().id("id", id).time("now", now).time("expires", expires_at))); }

Result<void> revoke_session(Tx& tx, SessionId id, std::string_view reason, Time now) {
  auto revoked = tx.run(kRevokeSession, Params().id("id", id).text("reason", std::string(reason)).time("now", now));
  if (!revoked) return fail(revoked);
  if (revoked->affected() == 0) return {};
  auto drawn = tx.run(kDrawRevocation);
  if (!drawn) return fail(drawn);
  if (drawn->empty()) return fail(Code::corrupt, "the counter revocations is missing");
  return done(tx.run(kAddRevocation, Params().i64("seq", drawn->i64(0, 0)).id("session", id).time("now", now)));
}

Result<void> revoke_sessions_of(Tx& tx, AccountId account, std::string_view reason, Time now) {
  auto live = tx.run(kLiveSessions, Params().id("account", account).time("now", now));
  if (!live) return fail(live);
  for (std::size_t i = 0; i < live->size(); ++i) {
    if (auto revoked = revoke_session(tx, live->id<SessionId>(i, 0), reason, now); !revoked) return revoked;
  }
  return {};
}

Result<std::vector<Revocation>> read_revocations(Tx& tx, std::int64_t after, std::int64_t limit) {
  auto rows = tx.run(kRevocations, Params().i64("after", after).i64("limit", limit));
  if (!rows) return fail(rows);
  std::vector<Revocation> out;
  for (std::size_t i = 0; i < rows->size(); ++i) out.push_back({rows->i64(i, 0), rows->id<SessionId>(i, 1)});
  return out;
}

Result<std::int64_t> newest_revocation(Tx& tx) {
  auto rows = tx.run(kNewestRevocation);
  if (!rows) return fail(rows);
  return rows->empty() ? 0 : rows->i64(0, 0);
}

Result<std::optional<RefreshToken>> find_refresh_token(Tx& tx, std::string_view hash) {
  auto rows = tx.run(kFindToken, Params().text("hash", std::string(hash)));
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  return RefreshToken{rows->text(0, 0), rows->id<SessionId>(0, 1), rows->time(0, 2), rows->time(0, 3), rows->time_or_null(0, 4)};
}

Result<bool> add_refresh_token(Tx& tx, const RefreshToken& t, std::optional<std::string> user_agent, std::optional<std::string> ip) {
  auto row = tx.run(kAddToken, Params().uuid("id", make_uuid_v7(t.created_at)).id("session", t.session).text("hash", t.hash).time("created", t.created_at).time("expires", t.expires_at)
                                   .text("user_agent", std::move(user_agent)).text("ip", std::move(ip)));
  if (!row) return fail(row);
  return row->affected() > 0;
}

Result<void> mark_refresh_token_used(Tx& tx, std::string_view hash, Time now) { return done(tx.run(kUseToken, Params().text("hash", std::string(hash)).time("now", now))); }

Result<std::int64_t> forget_dead_sessions(Tx& tx, Time before) {
  auto sessions = tx.run(kForgetSessions, Params().time("before", before));
  if (!sessions) return fail(sessions);
  if (auto revocations = tx.run(kForgetRevocations, Params().time("before", before)); !revocations) return fail(revocations);
  return sessions->affected();
}

}  // namespace agentauri::store
