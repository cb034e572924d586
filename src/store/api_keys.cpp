#include "store/api_keys.hpp"

#include "core/json/json.hpp"
#include "store/accounts.hpp"
#include "store/counting.hpp"

namespace agentauri::store {
namespace {

using domain::AccountId;
using domain::ApiKeyId;
using domain::OrganizationId;

#define KEY_COLUMNS                                                                                              \
  "k.id, k.organization_id, k.name, k.prefix, k.environment, k.key_type, k.permissions, k.rate_limit_override, " \
  "k.expires_at, k.created_at, k.created_by, k.last_used_at, k.revoked_at "
const Query kInsert{"api_key_insert",
                    "INSERT INTO api_keys (id, organization_id, name, key_hash, prefix, environment, key_type, "
                    "permissions, rate_limit_override, expires_at, created_at, created_by) VALUES (:id, :organization, "
                    ":name, :hash, :prefix, :environment, :type, :permissions, :override, :expires_at, :created_at, "
                    ":created_by)"};
const Query kFind{"api_key_find", "SELECT " KEY_COLUMNS "FROM api_keys k WHERE k.id = :id"};
const Query kLock{"api_key_lock", "SELECT " KEY_COLUMNS "FROM api_keys k WHERE k.id = :id",
                  "SELECT " KEY_COLUMNS "FROM api_keys k WHERE k.id = :id FOR UPDATE"};
const Query kFindByHash{"api_key_find_by_hash",
                        "SELECT " KEY_COLUMNS
                        ", o.plan, a.username, a.is_active FROM api_keys k "
                        "JOIN organizations o ON o.id = k.organization_id JOIN accounts a ON a.id = k.created_by "
                        "WHERE k.key_hash = :hash"};
const Query kList{"api_key_list", "SELECT " KEY_COLUMNS
                                  "FROM api_keys k WHERE k.organization_id = :organization AND (CAST(:all AS boolean) "
                                  "OR k.revoked_at IS NULL) ORDER BY k.created_at DESC, k.id DESC LIMIT :limit "
                                  "OFFSET :offset"};
#undef KEY_COLUMNS
const Query kCount{"api_key_count",
                   "SELECT count(*) FROM (SELECT 1 FROM api_keys WHERE organization_id = :organization AND "
                   "(CAST(:all AS boolean) OR revoked_at IS NULL) LIMIT :limit) AS counted"};
const Query kUpdate{"api_key_update", "UPDATE api_keys SET name = :name, expires_at = :expires_at WHERE id = :id"};
const Query kRevoke{
    "api_key_revoke",
    "UPDATE api_keys SET revoked_at = :now, revoke_reason = :reason WHERE id = :id AND revoked_at IS NULL"};
const Query kRevokeAll{"api_key_revoke_all",
                       "UPDATE api_keys SET revoked_at = :now, revoke_reason = :reason WHERE organization_id = "
                       ":organization AND revoked_at IS NULL RETURNING id"};

const Query kOfCreator{"api_key_of_creator",
                       "SELECT id FROM api_keys WHERE created_by = :creator AND revoked_at IS NULL"};

#define COUNT_IF(CONDITION) "count(CASE WHEN " CONDITION " THEN 1 END)"
#define LIVING(CONDITION) COUNT_IF("revoked_at IS NULL AND " CONDITION)
const Query kStats{"api_key_stats",
                   "SELECT count(*), " LIVING("(expires_at IS NULL OR expires_at >= :now)") ", "
                   LIVING("expires_at < :now") ", " COUNT_IF("revoked_at IS NOT NULL") ", "
                   LIVING("last_used_at IS NULL") ", " LIVING("expires_at >= :now AND expires_at <= :soon") ", "
                   LIVING("environment = 'live'") ", " LIVING("environment = 'test'") ", "
                   LIVING("key_type = 'standard'") ", " LIVING("key_type = 'restricted'") ", "
                   LIVING("key_type = 'admin'") " FROM api_keys WHERE organization_id = :organization"};
#undef LIVING
#undef COUNT_IF
#define CALLS(TYPE, AGE) \
  "(SELECT count(*) FROM api_key_audit WHERE organization_id = :organization AND event_type = '" TYPE "'" AGE ")"
#define TODAY " AND created_at > :day_ago"
const Query kCalls{"api_key_calls", "SELECT " CALLS("used", "") ", " CALLS("used", TODAY) ", " CALLS(
                                        "auth_failed", TODAY) ", " CALLS("rate_limited", TODAY)};
#undef TODAY
#undef CALLS

const Query kInsertAudit{
    "api_key_audit_insert",
    "INSERT INTO api_key_audit (id, key_id, organization_id, event_type, ip, user_agent, endpoint, actor_id, details, "
    "created_at) VALUES (:id, :key, :organization, :type, :ip, :user_agent, :endpoint, :actor, :details, :at)"};
const Query kInsertFailure{
    "auth_failure_insert",
    "INSERT INTO auth_failures (id, failure_type, key_prefix, ip, user_agent, endpoint, details, created_at) "
    "VALUES (:id, :type, :prefix, :ip, :user_agent, :endpoint, :details, :at)"};
const Query kNoteUse{"api_key_note_use",
                     "UPDATE api_keys SET last_used_at = :at, last_used_ip = :ip WHERE id = :id AND (last_used_at IS "
                     "NULL OR last_used_at <= :at)"};
const Query kDeleteAudit{
    "api_key_audit_delete_old",
    "DELETE FROM api_key_audit WHERE id IN (SELECT id FROM api_key_audit WHERE created_at < :before LIMIT :limit)"};
const Query kDeleteFailures{
    "auth_failure_delete_old",
    "DELETE FROM auth_failures WHERE id IN (SELECT id FROM auth_failures WHERE created_at < :before LIMIT :limit)"};

std::string permissions_to_json(const std::vector<std::string>& permissions) {
  json::Array out;
  for (const auto& permission : permissions) out.emplace_back(json::String(permission));
  return json::dump(out);
}

Result<std::vector<std::string>> permissions_from_json(const std::string& text) {
  const auto parsed = json::parse(text);
  std::vector<std::string> out;
  if (!parsed || !parsed->is_array()) return fail(Code::corrupt, "api_keys.permissions", "is not a JSON array");
  for (const auto& item : parsed->get_array()) {
    if (!item.is_string()) return fail(Code::corrupt, "api_keys.permissions", "holds something other than text");
    out.emplace_back(json::view(item.get_string()));
  }
  return out;
}

Result<ApiKey> read_key(const Rows& rows, std::size_t i) {
  ApiKey out;
  out.id = rows.id<ApiKeyId>(i, 0);
  out.organization_id = rows.id<OrganizationId>(i, 1);
  out.name = rows.text(i, 2);
  out.prefix = rows.text(i, 3);
  out.environment = rows.text(i, 4);
  out.key_type = rows.text(i, 5);
  auto permissions = permissions_from_json(rows.text(i, 6));
  if (!permissions) return fail(permissions);
  out.permissions = std::move(*permissions);
  out.rate_limit_override = rows.i64_or_null(i, 7);
  out.expires_at = rows.time_or_null(i, 8);
  out.created_at = rows.time(i, 9);
  out.created_by = rows.id<AccountId>(i, 10);
  out.last_used_at = rows.time_or_null(i, 11);
  out.revoked_at = rows.time_or_null(i, 12);
  return out;
}

Result<std::optional<ApiKey>> find_with(Tx& tx, const Query& query, ApiKeyId id) {
  auto rows = tx.run(query, Params().id("id", id));
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  auto key = read_key(*rows, 0);
  if (!key) return fail(key);
  return std::move(*key);
}

Result<void> run_void(Tx& tx, const Query& query, const Params& params) {
  auto done = tx.run(query, params);
  if (!done) return fail(done);
  return {};
}
Result<void> run_all(Tx& tx, const Query& query, const std::vector<Params>& sets) {
  if (sets.empty()) return {};
  auto done = tx.run_many(query, sets);
  if (!done) return fail(done);
  return {};
}

Result<std::int64_t> count(Tx& tx, OrganizationId organization, bool all, std::int64_t up_to) {
  auto rows = tx.run(kCount, Params().id("organization", organization).boolean("all", all).i64("limit", up_to));
  if (!rows) return fail(rows);
  return rows->i64(0, 0);
}

}   // namespace

Result<void> insert_api_key(Tx& tx, const ApiKey& key, const Hash32& hash) {
  return run_void(tx, kInsert,
                  Params()
                      .id("id", key.id)
                      .id("organization", key.organization_id)
                      .text("name", key.name)
                      .text("hash", to_hex(hash.view()))
                      .text("prefix", key.prefix)
                      .text("environment", key.environment)
                      .text("type", key.key_type)
                      .text("permissions", permissions_to_json(key.permissions))
                      .i64("override", key.rate_limit_override)
                      .time("expires_at", key.expires_at)
                      .time("created_at", key.created_at)
                      .id("created_by", key.created_by));
}

Result<std::optional<ApiKey>> find_api_key(Tx& tx, ApiKeyId id) {
  return find_with(tx, kFind, id);
}
Result<std::optional<ApiKey>> lock_api_key(Tx& tx, ApiKeyId id) {
  return find_with(tx, kLock, id);
}

Result<std::optional<ApiKeyView>> find_api_key_by_hash(Tx& tx, const Hash32& hash) {
  auto rows = tx.run(kFindByHash, Params().text("hash", to_hex(hash.view())));
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  auto key = read_key(*rows, 0);
  if (!key) return fail(key);
  return ApiKeyView{std::move(*key), rows->text(0, 13), rows->text(0, 14), rows->boolean(0, 15)};
}

Result<void> update_api_key(Tx& tx, const ApiKey& key, Time now) {
  auto updated =
      run_void(tx, kUpdate, Params().id("id", key.id).text("name", key.name).time("expires_at", key.expires_at));
  if (!updated) return updated;
  return append_revocation(tx, key.id.uuid, now);
}

Result<void> revoke_api_key(Tx& tx, ApiKeyId id, const std::optional<std::string>& reason, Time now) {
  auto revoked = run_void(tx, kRevoke, Params().id("id", id).text("reason", reason).time("now", now));
  if (!revoked) return revoked;
  return append_revocation(tx, id.uuid, now);
}

Result<std::vector<ApiKeyId>> revoke_api_keys_of(Tx& tx, OrganizationId organization, std::string_view reason,
                                                 Time now) {
  auto rows = tx.run(kRevokeAll,
                     Params().id("organization", organization).text("reason", std::string(reason)).time("now", now));
  if (!rows) return fail(rows);
  std::vector<ApiKeyId> out;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    out.push_back(rows->id<ApiKeyId>(i, 0));
    if (auto noted = append_revocation(tx, out.back().uuid, now); !noted) return fail(noted);
  }
  return out;
}

