// API keys, what was done with them, and what was presented as a key and was none; the same on SQLite and PostgreSQL.
// A key is known by the SHA-256 of its text; the text itself is nowhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/ids.hpp"
#include "store/database.hpp"

namespace agentauri::store {

struct ApiKey {
  domain::ApiKeyId id;
  domain::OrganizationId organization_id;
  std::string name, prefix, environment, key_type;
  std::vector<std::string> permissions;   // as written, duplicates too
  std::optional<std::int64_t> rate_limit_override;
  std::optional<Time> expires_at;
  Time created_at;
  domain::AccountId created_by;
  std::optional<Time> last_used_at, revoked_at;
};
// A key with what authentication needs to know of its organization and its creator.
struct ApiKeyView {
  ApiKey key;
  std::string plan;
  std::string username;   // of the creator
  bool is_active = false;
};

Result<void> insert_api_key(Tx& tx, const ApiKey& key, const Hash32& hash);
Result<std::optional<ApiKey>> find_api_key(Tx& tx, domain::ApiKeyId id);
// The same, and nobody else changes the key until the transaction ends.
Result<std::optional<ApiKey>> lock_api_key(Tx& tx, domain::ApiKeyId id);
// Revoked and expired ones too.
Result<std::optional<ApiKeyView>> find_api_key_by_hash(Tx& tx, const Hash32& hash);
// Name and expiry; appends to `revocations`, so that nobody goes by the old expiry.
Result<void> update_api_key(Tx& tx, const ApiKey& key, Time now);
// Appends to `revocations`.
Result<void> revoke_api_key(Tx& tx, domain::ApiKeyId id, const std::optional<std::string>& reason, Time now);
// Every key of the organization that is not revoked yet; returns their ids.
Result<std::vector<domain::ApiKeyId>> revoke_api_keys_of(Tx& tx, domain::OrganizationId organization,
                                                         std::string_view reason, Time now);

// Appends every living key that the user made to `revocations`: the keys stay what they are, and every process looks
// again at whether their creator is active.
Result<void> recheck_api_keys_of(Tx& tx, domain::AccountId creator, Time now);

struct ApiKeyPage {
  std::vector<ApiKey> rows;
  std::int64_t total = 0;   // counted to kMaxCounted (counting.hpp)
};
// Newest first.
Result<ApiKeyPage> list_api_keys(Tx& tx, domain::OrganizationId organization, bool include_revoked, std::int64_t limit,
                                 std::int64_t offset);
// Those that are not revoked.
Result<std::int64_t> count_live_api_keys(Tx& tx, domain::OrganizationId organization, std::int64_t up_to);

struct ApiKeyStats {
  std::int64_t total = 0, active = 0, expired = 0, revoked = 0, unused = 0, expiring_soon = 0;
  std::int64_t live = 0, test = 0, standard = 0, restricted = 0, admin = 0;   // without revoked ones
  std::int64_t calls_total = 0, calls_24h = 0, failed_24h = 0, rate_limited_24h = 0;
};
// Calls are counted in the audit, so as far back as that is kept.
Result<ApiKeyStats> read_api_key_stats(Tx& tx, domain::OrganizationId organization, Time now);

// --- audit -----------------------------------------------------------------------------------------------------------

// Where a request came from. Printable ASCII; whoever fills it sees to that.
struct RequestOrigin {
  std::optional<std::string> ip, user_agent, endpoint;
  std::string request_id = {};   // joins the details of what is written; empty: of no request
};
struct ApiKeyAudit {
  domain::ApiKeyId key_id;
  domain::OrganizationId organization_id;
  std::string event_type;   // created, updated, revoked, rotated, used, auth_failed
  RequestOrigin origin;
  std::optional<domain::AccountId> actor;   // nullopt for the use of a key
  std::optional<std::string> details;       // JSON
  Time at;
};
struct AuthFailure {
  std::string failure_type;   // invalid_format, invalid_key
  std::optional<std::string> key_prefix;
  RequestOrigin origin;
  std::optional<std::string> details;   // JSON
  Time at;
};
struct ApiKeyUse {
  domain::ApiKeyId key_id;
  std::optional<std::string> ip;
  Time at;
};

Result<void> insert_api_key_audit(Tx& tx, const std::vector<ApiKeyAudit>& rows);
Result<void> insert_auth_failures(Tx& tx, const std::vector<AuthFailure>& rows);
// An older use than the one that is noted already changes nothing.
Result<void> note_api_key_uses(Tx& tx, const std::vector<ApiKeyUse>& uses);
// At most `limit` rows of each; returns how many went.
Result<std::int64_t> delete_old_audit(Tx& tx, Time before, std::int64_t limit);

}   // namespace agentauri::store
