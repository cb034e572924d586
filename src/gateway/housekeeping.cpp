#include "gateway/housekeeping.hpp"

#include "store/accounts.hpp"

namespace agentauri::gateway {

Housekeeping::Housekeeping(store::Database& db, const Clock& clock, Metrics& metrics, SessionCache& sessions)
    : db_(db), clock_(clock), metrics_(metrics), sessions_(sessions) {}

Task<Result<std::int64_t>> Housekeeping::clean_up() {
  const Time before = clock_.now() - kDeadSessionRetention;
  std::int64_t gone = 0;
  for (int i = 0; i < kMaxCleanupBatches; ++i) {
    auto batch =
        co_await db_.transact<std::int64_t>(store::Priority::bulk, [before](store::Tx& tx) -> Result<std::int64_t> {
          auto sessions = store::delete_dead_sessions(tx, before, kCleanupBatch);
          if (!sessions) return fail(sessions);
          auto revocations = store::delete_old_revocations(tx, before, kCleanupBatch);
          if (!revocations) return fail(revocations);
          return *sessions + *revocations;
        });
    if (!batch) co_return fail(batch);
    gone += *batch;
    if (*batch == 0) break;
  }
  co_return gone;
}

Task<void> Housekeeping::run() {
  bool follows = true;
  auto cleaned_at = std::chrono::steady_clock::now() - kCleanupInterval;
  do {
    auto polled = co_await sessions_.poll();
    // Once per change: a database that is away is noticed by everybody.
    if (!polled && follows)
      log_.warn("revocations cannot be followed; every session is looked up until they can",
                {{"text", polled.error().text}});
    if (polled && !follows) log_.info("revocations are followed again");
    follows = polled.has_value();

    const auto now = std::chrono::steady_clock::now();
    if (!follows || now - cleaned_at < kCleanupInterval) continue;
    cleaned_at = now;
    auto gone = co_await clean_up();
    metrics_.counter("background_task_executions_total", "Runs of background tasks", {{"task", "dead_sessions"}}).add();
    if (!gone)
      log_.warn("dead sessions could not be removed; the next try is in an hour", {{"text", gone.error().text}});
    else
      metrics_
          .counter("background_task_records_deleted", "Rows removed by background tasks", {{"task", "dead_sessions"}})
          .add(static_cast<double>(*gone));
  } while (co_await sleep_for(kRevocationPoll));
}

}   // namespace agentauri::gateway