Result<void> recheck_api_keys_of(Tx& tx, AccountId creator, Time now) {
  auto rows = tx.run(kOfCreator, Params().id("creator", creator));
  if (!rows) return fail(rows);
  for (std::size_t i = 0; i < rows->size(); ++i) {
    if (auto told = append_revocation(tx, rows->uuid(i, 0), now); !told) return told;
  }
  return {};
}

Result<ApiKeyPage> list_api_keys(Tx& tx, OrganizationId organization, bool include_revoked, std::int64_t limit,
                                 std::int64_t offset) {
  ApiKeyPage page;
  auto total = count(tx, organization, include_revoked, kMaxCounted);
  if (!total) return fail(total);
  page.total = *total;
  auto rows = tx.run(kList, Params()
                                .id("organization", organization)
                                .boolean("all", include_revoked)
                                .i64("limit", limit)
                                .i64("offset", offset));
  if (!rows) return fail(rows);
  for (std::size_t i = 0; i < rows->size(); ++i) {
    auto key = read_key(*rows, i);
    if (!key) return fail(key);
    page.rows.push_back(std::move(*key));
  }
  return page;
}

Result<std::int64_t> count_live_api_keys(Tx& tx, OrganizationId organization, std::int64_t up_to) {
  return count(tx, organization, false, up_to);
}

