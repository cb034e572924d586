#include "store/latency.hpp"

namespace agentauri::store {
namespace {

const Query kLatency{"latency_of",
                     "SELECT b.time, b.seen_at, e.inserted_at, j.created_at, a.intended_at, a.finished_at FROM jobs j "
                     "JOIN blocks b ON b.chain_id = j.chain_id AND b.hash = j.block_hash "
                     "JOIN events e ON e.chain_id = j.chain_id AND e.block_hash = j.block_hash AND e.block_time = "
                     "b.time AND e.id = j.event_id JOIN attempts a ON a.job_id = j.id AND a.n = 1 WHERE j.id = :job"};

}   // namespace

Result<std::optional<LatencyBill>> latency_of(Tx& tx, const domain::JobId& job) {
  auto rows = tx.run(kLatency, Params().blob("job", job.view()));
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  return LatencyBill{rows->time(0, 0), rows->time(0, 1), rows->time(0, 2),
                     rows->time(0, 3), rows->time(0, 4), rows->time_or_null(0, 5)};
}

}   // namespace agentauri::store
