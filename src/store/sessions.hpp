// Sessions, their refresh tokens, and the sequence of what was revoked, the same on SQLite and PostgreSQL.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/ids.hpp"
#include "store/database.hpp"

namespace agentauri::store {

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
// Neither revoked nor expired, the one that was used last first.
Result<std::vector<Session>> list_sessions(Tx& tx, domain::AccountId account, Time now);

struct SessionUse {
  domain::SessionId id;
  Time at;
  std::optional<std::string> user_agent, ip;   // nullopt: as before
};
// An older use than the one that is noted already changes nothing, nor one of a session that has ended.
Result<void> note_session_uses(Tx& tx, const std::vector<SessionUse>& uses);
// Locks the row. false when the session is gone or revoked.
Result<bool> touch_session(Tx& tx, domain::SessionId id, Time now);
Result<void> extend_session(Tx& tx, domain::SessionId id, Time expires_at);
// Also appends to `revocations`. false when it was revoked already or does not exist.
Result<bool> revoke_session(Tx& tx, domain::SessionId id, std::string_view reason, Time now);
// Every session of the account that still lives, but for `spared`; which ones. Whoever may open one meanwhile holds the
// account.
Result<std::vector<domain::SessionId>> revoke_sessions_of(Tx& tx, domain::AccountId account,
                                                          std::optional<domain::SessionId> spared,
                                                          std::string_view reason, Time now);
// Of sessions that are neither revoked nor expired, oldest first.
Result<std::vector<domain::SessionId>> live_sessions(Tx& tx, domain::AccountId account, Time now);

// The sequence `revocations` says of which sessions and API keys every process must forget what it knew.
struct Revocation {
  std::int64_t seq = 0;
  Uuid id;   // of a session or a key
};
inline constexpr std::string_view kRevocationsChannel = "revocations";   // of Database::on_notify(): there is a new one
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
