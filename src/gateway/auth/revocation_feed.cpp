#include "gateway/auth/revocation_feed.hpp"

#include "store/accounts.hpp"

namespace agentauri::gateway {

Task<Result<void>> RevocationFeed::poll() {
  const auto asked_at = std::chrono::steady_clock::now();
  if (!seq_) {
    auto newest = co_await db_.snapshot<std::int64_t>([](store::Tx& tx) { return store::newest_revocation(tx); });
    if (!newest) co_return fail(newest);
    for (auto* cache : caches_) cache->restart();
    seq_ = *newest;
  }
  while (true) {
    auto rows = co_await db_.snapshot<std::vector<store::Revocation>>(
        [from = *seq_](store::Tx& tx) { return store::read_revocations(tx, from, kRevocationBatch); });
    if (!rows) co_return fail(rows);
    for (const auto& row : *rows) {
      for (auto* cache : caches_) cache->revoke(row.id);
    }
    if (!rows->empty()) seq_ = rows->back().seq;
    if (static_cast<std::int64_t>(rows->size()) < kRevocationBatch) break;
  }
  for (auto* cache : caches_) cache->followed(asked_at);
  co_return Result<void>();
}

}   // namespace agentauri::gateway
