#include "store/dead_jobs.hpp"

#include "store/counting.hpp"
#include "store/delivery_rows.hpp"

namespace agentauri::store {
namespace {

#define DEAD "trigger_id = :trigger AND state = 'dead' AND kind <> 'test' "
// Here and below the order also says which index is meant: a trigger has many more deliveries than dead ones.
const Query kCount{"dead_job_count", "SELECT count(*) FROM (SELECT 1 FROM jobs WHERE " DEAD
                                     "ORDER BY finished_at LIMIT :limit) AS counted"};
const Query kList{"dead_job_list", "SELECT " DELIVERY_COLUMNS "FROM jobs WHERE " DEAD
                                   "ORDER BY finished_at DESC, id LIMIT :limit OFFSET :offset"};

#define DEAD_COLUMNS                                                                                              \
  "SELECT jobs.id, jobs.action_id, jobs.action_type, jobs.state, jobs.orphaned, jobs.attempts, jobs.body IS NOT " \
  "NULL, jobs.event_data, a.id, a.disabled_reason, a.config FROM jobs LEFT JOIN trigger_actions a ON a.id = "     \
  "jobs.action_id AND a.trigger_id = jobs.trigger_id "
#define DEAD_HERE "WHERE jobs.trigger_id = :trigger AND jobs.state = 'dead' AND jobs.kind <> 'test' "
// SQLite has one writer, so its transaction is the lock.
#define LOCK " FOR UPDATE OF jobs"
#define ONE DEAD_COLUMNS "WHERE jobs.id = :job AND jobs.trigger_id = :trigger AND jobs.kind <> 'test'"
#define OF_EVENT DEAD_COLUMNS DEAD_HERE "AND jobs.event_id = :event ORDER BY jobs.finished_at, jobs.action_id"
#define REPLAYABLE                                                                         \
  DEAD_COLUMNS DEAD_HERE                                                                   \
      "AND NOT jobs.orphaned AND a.id IS NOT NULL AND a.disabled_reason IS NULL ORDER BY " \
      "jobs.finished_at, jobs.id LIMIT :limit"
const Query kLockOne{"dead_job_lock", ONE, ONE LOCK};
const Query kLockOfEvent{"dead_job_lock_event", OF_EVENT, OF_EVENT LOCK};
const Query kLockReplayable{"dead_job_lock_replayable", REPLAYABLE, REPLAYABLE LOCK};
#undef ONE
#undef OF_EVENT
#undef REPLAYABLE
#undef LOCK
#undef DEAD_HERE
#undef DEAD_COLUMNS

const Query kReplay{
    "dead_job_replay",
    "UPDATE jobs SET state = CASE WHEN attempts = 0 AND hold_until_block > COALESCE((SELECT c.head_num FROM chains c "
    "WHERE c.chain_id = jobs.chain_id), 0) THEN 'held' ELSE 'pending' END, reason = NULL, next_at = :now, "
    "expires_at = NULL, ladder_from = attempts, body = COALESCE(:body, body), endpoint = COALESCE(:endpoint, "
    "endpoint), request_id = COALESCE(:request_id, request_id), updated_at = :now, finished_at = NULL WHERE id = :job "
    "AND state = 'dead'"};
const Query kSetReason{"dead_job_set_reason",
                       "UPDATE jobs SET reason = :reason, updated_at = :now, finished_at = :now WHERE id = :job AND "
                       "state = 'dead'"};
const Query kPurge{"dead_job_purge",
                   "UPDATE jobs SET state = 'cancelled', reason = 'purged', updated_at = :now, finished_at = :now "
                   "WHERE state = 'dead' AND id IN (SELECT id FROM jobs WHERE " DEAD
                   "AND (CAST(:job AS bytea) IS NULL OR id = :job) AND (CAST(:event AS text) IS NULL OR event_id = "
                   ":event) ORDER BY finished_at, id LIMIT :limit)"};
#undef DEAD

DeadJob read_row(const Rows& rows, std::size_t i) {
  DeadJob out;
  out.id = rows.fixed<32>(i, 0);
  out.action_id = static_cast<domain::ActionId>(rows.i64(i, 1));
  out.action_type = domain::parse_action_type(rows.text(i, 2)).value_or(domain::ActionType::rest);
  out.state = rows.text(i, 3);
  out.orphaned = rows.boolean(i, 4);
  out.attempts = static_cast<std::int32_t>(rows.i64(i, 5));
  out.has_body = rows.boolean(i, 6);
  out.event_data = rows.text(i, 7);
  out.action_exists = !rows.is_null(i, 8);
  out.disabled_reason = rows.text_or_null(i, 9);
  out.action_config = rows.text_or_null(i, 10).value_or("");
  return out;
}

Result<std::vector<DeadJob>> lock_with(Tx& tx, const Query& query, const Params& params) {
  auto rows = tx.run(query, params);
  if (!rows) return fail(rows);
  std::vector<DeadJob> out;
  for (std::size_t i = 0; i < rows->size(); ++i) out.push_back(read_row(*rows, i));
  return out;
}

}   // namespace

Result<DeliveryPage> list_dead_jobs(Tx& tx, domain::TriggerId trigger, std::int64_t limit, std::int64_t offset) {
  auto total = count_dead_jobs(tx, trigger);
  if (!total) return fail(total);
  auto rows = tx.run(kList, Params().id("trigger", trigger).i64("limit", limit).i64("offset", offset));
  if (!rows) return fail(rows);
  return read_deliveries(tx, *rows, *total);
}

Result<std::int64_t> count_dead_jobs(Tx& tx, domain::TriggerId trigger) {
  auto total = tx.run(kCount, Params().id("trigger", trigger).i64("limit", kMaxCounted));
  if (!total) return fail(total);
  return total->i64(0, 0);
}

Result<std::optional<DeadJob>> lock_job(Tx& tx, domain::TriggerId trigger, const domain::JobId& job) {
  auto rows = lock_with(tx, kLockOne, Params().id("trigger", trigger).blob("job", job.view()));
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  return std::move(rows->front());
}

Result<std::vector<DeadJob>> lock_dead_jobs_of(Tx& tx, domain::TriggerId trigger, const std::string& event_id) {
  return lock_with(tx, kLockOfEvent, Params().id("trigger", trigger).text("event", event_id));
}

Result<std::vector<DeadJob>> lock_replayable_jobs(Tx& tx, domain::TriggerId trigger, std::int64_t limit) {
  return lock_with(tx, kLockReplayable, Params().id("trigger", trigger).i64("limit", limit));
}

Result<std::int64_t> replay_jobs(Tx& tx, const std::vector<Replay>& replays, Time now) {
  std::vector<Params> rows;
  for (const auto& replay : replays) {
    rows.push_back(
        std::move(Params()
                      .blob("job", replay.job.view())
                      .text("body", replay.body)
                      .text("endpoint", replay.endpoint)
                      .text("request_id", replay.request_id.empty() ? std::nullopt : std::optional(replay.request_id))
                      .time("now", now)));
  }
  return tx.run_many(kReplay, rows);
}

Result<void> set_dead_reason(Tx& tx, const domain::JobId& job, std::string_view reason, Time now) {
  auto set = tx.run(kSetReason, Params().blob("job", job.view()).text("reason", std::string(reason)).time("now", now));
  if (!set) return fail(set);
  return {};
}

Result<std::int64_t> purge_dead_jobs(Tx& tx, domain::TriggerId trigger, const std::optional<domain::JobId>& job,
                                     const std::optional<std::string>& event_id, std::int64_t limit, Time now) {
  Params params;
  params.id("trigger", trigger).text("event", event_id).i64("limit", limit).time("now", now);
  if (job)
    params.blob("job", job->view());
  else
    params.null("job");
  auto purged = tx.run(kPurge, params);
  if (!purged) return fail(purged);
  return purged->affected();
}

}   // namespace agentauri::store
