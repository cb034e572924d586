#include "gateway/housekeeping.hpp"

#include "store/accounts.hpp"
#include "store/api_keys.hpp"
#include "store/idempotency.hpp"
#include "store/invitations.hpp"
#include "store/wallets.hpp"

namespace agentauri::gateway {

const std::array<Housekeeping::Kept, 6> Housekeeping::kKept{{
    {"sessions", kDeadSessionRetention, store::delete_dead_sessions},
    {"revocations", kDeadSessionRetention, store::delete_old_revocations},
    {"audit", kAuditRetention, store::delete_old_audit},
    {"nonces", kNonceRetention, store::delete_old_nonces},
    {"idempotency_keys", store::kIdempotencyLife, store::delete_old_idempotency_keys},
    {"invitations", kAuditRetention, store::delete_old_invitations},
}};

Housekeeping::Housekeeping(store::Database& db, const Clock& clock, Metrics& metrics, RevocationFeed& revocations,
                           KeyTrail& trail, SessionUses& session_uses)
    : db_(db),
      clock_(clock),
      revocations_(revocations),
      trail_(trail),
      session_uses_(session_uses),
      revoked_(db, std::string(store::kRevocationsChannel)) {
  for (const auto& kept : kKept) tasks_.try_emplace(kept.task, metrics, kept.task);
}

Task<Result<std::int64_t>> Housekeeping::clean_up(const Kept& kept) {
  const BackgroundTask& task = tasks_.at(kept.task);
  const BackgroundTask::Run run(task);
  std::int64_t gone = 0;
  for (int i = 0; i < kMaxCleanupBatches; ++i) {
    auto remove = [&kept, before = clock_.now() - kept.retention](store::Tx& tx) {
      return kept.remove(tx, before, kCleanupBatch);
    };
    auto batch = co_await db_.transact<std::int64_t>(store::Priority::bulk, std::move(remove));
    if (!batch) co_return fail(batch);
    if (*batch == 0) break;
    gone += *batch;
    task.deleted(*batch);
  }
  co_return gone;
}

Task<Result<std::int64_t>> Housekeeping::clean_up() {
  std::int64_t gone = 0;
  for (const auto& kept : kKept) {
    auto cleaned = co_await clean_up(kept);
    if (!cleaned) co_return cleaned;
    gone += *cleaned;
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
  if (!gone) log_.warn("what is old could not be removed; the next try is in an hour", {{"text", gone.error().text}});
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
