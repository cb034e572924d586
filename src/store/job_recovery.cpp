// Jobs that are leased and that nobody works at any more: they are due again, and their open attempt is `unknown`.
//
// Like everybody who ends an attempt, the job's row comes first and then its attempts: the lock on the job decides
// between a result and whoever takes the job back, and nobody waits for the other way round.
#include "core/json/json.hpp"
#include "store/job_batch.hpp"
#include "store/jobs.hpp"

namespace agentauri::store {
namespace {

#define AGAIN(NOW)                                                                                                    \
  "UPDATE jobs SET state = CASE WHEN orphaned THEN 'cancelled' ELSE 'pending' END, reason = CASE WHEN orphaned THEN " \
  "'orphaned' ELSE reason END, next_at = :now, lease_instance = NULL, updated_at = :now, finished_at = CASE WHEN "    \
  "orphaned THEN " NOW " END "
#define GONE                                                                                                           \
  "WHERE state = 'leased' AND (lease_instance IS NULL OR (lease_instance <> :me AND lease_instance NOT IN (SELECT id " \
  "FROM instances WHERE heartbeat_at >= :since))) RETURNING id"
const Query kRecover{"job_recover", AGAIN(":now") GONE, AGAIN("CAST(:now AS timestamptz)") GONE};
#undef GONE
#define UNANSWERED                                                                                       \
  "WHERE jobs.id = r.id AND jobs.state = 'leased' AND jobs.lease_instance = :me AND jobs.lease_epoch = " \
  "r.epoch RETURNING jobs.id"
const Query kGiveBack{"job_give_back", AGAIN(":now") "FROM " JOB_ROWS("value AS epoch") UNANSWERED,
                      AGAIN("CAST(:now AS timestamptz)") "FROM " JOB_ROWS_POSTGRES(
                          "CAST(CAST(value AS text) AS bigint) AS epoch") UNANSWERED};
#undef UNANSWERED
#undef AGAIN

#define UNKNOWN \
  "UPDATE attempts SET finished_at = :now, outcome = 'unknown', excerpt = :why WHERE finished_at IS NULL AND job_id "
const Query kUnknown{"attempt_unknown", UNKNOWN "IN " JOB_IDS, UNKNOWN "= ANY " JOB_IDS_POSTGRES};
#undef UNKNOWN
const Query kLeased{"job_leased", "SELECT id, lease_epoch FROM jobs WHERE state = 'leased' AND lease_instance = :me"};

Result<std::int64_t> close_attempts(Tx& tx, const Rows& jobs, std::string_view why, Time now) {
  if (jobs.empty()) return 0;
  JobIdList ids;
  for (std::size_t i = 0; i < jobs.size(); ++i) ids.add(jobs.fixed<32>(i, 0));
  auto closed = tx.run(kUnknown, Params().blob("ids", ids.bytes()).text("why", std::string(why)).time("now", now));
  if (!closed) return fail(closed);
  return static_cast<std::int64_t>(jobs.size());
}

}   // namespace

Result<std::int64_t> recover_jobs(Tx& tx, Time silent_since, Time now, domain::InstanceId me) {
  auto jobs = tx.run(kRecover, Params().time("since", silent_since).time("now", now).id("me", me));
  if (!jobs) return fail(jobs);
  return close_attempts(tx, *jobs, "the worker ended before it had an answer", now);
}

Result<std::vector<LeasedJob>> leased_jobs(Tx& tx, domain::InstanceId me) {
  auto rows = tx.run(kLeased, Params().id("me", me));
  if (!rows) return fail(rows);
  std::vector<LeasedJob> out;
  out.reserve(rows->size());
  for (std::size_t i = 0; i < rows->size(); ++i) out.push_back({rows->fixed<32>(i, 0), rows->i64(i, 1)});
  return out;
}

Result<std::int64_t> give_back_jobs(Tx& tx, domain::InstanceId me, const std::vector<LeasedJob>& jobs, Time now) {
  if (jobs.empty()) return 0;
  JobIdList ids;
  json::Array epochs;
  for (const auto& job : jobs) {
    ids.add(job.id);
    epochs.emplace_back(job.lease_epoch);
  }
  auto given = tx.run(kGiveBack,
                      Params().blob("ids", ids.bytes()).text("rows", json::dump(epochs)).id("me", me).time("now", now));
  if (!given) return fail(given);
  return close_attempts(tx, *given, "the worker did not learn that it had this job, or could not record its end", now);
}

}   // namespace agentauri::store
