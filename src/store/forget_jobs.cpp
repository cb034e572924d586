#include "store/forget_jobs.hpp"

#include "store/jobs.hpp"

namespace agentauri::store {
namespace {

// The lock: a job that a block revives meanwhile is not deleted under its feet, and another pass takes other rows.
#define ENDED                                                                                                 \
  "SELECT id, finished_at, CASE WHEN EXISTS (SELECT 1 FROM chains c WHERE c.chain_id = jobs.chain_id AND "    \
  "jobs.block_num > c.head_num - :undo) THEN 1 ELSE 0 END FROM jobs "                                         \
  "WHERE finished_at IS NOT NULL AND finished_at < :before AND (finished_at, id) > (:after_time, :after_id) " \
  "AND state IN ('succeeded', 'dead', 'cancelled', 'expired') ORDER BY finished_at, id LIMIT :limit"
const Query kEnded{"job_ended", ENDED, ENDED " FOR UPDATE OF jobs SKIP LOCKED"};
#undef ENDED
const Query kForgetAttempts{"attempt_forget", "DELETE FROM attempts WHERE job_id = :job"};
const Query kForgetJob{"job_forget", "DELETE FROM jobs WHERE id = :job"};

}   // namespace

Result<Forgotten> forget_jobs(Tx& tx, Time before, std::uint64_t undo_blocks, const std::optional<EndedJob>& after,
                              std::size_t limit) {
  const EndedJob from = after.value_or(EndedJob{from_unix_seconds(0), {}});
  auto rows = tx.run(kEnded, Params()
                                 .time("before", before)
                                 .i64("undo", static_cast<std::int64_t>(undo_blocks))
                                 .time("after_time", from.finished_at)
                                 .blob("after_id", from.id.view())
                                 .i64("limit", static_cast<std::int64_t>(limit)));
  if (!rows) return fail(rows);
  Forgotten out;
  std::vector<Params> ids;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    const auto id = rows->fixed<32>(i, 0);
    out.last = EndedJob{rows->time(i, 1), id};
    if (rows->i64(i, 2) == 0) ids.push_back(std::move(Params().blob("job", id.view())));
  }
  if (ids.empty()) return out;
  auto attempts = tx.run_many(kForgetAttempts, ids);
  if (!attempts) return fail(attempts);
  auto jobs = tx.run_many(kForgetJob, ids);
  if (!jobs) return fail(jobs);
  out.attempts = *attempts;
  out.jobs = *jobs;
  return out;
}

}   // namespace agentauri::store
