// The worker's side of jobs: claim and finish. A batch is a handful of statements, whatever its size.
#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "core/json/json.hpp"
#include "store/job_batch.hpp"
#include "store/job_shares.hpp"
#include "store/jobs.hpp"

namespace agentauri::store {
namespace {

#define DUE(ORDER)                                                                                        \
  "SELECT id, organization_id, endpoint, priority FROM jobs WHERE state = 'pending' AND next_at <= :now " \
  "ORDER BY next_at " ORDER " LIMIT :limit"
#define SKIP " FOR UPDATE SKIP LOCKED"
const Query kDue{"job_due", DUE("ASC"), DUE("ASC") SKIP};
const Query kJustDue{"job_just_due", DUE("DESC"), DUE("DESC") SKIP};
#undef DUE
#undef SKIP

#define LEASE                                                                                                   \
  "UPDATE jobs SET state = 'leased', attempts = attempts + 1, lease_epoch = lease_epoch + 1, lease_instance = " \
  ":worker, "                                                                                                   \
  "updated_at = :now WHERE id "
#define LEASED                                                                                                        \
  " RETURNING id, organization_id, trigger_id, action_id, action_type, attempts, lease_epoch, event_id, event_data, " \
  "request_id, body, endpoint, expires_at, created_at, kind, ladder_from"
const Query kLease{"job_lease", LEASE "IN " JOB_IDS LEASED, LEASE "= ANY " JOB_IDS_POSTGRES LEASED};
#undef LEASE
#undef LEASED
const Query kPutAttempts{
    "attempt_put",
    "INSERT INTO attempts (job_id, n, intended_at, request_id) "
    "SELECT id, attempts, :now, request_id FROM jobs WHERE id IN " JOB_IDS,
    "INSERT INTO attempts (job_id, n, intended_at, request_id) "
    "SELECT id, attempts, CAST(:now AS timestamptz), request_id FROM jobs WHERE id = ANY " JOB_IDS_POSTGRES};

#define TIME_POSTGRES(NUMBER) "timestamptz 'epoch' + CAST(" NUMBER " AS bigint) * interval '1 microsecond'"
#define PUT_BACK "UPDATE jobs SET next_at = r.at FROM "
#define WAITING "WHERE jobs.id = r.id AND jobs.state = 'pending'"
const Query kPutBack{"job_put_back", PUT_BACK JOB_ROWS("value AS at") WAITING,
                     PUT_BACK JOB_ROWS_POSTGRES(TIME_POSTGRES("CAST(value AS text)") " AS at") WAITING};
#undef PUT_BACK
#undef WAITING

// A job whose block has left the chain meanwhile is not tried again.
#define FINISH_JOB                                                                                            \
  "UPDATE jobs SET state = CASE WHEN r.next = 'pending' AND jobs.orphaned THEN 'cancelled' ELSE r.next END, " \
  "reason = CASE WHEN r.next = 'pending' AND jobs.orphaned THEN 'orphaned' ELSE r.why END, "                  \
  "next_at = COALESCE(r.at, jobs.next_at), lease_instance = NULL, updated_at = :now, "                        \
  "finished_at = CASE WHEN r.next = 'pending' AND NOT jobs.orphaned THEN NULL ELSE "
#define LEASED " WHERE jobs.id = r.id AND jobs.state = 'leased' AND jobs.lease_epoch = r.epoch RETURNING jobs.id"
const Query kFinishJobs{"job_finish",
                        FINISH_JOB ":now END FROM " JOB_ROWS(
                            "json_extract(value, '$.epoch') AS epoch, json_extract(value, '$.next') AS next, "
                            "json_extract(value, '$.at') AS at, json_extract(value, '$.why') AS why") LEASED,
                        FINISH_JOB "CAST(:now AS timestamptz) END FROM " JOB_ROWS_POSTGRES(
                            "CAST(value->>'epoch' AS bigint) AS epoch, value->>'next' AS next, " TIME_POSTGRES(
                                "value->>'at'") " AS at, "
                                                "value->>'why' AS why") LEASED};
#undef FINISH_JOB
#undef LEASED
#undef TIME_POSTGRES

// Of results that were taken: their attempts are open, since whoever takes a job back closes its attempt with it.
#define FINISH_ATTEMPT                                                                                         \
  "UPDATE attempts SET finished_at = :now, outcome = r.outcome, status = r.status, duration_us = r.duration, " \
  "excerpt = r.excerpt FROM "
#define OPEN "WHERE attempts.job_id = r.id AND attempts.n = r.n AND attempts.finished_at IS NULL"
const Query kFinishAttempts{
    "attempt_finish",
    FINISH_ATTEMPT JOB_ROWS(
        "json_extract(value, '$.n') AS n, json_extract(value, '$.outcome') AS outcome, "
        "json_extract(value, '$.status') AS status, "
        "json_extract(value, '$.duration') AS duration, json_extract(value, '$.excerpt') AS excerpt") OPEN,
    FINISH_ATTEMPT JOB_ROWS_POSTGRES(
        "CAST(value->>'n' AS integer) AS n, value->>'outcome' AS outcome, "
        "CAST(value->>'status' AS integer) AS status, CAST(value->>'duration' AS bigint) AS duration, "
        "value->>'excerpt' AS excerpt") OPEN};
#undef FINISH_ATTEMPT
#undef OPEN

#define ACTIONS                                                                                            \
  "SELECT id, config, signing_secret, previous_signing_secret, previous_expires_at, disabled_reason FROM " \
  "trigger_actions WHERE id IN (SELECT "
const Query kActions{"job_actions", ACTIONS "value FROM json_each(:actions))",
                     ACTIONS "CAST(json_array_elements_text(CAST(CAST(:actions AS text) AS json)) AS integer))"};
#undef ACTIONS
// Not when it was edited since the attempt began: what the receiver refused may be mended.
const Query kDisable{"action_disable",
                     "UPDATE trigger_actions SET disabled_reason = :reason, updated_at = :now WHERE id = :action AND "
                     "updated_at <= (SELECT intended_at FROM attempts WHERE job_id = :job AND n = :n)"};

const Query kNextDue{"job_next_due",
                     "SELECT next_at FROM jobs WHERE state = 'pending' AND next_at > :now ORDER BY next_at LIMIT 1"};

constexpr std::size_t kLooksAtNewest = 32;

ClaimedJob read_claimed(const Rows& rows, std::size_t i) {
  ClaimedJob job;
  job.id = rows.fixed<32>(i, 0);
  job.organization_id = rows.id<domain::OrganizationId>(i, 1);
  job.trigger_id = rows.id<domain::TriggerId>(i, 2);
  job.action_id = static_cast<domain::ActionId>(rows.i64(i, 3));
  job.action_type = domain::parse_action_type(rows.text(i, 4)).value_or(domain::ActionType::rest);
  job.attempt = static_cast<std::int32_t>(rows.i64(i, 5));
  job.lease_epoch = rows.i64(i, 6);
  job.event_id = rows.text(i, 7);
  job.event_data = rows.text(i, 8);
  job.request_id = rows.text(i, 9);
  job.body = rows.text_or_null(i, 10);
  job.endpoint = rows.text_or_null(i, 11);
  job.expires_at = rows.time_or_null(i, 12);
  job.created_at = rows.time(i, 13);
  job.kind = rows.text(i, 14);
  job.ladder_from = static_cast<std::int32_t>(rows.i64(i, 15));
  return job;
}

// URL, headers and secret are read at each attempt: a wrong URL can be mended while retries last.
Result<void> read_actions(Tx& tx, std::vector<ClaimedJob>& jobs) {
  std::vector<domain::ActionId> ids;
  for (const auto& job : jobs) ids.push_back(job.action_id);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  json::Array list;
  for (const auto id : ids) list.emplace_back(id);
  auto rows = tx.run(kActions, Params().text("actions", json::dump(list)));
  if (!rows) return fail(rows);
  std::unordered_map<domain::ActionId, std::size_t> places;
  for (std::size_t i = 0; i < rows->size(); ++i) places.emplace(static_cast<domain::ActionId>(rows->i64(i, 0)), i);
  for (auto& job : jobs) {
    const auto place = places.find(job.action_id);
    if (place == places.end()) continue;
    const std::size_t i = place->second;
    job.action_exists = true;
    job.action_config = rows->text(i, 1);
    job.signing_secret = rows->text_or_null(i, 2);
    job.previous_signing_secret = rows->text_or_null(i, 3);
    job.previous_expires_at = rows->time_or_null(i, 4);
    job.disabled_reason = rows->text_or_null(i, 5);
  }
  return {};
}

struct DueJob {
  domain::JobId id;
  std::int64_t priority = 0;
};

// Due jobs and, place by place, their lanes.
struct Due {
  std::vector<DueJob> jobs;
  std::vector<LaneKey> lanes;
  bool more = false;
};

void read_due(const Rows& rows, std::size_t i, Due& due) {
  due.jobs.push_back({rows.fixed<32>(i, 0), rows.i64(i, 3)});
  due.lanes.push_back({rows.id<domain::OrganizationId>(i, 1), rows.text_or_null(i, 2).value_or("")});
}

// The longest due; and when there are more than are looked at, before them those that have just become due in lanes
// that have no queue among these: nobody's alert waits for the backlog of others.
Result<Due> look_at_due(Tx& tx, std::size_t looks, Time now) {
  const auto params = [now](std::size_t limit) {
    return Params().i64("limit", static_cast<std::int64_t>(limit)).time("now", now);
  };
  auto oldest = tx.run(kDue, params(looks));
  if (!oldest) return fail(oldest);
  Due queue;
  for (std::size_t i = 0; i < oldest->size(); ++i) read_due(*oldest, i, queue);
  queue.more = oldest->size() == looks;
  if (!queue.more) return queue;

  auto newest = tx.run(kJustDue, params(kLooksAtNewest));
  if (!newest) return fail(newest);
  const std::set<LaneKey> queues(queue.lanes.begin(), queue.lanes.end());
  Due due;
  for (std::size_t i = newest->size(); i-- > 0;) {
    read_due(*newest, i, due);
    if (!queues.contains(due.lanes.back())) continue;
    due.jobs.pop_back();
    due.lanes.pop_back();
  }
  due.jobs.insert(due.jobs.end(), queue.jobs.begin(), queue.jobs.end());
  due.lanes.insert(due.lanes.end(), queue.lanes.begin(), queue.lanes.end());
  due.more = true;
  return due;
}

Result<void> put_back(Tx& tx, const Due& due, const Shares& shares) {
  if (shares.put_back.empty()) return {};
  JobIdList ids;
  json::Array times;
  for (const auto& [place, at] : shares.put_back) {
    ids.add(due.jobs[place].id);
    times.emplace_back(to_micros(at));
  }
  auto moved = tx.run(kPutBack, Params().blob("ids", ids.bytes()).text("rows", json::dump(times)));
  if (!moved) return fail(moved);
  return {};
}

// By priority, and in the order of `due` among equals.
Result<std::vector<ClaimedJob>> lease(Tx& tx, domain::InstanceId worker, const Due& due, const Shares& shares,
                                      Time now) {
  if (shares.chosen.empty()) return std::vector<ClaimedJob>{};
  JobIdList ids;
  for (const auto place : shares.chosen) ids.add(due.jobs[place].id);
  auto leased = tx.run(kLease, Params().blob("ids", ids.bytes()).id("worker", worker).time("now", now));
  if (!leased) return fail(leased);
  auto put = tx.run(kPutAttempts, Params().blob("ids", ids.bytes()).time("now", now));
  if (!put) return fail(put);
  std::unordered_map<domain::JobId, std::size_t> rows;
  for (std::size_t i = 0; i < leased->size(); ++i) rows.emplace(leased->fixed<32>(i, 0), i);

  std::vector<std::pair<std::int64_t, std::size_t>> order;
  for (const auto place : shares.chosen) order.emplace_back(due.jobs[place].priority, place);
  std::sort(order.begin(), order.end());
  std::vector<ClaimedJob> out;
  out.reserve(order.size());
  for (const auto& [priority, place] : order) {
    const auto found = rows.find(due.jobs[place].id);
    ENSURE(found != rows.end(), "a due job was not leased in its own transaction");
    out.push_back(read_claimed(*leased, found->second));
  }
  if (auto read = read_actions(tx, out); !read) return fail(read);
  return out;
}

}   // namespace

Result<Claim> claim_batch(Tx& tx, domain::InstanceId worker, std::size_t limit, const ClaimRoom& room, Time now) {
  auto due = look_at_due(tx, std::max(limit * kLooks, kFewestLooks), now);
  if (!due) return fail(due);
  Claim out;
  out.more = due->more;
  auto shares = share_out(due->lanes, room, limit, due->more, now);
  if (auto moved = put_back(tx, *due, shares); !moved) return fail(moved);
  auto jobs = lease(tx, worker, *due, shares, now);
  if (!jobs) return fail(jobs);
  out.jobs = std::move(*jobs);
  out.without_room = due->jobs.size() - shares.chosen.size() - shares.put_back.size();
  out.lane_slots = std::move(shares.lane_slots);
  out.organization_slots = std::move(shares.organization_slots);
  auto next = tx.run(kNextDue, Params().time("now", now));
  if (!next) return fail(next);
  if (!next->empty()) out.next_due = next->time(0, 0);
  return out;
}

namespace {

// What the statements read of a batch of results.
Params result_params(const std::vector<const AttemptResult*>& results, Time now) {
  JobIdList ids;
  json::Array rows;
  for (const auto* r : results) {
    ids.add(r->job);
    json::Object row;
    row["n"] = r->attempt;
    row["epoch"] = r->lease_epoch;
    row["outcome"] = json::String(domain::to_string(r->outcome));
    row["status"] = r->status ? json::Value(*r->status) : json::Value();
    row["duration"] = r->duration_us;
    row["excerpt"] = json::String(r->excerpt);
    row["next"] = json::String(domain::to_string(r->next));
    row["at"] = r->next_at ? json::Value(to_micros(*r->next_at)) : json::Value();
    row["why"] = r->reason.empty() ? json::Value() : json::Value(json::String(r->reason));
    rows.emplace_back(std::move(row));
  }
  return Params().blob("ids", ids.bytes()).text("rows", json::dump(rows)).time("now", now);
}

}   // namespace

Result<std::int64_t> finish_attempts(Tx& tx, const std::vector<AttemptResult>& results, Time now) {
  if (results.empty()) return 0;
  std::vector<const AttemptResult*> taken;
  for (const auto& r : results) taken.push_back(&r);
  // The jobs first: their rows' locks decide between a result and whoever takes the job back meanwhile.
  auto jobs = tx.run(kFinishJobs, result_params(taken, now));
  if (!jobs) return fail(jobs);
  if (jobs->empty()) return 0;
  std::unordered_set<domain::JobId> ended;
  for (std::size_t i = 0; i < jobs->size(); ++i) ended.insert(jobs->fixed<32>(i, 0));
  std::erase_if(taken, [&ended](const AttemptResult* r) { return !ended.contains(r->job); });
  if (auto attempts = tx.run(kFinishAttempts, result_params(taken, now)); !attempts) return fail(attempts);
  for (const auto* r : taken) {
    if (!r->disable_action) continue;
    auto disabled = tx.run(kDisable, Params()
                                         .i64("action", r->action_id)
                                         .text("reason", r->reason)
                                         .time("now", now)
                                         .blob("job", r->job.view())
                                         .i64("n", r->attempt));
    if (!disabled) return fail(disabled);
  }
  return static_cast<std::int64_t>(taken.size());
}

}   // namespace agentauri::store
