#include "gateway/housekeeping.hpp"

#include "store/accounts.hpp"
#include "store/api_keys.hpp"
#include "store/idempotency.hpp"
#include "store/invitations.hpp"
#include "store/wallets.hpp"

namespace agentauri::gateway {

Housekeeping::Housekeeping(store::Database& db, const Clock& clock, Metrics& metrics, RevocationFeed& revocations,
                           KeyTrail& trail, SessionUses& session_uses)
    : db_(db),
      clock_(clock),
      metrics_(metrics),
      revocations_(revocations),
      trail_(trail),
      session_uses_(session_uses),
      revoked_(db, std::string(store::kRevocationsChannel)) {}

Task<Result<std::int64_t>> Housekeeping::clean_up() {
  const Time now = clock_.now();
  const Time before = now - kDeadSessionRetention, audit_before = now - kAuditRetention,
             nonces_before = now - kNonceRetention, keys_before = now - store::kIdempotencyLife;
  std::int64_t gone = 0;
  for (int i = 0; i < kMaxCleanupBatches; ++i) {
    auto batch = co_await db_.transact<std::int64_t>(
        store::Priority::bulk,
        [before, audit_before, nonces_before, keys_before](store::Tx& tx) -> Result<std::int64_t> {
          auto sessions = store::delete_dead_sessions(tx, before, kCleanupBatch);
          if (!sessions) return fail(sessions);
          auto revocations = store::delete_old_revocations(tx, before, kCleanupBatch);
          if (!revocations) return fail(revocations);
          auto audit = store::delete_old_audit(tx, audit_before, kCleanupBatch);
          if (!audit) return fail(audit);
          auto nonces = store::delete_old_nonces(tx, nonces_before, kCleanupBatch);
          if (!nonces) return fail(nonces);
          auto keys = store::delete_old_idempotency_keys(tx, keys_before, kCleanupBatch);
          if (!keys) return fail(keys);
          auto invitations = store::delete_old_invitations(tx, audit_before, kCleanupBatch);
          if (!invitations) return fail(invitations);
          return *sessions + *revocations + *audit + *nonces + *keys + *invitations;
        });
    if (!batch) co_return fail(batch);
    gone += *batch;
    if (*batch == 0) break;
  }
  co_return gone;
}

Task<void> Housekeeping::follow() {
  auto polled = co_await revocations_.poll();
  // Once per change: a database that is away is noticed by everybody.
  if (!polled && follows_)
    log_.warn("revocations cannot be followed; every credential is looked up until they can",
              {{"text", polled.error().text}});
  if (polled && !follows_) log_.info("revocations are followed again");
  follows_ = polled.has_value();
}

Task<void> Housekeeping::write_trail() {
  auto written = co_await trail_.flush();
  if (!written && writes_)
    log_.warn("the audit of API keys cannot be written; it waits in memory", {{"text", written.error().text}});
  if (written && !writes_) log_.info("the audit of API keys is written again");
  writes_ = written.has_value();
}

Task<void> Housekeeping::write_session_uses() {
  auto written = co_await session_uses_.flush();
  if (!written && writes_uses_)
    log_.warn("the last use of sessions cannot be written; it waits in memory", {{"text", written.error().text}});
  if (written && !writes_uses_) log_.info("the last use of sessions is written again");
  writes_uses_ = written.has_value();
}

Task<void> Housekeeping::clean_up_when_due() {
  const auto now = std::chrono::steady_clock::now();
  if (!follows_ || now - cleaned_at_ < kCleanupInterval) co_return;
  cleaned_at_ = now;
  auto gone = co_await clean_up();
  metrics_.counter("background_task_executions_total", "Runs of background tasks", {{"task", "dead_sessions"}}).add();
  if (!gone)
    log_.warn("dead sessions could not be removed; the next try is in an hour", {{"text", gone.error().text}});
  else
    metrics_.counter("background_task_records_deleted", "Rows removed by background tasks", {{"task", "dead_sessions"}})
        .add(static_cast<double>(*gone));
}

Task<void> Housekeeping::run() {
  const auto revoked = revoked_.listen(co_await this_executor());
  while (!co_await cancelled()) {
    co_await follow();
    if (std::chrono::steady_clock::now() - written_at_ >= kTrailInterval) {
      written_at_ = std::chrono::steady_clock::now();
      co_await write_trail();
      co_await write_session_uses();
    }
    co_await clean_up_when_due();
    co_await revoked->wait_for(kRevocationPoll);
  }
  co_await write_trail();
  co_await write_session_uses();
}

}   // namespace agentauri::gateway