Result<ApiKeyStats> read_api_key_stats(Tx& tx, OrganizationId organization, Time now) {
  auto keys = tx.run(
      kStats, Params().id("organization", organization).time("now", now).time("soon", now + std::chrono::days(7)));
  if (!keys) return fail(keys);
  auto calls = tx.run(kCalls, Params().id("organization", organization).time("day_ago", now - std::chrono::days(1)));
  if (!calls) return fail(calls);
  ApiKeyStats out;
  std::size_t column = 0;
  for (auto* field : {&out.total, &out.active, &out.expired, &out.revoked, &out.unused, &out.expiring_soon, &out.live,
                      &out.test, &out.standard, &out.restricted, &out.admin})
    *field = keys->i64(0, column++);
  column = 0;
  for (auto* field : {&out.calls_total, &out.calls_24h, &out.failed_24h, &out.rate_limited_24h})
    *field = calls->i64(0, column++);
  return out;
}

namespace {

// One id leads from a row of the audit to the lines of the log, and back.
std::optional<std::string> with_request_id(const std::optional<std::string>& details, const std::string& request_id) {
  if (request_id.empty()) return details;
  json::Object out;
  if (details) {
    if (auto parsed = json::parse(*details); parsed && parsed->is_object()) out = std::move(parsed->get_object());
  }
  out["request_id"] = json::String(request_id);
  return json::dump(out);
}

}   // namespace

