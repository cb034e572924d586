#include "store/due_jobs.hpp"

namespace agentauri::store {
namespace {

const Query kOldestDue{"job_oldest_due", "SELECT next_at FROM jobs WHERE state = 'pending' ORDER BY next_at LIMIT 1"};

}   // namespace

Result<std::optional<Time>> oldest_due_job(Tx& tx) {
  auto rows = tx.run(kOldestDue);
  if (!rows) return fail(rows);
  return rows->empty() ? std::nullopt : std::optional(rows->time(0, 0));
}

}   // namespace agentauri::store
