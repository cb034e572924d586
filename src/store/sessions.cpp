#include "store/sessions.hpp"

namespace agentauri::store {
namespace {

using domain::AccountId;
using domain::OrganizationId;
using domain::SessionId;

const Query kInsertSession{
    "session_insert",
    "INSERT INTO sessions (id, account_id, created_at, last_used_at, expires_at, user_agent, ip) "
    "VALUES (:id, :account, :created_at, :created_at, :expires_at, :user_agent, :ip)"};
const Query kFindSession{"session_find",
                         "SELECT s.id, s.account_id, s.created_at, s.last_used_at, s.expires_at, s.revoked_at, "
                         "s.user_agent, s.ip, a.username, a.is_active, "
                         "(SELECT o.id FROM organizations o WHERE o.owner_id = a.id AND o.is_personal = :yes ORDER BY "
                         "o.created_at, o.id LIMIT 1) "
                         "FROM sessions s JOIN accounts a ON a.id = s.account_id WHERE s.id = :id"};
const Query kListSessions{"session_list",
                          "SELECT id, account_id, created_at, last_used_at, expires_at, revoked_at, user_agent, ip "
                          "FROM sessions WHERE account_id = :account AND revoked_at IS NULL AND expires_at > :now "
                          "ORDER BY last_used_at DESC, id DESC"};
const Query kNoteUse{"session_note_use",
                     "UPDATE sessions SET last_used_at = :at, user_agent = COALESCE(:user_agent, user_agent), ip = "
                     "COALESCE(:ip, ip) WHERE id = :id AND last_used_at <= :at AND revoked_at IS NULL"};
const Query kTouchSession{"session_touch",
                          "UPDATE sessions SET last_used_at = :now WHERE id = :id AND revoked_at IS NULL"};
const Query kExtendSession{"session_extend", "UPDATE sessions SET expires_at = :expires_at WHERE id = :id"};
const Query kRevokeSession{
    "session_revoke",
    "UPDATE sessions SET revoked_at = :now, revoke_reason = :reason WHERE id = :id AND revoked_at IS NULL"};
const Query kLiveSessions{"session_live",
                          "SELECT id FROM sessions WHERE account_id = :account AND revoked_at IS NULL AND expires_at > "
                          ":now ORDER BY created_at, id"};
const Query kDrawRevocation{"revocation_draw",
                            "UPDATE counters SET value = value + 1 WHERE name = 'revocations' RETURNING value"};
// On PostgreSQL the commit tells the other processes at once; the only process of a SQLite store knows by itself.
const Query kInsertRevocation{"revocation_insert",
                              "INSERT INTO revocations (seq, session_id, at) VALUES (:seq, :session, :now)",
                              "INSERT INTO revocations (seq, session_id, at) "
                              "SELECT CAST(:seq AS bigint), CAST(:session AS uuid), CAST(:now AS timestamptz) "
                              "FROM pg_notify('revocations', '')"};
const Query kNewestRevocation{"revocation_newest", "SELECT value FROM counters WHERE name = 'revocations'"};
const Query kReadRevocations{"revocation_read",
                             "SELECT seq, session_id FROM revocations WHERE seq > :after ORDER BY seq LIMIT :limit"};

const Query kInsertToken{
    "refresh_token_insert",
    "INSERT INTO refresh_tokens (id, session_id, token_hash, created_at, expires_at, user_agent, ip) "
    "VALUES (:id, :session, :hash, :created_at, :expires_at, :user_agent, :ip)"};
const Query kFindToken{"refresh_token_find",
                       "SELECT id, session_id, token_hash, created_at, expires_at, used_at, user_agent, ip FROM "
                       "refresh_tokens WHERE token_hash = :hash"};
const Query kUseToken{"refresh_token_use",
                      "UPDATE refresh_tokens SET used_at = :now WHERE id = :id AND used_at IS NULL"};

const Query kDeleteSessions{"session_delete_dead",
                            "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE revoked_at < :before OR "
                            "expires_at < :before LIMIT :limit)"};
// A token is dead when it expired, or since a later one of its session was used.
const Query kDeleteTokens{
    "refresh_token_delete_expired",
    "DELETE FROM refresh_tokens WHERE id IN (SELECT id FROM refresh_tokens WHERE expires_at < :before LIMIT :limit)"};
const Query kDeleteUsedTokens{
    "refresh_token_delete_superseded",
    "DELETE FROM refresh_tokens WHERE id IN (SELECT t.id FROM refresh_tokens n JOIN refresh_tokens t ON t.session_id = "
    "n.session_id AND t.created_at < n.created_at WHERE n.used_at < :before LIMIT :limit)"};
const Query kDeleteRevocations{
    "revocation_delete_old",
    "DELETE FROM revocations WHERE seq IN (SELECT seq FROM revocations WHERE at < :before LIMIT :limit)"};

// The first eight columns of every SELECT of sessions.
Session read_session(const Rows& rows, std::size_t i) {
  Session out;
  out.id = rows.id<SessionId>(i, 0);
  out.account_id = rows.id<AccountId>(i, 1);
  out.created_at = rows.time(i, 2);
  out.last_used_at = rows.time(i, 3);
  out.expires_at = rows.time(i, 4);
  out.revoked_at = rows.time_or_null(i, 5);
  out.user_agent = rows.text_or_null(i, 6);
  out.ip = rows.text_or_null(i, 7);
  return out;
}

Result<void> run_void(Tx& tx, const Query& query, const Params& params) {
  auto done = tx.run(query, params);
  if (!done) return fail(done);
  return {};
}

Result<std::int64_t> run_counted(Tx& tx, const Query& query, const Params& params) {
  auto done = tx.run(query, params);
  if (!done) return fail(done);
  return done->affected();
}

}   // namespace

Result<void> insert_session(Tx& tx, const Session& session) {
  return run_void(tx, kInsertSession,
                  Params()
                      .id("id", session.id)
                      .id("account", session.account_id)
                      .time("created_at", session.created_at)
                      .time("expires_at", session.expires_at)
                      .text("user_agent", session.user_agent)
                      .text("ip", session.ip));
}

Result<std::optional<SessionView>> find_session(Tx& tx, SessionId id) {
  auto rows = tx.run(kFindSession, Params().boolean("yes", true).id("id", id));
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  SessionView out;
  out.session = read_session(*rows, 0);
  out.username = rows->text(0, 8);
  out.is_active = rows->boolean(0, 9);
  if (const auto personal = rows->uuid_or_null(0, 10)) out.personal_organization = OrganizationId{*personal};
  return out;
}

Result<std::vector<Session>> list_sessions(Tx& tx, AccountId account, Time now) {
  auto rows = tx.run(kListSessions, Params().id("account", account).time("now", now));
  if (!rows) return fail(rows);
  std::vector<Session> out;
  for (std::size_t i = 0; i < rows->size(); ++i) out.push_back(read_session(*rows, i));
  return out;
}

Result<void> note_session_uses(Tx& tx, const std::vector<SessionUse>& uses) {
  if (uses.empty()) return {};
  std::vector<Params> rows;
  for (const auto& use : uses)
    rows.push_back(Params().time("at", use.at).text("user_agent", use.user_agent).text("ip", use.ip).id("id", use.id));
  auto done = tx.run_many(kNoteUse, rows);
  if (!done) return fail(done);
  return {};
}

Result<bool> touch_session(Tx& tx, SessionId id, Time now) {
  auto touched = run_counted(tx, kTouchSession, Params().time("now", now).id("id", id));
  if (!touched) return fail(touched);
  return *touched == 1;
}

Result<void> extend_session(Tx& tx, SessionId id, Time expires_at) {
  return run_void(tx, kExtendSession, Params().time("expires_at", expires_at).id("id", id));
}

Result<bool> revoke_session(Tx& tx, SessionId id, std::string_view reason, Time now) {
  auto revoked =
      run_counted(tx, kRevokeSession, Params().time("now", now).text("reason", std::string(reason)).id("id", id));
  if (!revoked) return fail(revoked);
  if (*revoked == 0) return false;
  if (auto noted = append_revocation(tx, id.uuid, now); !noted) return fail(noted);
  return true;
}

Result<void> append_revocation(Tx& tx, const Uuid& id, Time now) {
  auto seq = tx.run(kDrawRevocation);
  if (!seq) return fail(seq);
  return run_void(tx, kInsertRevocation, Params().i64("seq", seq->i64(0, 0)).uuid("session", id).time("now", now));
}

Result<std::vector<SessionId>> live_sessions(Tx& tx, AccountId account, Time now) {
  auto rows = tx.run(kLiveSessions, Params().id("account", account).time("now", now));
  if (!rows) return fail(rows);
  std::vector<SessionId> out;
  for (std::size_t i = 0; i < rows->size(); ++i) out.push_back(rows->id<SessionId>(i, 0));
  return out;
}

Result<std::vector<SessionId>> revoke_sessions_of(Tx& tx, AccountId account, std::optional<SessionId> spared,
                                                  std::string_view reason, Time now) {
  auto ending = live_sessions(tx, account, now);
  if (!ending) return ending;
  if (spared) std::erase(*ending, *spared);
  for (const auto id : *ending) {
    if (auto revoked = revoke_session(tx, id, reason, now); !revoked) return fail(revoked);
  }
  return ending;
}

Result<std::int64_t> newest_revocation(Tx& tx) {
  auto rows = tx.run(kNewestRevocation);
  if (!rows) return fail(rows);
  return rows->empty() ? 0 : rows->i64(0, 0);
}

Result<std::vector<Revocation>> read_revocations(Tx& tx, std::int64_t after, std::int64_t limit) {
  auto rows = tx.run(kReadRevocations, Params().i64("after", after).i64("limit", limit));
  if (!rows) return fail(rows);
  std::vector<Revocation> out;
  for (std::size_t i = 0; i < rows->size(); ++i) out.push_back({rows->i64(i, 0), rows->uuid(i, 1)});
  return out;
}

Result<void> insert_refresh_token(Tx& tx, const RefreshToken& token) {
  return run_void(tx, kInsertToken,
                  Params()
                      .uuid("id", token.id)
                      .id("session", token.session_id)
                      .text("hash", token.token_hash)
                      .time("created_at", token.created_at)
                      .time("expires_at", token.expires_at)
                      .text("user_agent", token.user_agent)
                      .text("ip", token.ip));
}

Result<std::optional<RefreshToken>> find_refresh_token(Tx& tx, const std::string& token_hash) {
  auto rows = tx.run(kFindToken, Params().text("hash", token_hash));
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  RefreshToken out;
  out.id = rows->uuid(0, 0);
  out.session_id = rows->id<SessionId>(0, 1);
  out.token_hash = rows->text(0, 2);
  out.created_at = rows->time(0, 3);
  out.expires_at = rows->time(0, 4);
  out.used_at = rows->time_or_null(0, 5);
  out.user_agent = rows->text_or_null(0, 6);
  out.ip = rows->text_or_null(0, 7);
  return out;
}

Result<void> mark_refresh_token_used(Tx& tx, const Uuid& id, Time now) {
  return run_void(tx, kUseToken, Params().time("now", now).uuid("id", id));
}

Result<std::int64_t> delete_dead_sessions(Tx& tx, Time before, std::int64_t limit) {
  const Params params = Params().time("before", before).i64("limit", limit);
  auto tokens = run_counted(tx, kDeleteTokens, params);
  if (!tokens) return fail(tokens);
  auto used = run_counted(tx, kDeleteUsedTokens, params);
  if (!used) return fail(used);
  auto sessions = run_counted(tx, kDeleteSessions, params);
  if (!sessions) return fail(sessions);
  return *tokens + *used + *sessions;
}

Result<std::int64_t> delete_old_revocations(Tx& tx, Time before, std::int64_t limit) {
  return run_counted(tx, kDeleteRevocations, Params().time("before", before).i64("limit", limit));
}

}   // namespace agentauri::store