Result<void> insert_api_key_audit(Tx& tx, const std::vector<ApiKeyAudit>& rows) {
  std::vector<Params> sets;
  for (const auto& row : rows) {
    sets.push_back(Params()
                       .uuid("id", make_uuid_v7(row.at))
                       .id("key", row.key_id)
                       .id("organization", row.organization_id)
                       .text("type", row.event_type)
                       .text("ip", row.origin.ip)
                       .text("user_agent", row.origin.user_agent)
                       .text("endpoint", row.origin.endpoint)
                       .uuid("actor", row.actor ? std::optional(row.actor->uuid) : std::nullopt)
                       .text("details", with_request_id(row.details, row.origin.request_id))
                       .time("at", row.at));
  }
  return run_all(tx, kInsertAudit, sets);
}

Result<void> insert_auth_failures(Tx& tx, const std::vector<AuthFailure>& rows) {
  std::vector<Params> sets;
  for (const auto& row : rows) {
    sets.push_back(Params()
                       .uuid("id", make_uuid_v7(row.at))
                       .text("type", row.failure_type)
                       .text("prefix", row.key_prefix)
                       .text("ip", row.origin.ip)
                       .text("user_agent", row.origin.user_agent)
                       .text("endpoint", row.origin.endpoint)
                       .text("details", with_request_id(row.details, row.origin.request_id))
                       .time("at", row.at));
  }
  return run_all(tx, kInsertFailure, sets);
}

Result<void> note_api_key_uses(Tx& tx, const std::vector<ApiKeyUse>& uses) {
  std::vector<Params> sets;
  for (const auto& use : uses) sets.push_back(Params().id("id", use.key_id).text("ip", use.ip).time("at", use.at));
  return run_all(tx, kNoteUse, sets);
}

Result<std::int64_t> delete_old_audit(Tx& tx, Time before, std::int64_t limit) {
  const Params params = Params().time("before", before).i64("limit", limit);
  auto audit = tx.run(kDeleteAudit, params);
  if (!audit) return fail(audit);
  auto failures = tx.run(kDeleteFailures, params);
  if (!failures) return fail(failures);
  return audit->affected() + failures->affected();
}

}   // namespace agentauri::store
