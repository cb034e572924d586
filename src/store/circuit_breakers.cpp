#include "store/circuit_breakers.hpp"

namespace agentauri::store {
namespace {

const Query kRead{"breaker_read",
                  "SELECT chain_id, state FROM trigger_state WHERE trigger_id = :trigger AND condition_id = 0 AND "
                  "condition_rev = :revision ORDER BY chain_id"};
const Query kSet{"breaker_set",
                 "UPDATE triggers SET breaker_threshold = :threshold, breaker_recovery_seconds = :recovery, "
                 "breaker_half_open_calls = :calls, breaker_revision = :revision WHERE id = :trigger"};

}   // namespace

Result<std::vector<StoredBreaker>> read_breakers(Tx& tx, domain::TriggerId trigger, std::int64_t revision) {
  auto rows = tx.run(kRead, Params().id("trigger", trigger).i64("revision", revision));
  if (!rows) return fail(rows);
  std::vector<StoredBreaker> out;
  for (std::size_t i = 0; i < rows->size(); ++i) out.push_back({rows->i64(i, 0), rows->text(i, 1)});
  return out;
}

Result<void> set_breaker(Tx& tx, domain::TriggerId trigger, const domain::CircuitBreaker& breaker) {
  auto set = tx.run(kSet, Params()
                              .id("trigger", trigger)
                              .i64("threshold", breaker.failure_threshold)
                              .i64("recovery", breaker.recovery_timeout_seconds)
                              .i64("calls", breaker.half_open_max_calls)
                              .i64("revision", breaker.revision));
  if (!set) return fail(set);
  return {};
}

}   // namespace agentauri::store
