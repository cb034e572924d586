#include "store/idempotency.hpp"

namespace agentauri::store {
namespace {

#define OF_SCOPE "principal = :principal AND route = :route AND key = :key"
// Changes a row when there is none, or when the one that is there has had its day.
const Query kTake{"idempotency_take",
                  "INSERT INTO idempotency_keys (principal, route, key, request_hash, created_at) VALUES (:principal, "
                  ":route, :key, :hash, :now) ON CONFLICT (principal, route, key) DO UPDATE SET request_hash = :hash, "
                  "status = NULL, body = NULL, secret_of = NULL, created_at = :now WHERE "
                  "idempotency_keys.created_at <= :expired"};
const Query kRead{"idempotency_read",
                  "SELECT request_hash, status, body, secret_of FROM idempotency_keys WHERE " OF_SCOPE};
const Query kRemember{
    "idempotency_remember",
    "UPDATE idempotency_keys SET status = :status, body = :body, secret_of = :secret_of WHERE " OF_SCOPE};
const Query kLetGo{"idempotency_let_go", "DELETE FROM idempotency_keys WHERE " OF_SCOPE};
#undef OF_SCOPE
const Query kDeleteOld{"idempotency_delete_old",
                       "DELETE FROM idempotency_keys WHERE (principal, route, key) IN (SELECT principal, route, key "
                       "FROM idempotency_keys WHERE created_at <= :before LIMIT :limit)"};

Params scope_params(const IdempotencyScope& scope) {
  return Params().text("principal", scope.principal).text("route", scope.route).text("key", scope.key);
}

Result<void> run_void(Tx& tx, const Query& query, const Params& params) {
  auto row = tx.run(query, params);
  if (!row) return fail(row);
  return {};
}

}   // namespace

Result<std::optional<RememberedAnswer>> take_idempotency_key(Tx& tx, const IdempotencyScope& scope,
                                                             const std::string& request_hash, Time now) {
  auto taken = tx.run(
      kTake, scope_params(scope).text("hash", request_hash).time("now", now).time("expired", now - kIdempotencyLife));
  if (!taken) return fail(taken);
  if (taken->affected() > 0) return std::nullopt;
  auto rows = tx.run(kRead, scope_params(scope));
  if (!rows) return fail(rows);
  // Forgotten by housekeeping between the two statements: running again takes it.
  if (rows->empty() || rows->is_null(0, 1)) return fail(Code::busy, "the answer of an idempotency key went away");
  RememberedAnswer out;
  out.request_hash = rows->text(0, 0);
  out.status = rows->i64(0, 1);
  out.body = rows->text_or_null(0, 2);
  out.secret_of = rows->text_or_null(0, 3);
  return out;
}

Result<void> remember_answer(Tx& tx, const IdempotencyScope& scope, const RememberedAnswer& answer) {
  return run_void(
      tx, kRemember,
      scope_params(scope).i64("status", answer.status).text("body", answer.body).text("secret_of", answer.secret_of));
}

Result<void> let_go_of_idempotency_key(Tx& tx, const IdempotencyScope& scope) {
  return run_void(tx, kLetGo, scope_params(scope));
}

Result<std::int64_t> delete_old_idempotency_keys(Tx& tx, Time before, std::int64_t limit) {
  auto row = tx.run(kDeleteOld, Params().time("before", before).i64("limit", limit));
  if (!row) return fail(row);
  return row->affected();
}

}   // namespace agentauri::store
