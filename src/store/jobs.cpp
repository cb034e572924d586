#include "store/jobs.hpp"

#include "store/counting.hpp"
#include "store/delivery_rows.hpp"

namespace agentauri::store {
namespace {

using domain::JobState;

// Rows that are copied for the database at a time.
constexpr std::size_t kInsertRows = 256;
constexpr std::size_t kInsertBytes = 1 << 20;

// A job that exists keeps what it has come to; one that a reorg cancelled is revived under its id, with its attempts.
const Query kInsert{
    "job_insert",
    "INSERT INTO jobs (id, organization_id, trigger_id, action_id, action_type, kind, state, reason, priority, "
    "chain_id, block_num, block_hash, seq, hold_until_block, orphaned, event_id, event_data, body, "
    "explanation, endpoint, next_at, expires_at, attempts, lease_epoch, request_id, created_at, updated_at, "
    "finished_at) "
    "VALUES (:id, :organization, :trigger, :action, :action_type, :kind, :state, :reason, :priority, :chain, "
    ":block_num, :block_hash, :seq, :hold, :no, :event_id, :event_data, :body, "
    ":explanation, :endpoint, :now, :expires_at, 0, 0, :request_id, :now, :now, :finished_at) "
    "ON CONFLICT (id) DO UPDATE SET block_num = :block_num, block_hash = :block_hash, seq = :seq, orphaned = :no, "
    "updated_at = :now, "
    "state = CASE WHEN jobs.state = 'cancelled' AND jobs.reason = 'orphaned' THEN :state ELSE jobs.state END, "
    "hold_until_block = CASE WHEN jobs.state = 'cancelled' AND jobs.reason = 'orphaned' THEN :hold ELSE "
    "jobs.hold_until_block END, "
    "next_at = CASE WHEN jobs.state = 'cancelled' AND jobs.reason = 'orphaned' THEN :now ELSE jobs.next_at END, "
    "finished_at = CASE WHEN jobs.state = 'cancelled' AND jobs.reason = 'orphaned' THEN :finished_at ELSE "
    "jobs.finished_at END, "
    "body = CASE WHEN jobs.attempts = 0 THEN :body ELSE jobs.body END, event_data = CASE WHEN jobs.attempts = 0 THEN "
    ":event_data ELSE jobs.event_data END, "
    "event_id = CASE WHEN jobs.attempts = 0 THEN :event_id ELSE jobs.event_id END, "
    "reason = CASE WHEN jobs.state = 'cancelled' AND jobs.reason = 'orphaned' THEN :reason ELSE jobs.reason END"};
const Query kOrphanUnsent{
    "job_orphan_unsent",
    "UPDATE jobs SET state = 'cancelled', reason = 'orphaned', orphaned = :yes, updated_at = :now, finished_at = :now "
    "WHERE chain_id = :chain AND block_hash = :hash AND state IN ('held', 'pending')"};
const Query kOrphanSent{"job_orphan_sent",
                        "UPDATE jobs SET orphaned = :yes, updated_at = :now WHERE chain_id = :chain AND block_hash = "
                        ":hash AND state NOT IN ('held', 'pending', 'cancelled')"};
const Query kRelease{
    "job_release",
    "UPDATE jobs SET state = 'pending', next_at = CASE WHEN next_at > :now THEN next_at ELSE :now END, "
    "updated_at = :now WHERE state = 'held' AND chain_id = :chain AND hold_until_block <= :head "
    "AND EXISTS (SELECT 1 FROM blocks b WHERE b.chain_id = jobs.chain_id AND b.hash = jobs.block_hash "
    "AND b.canonical = :yes)"};
#define STAND_STILL "SELECT head_num FROM chains WHERE chain_id = :chain"
const Query kStandStill{"chain_stand_still", STAND_STILL, STAND_STILL " FOR SHARE"};
#undef STAND_STILL
const Query kLeft{
    "block_left",
    "SELECT hash FROM blocks WHERE chain_id = :chain AND num >= :from AND num <= :to AND canonical = :no"};
const Query kCancel{"job_cancel",
                    "UPDATE jobs SET state = 'cancelled', reason = :reason, updated_at = :now, finished_at = :now "
                    "WHERE trigger_id = :trigger AND (CAST(:action AS integer) IS NULL OR action_id = :action) "
                    "AND state IN ('held', 'pending')"};
// Each from an index of its own: what has ended is never looked at.
#define COUNT(STATE) "(SELECT count(*) FROM jobs WHERE state = '" STATE "')"
const Query kCount{"job_count", "SELECT " COUNT("held") ", " COUNT("pending") ", " COUNT("leased") ", " COUNT("dead")};
#undef COUNT
const Query kTotal{"delivery_count",
                   "SELECT count(*) FROM (SELECT 1 FROM jobs WHERE trigger_id = :trigger LIMIT :limit) AS counted"};
const Query kDeliveries{"delivery_list",
                        "SELECT " DELIVERY_COLUMNS
                        "FROM jobs "
                        "WHERE trigger_id = :trigger ORDER BY created_at DESC, id LIMIT :limit OFFSET :offset"};
const Query kTries{"delivery_attempts",
                   "SELECT n, intended_at, finished_at, outcome, status, duration_us, excerpt, request_id FROM "
                   "attempts WHERE job_id = :job ORDER BY n"};

}   // namespace

std::optional<std::uint64_t> ChainView::hold_of(const NewJob& job) const {
  if (left.contains(job.block_hash)) return job.hold_until_block.value_or(job.block_num);
  if (job.hold_until_block && *job.hold_until_block <= head) return std::nullopt;
  return job.hold_until_block;
}

Result<void> hold_chain_still(Tx& tx, domain::ChainId chain) {
  if (auto locked = tx.run(kStandStill, Params().i64("chain", chain)); !locked) return fail(locked);
  return {};
}

Result<std::set<Hash32>> blocks_that_left(Tx& tx, domain::ChainId chain, std::uint64_t from, std::uint64_t to) {
  auto rows = tx.run(kLeft, Params()
                                .i64("chain", chain)
                                .i64("from", static_cast<std::int64_t>(from))
                                .i64("to", static_cast<std::int64_t>(to))
                                .boolean("no", false));
  if (!rows) return fail(rows);
  std::set<Hash32> out;
  for (std::size_t i = 0; i < rows->size(); ++i) out.insert(rows->fixed<32>(i, 0));
  return out;
}

Result<std::int64_t> insert_jobs(Tx& tx, const std::vector<NewJob>& jobs, Time now, const ChainView* view) {
  std::int64_t written = 0;
  std::vector<Params> rows;
  std::size_t bytes = 0;
  const auto flush = [&]() -> Result<void> {
    auto done = tx.run_many(kInsert, rows);
    if (!done) return fail(done);
    written += *done;
    rows.clear();
    bytes = 0;
    return {};
  };
  for (const auto& job : jobs) {
    const auto hold = view != nullptr ? view->hold_of(job) : job.hold_until_block;
    const bool dead = job.dead_reason.has_value();
    const JobState state = dead ? JobState::dead : hold ? JobState::held : JobState::pending;
    Params p;
    p.blob("id", job.id.view())
        .id("organization", job.organization_id)
        .id("trigger", job.trigger_id)
        .i64("action", job.action_id)
        .text("action_type", std::string(domain::to_string(job.action_type)));
    p.text("kind", job.kind)
        .text("state", std::string(domain::to_string(state)))
        .text("reason", job.dead_reason)
        .i64("priority", job.priority)
        .i64("chain", job.chain_id);
    p.i64("block_num", static_cast<std::int64_t>(job.block_num))
        .blob("block_hash", job.block_hash.view())
        .i64("seq", job.seq);
    p.i64("hold", hold ? std::optional(static_cast<std::int64_t>(*hold)) : std::nullopt)
        .boolean("no", false)
        .text("event_id", job.event_id);
    p.text("event_data", job.event_data)
        .text("body", job.body)
        .text("explanation", job.explanation)
        .text("endpoint", job.endpoint)
        .time("now", now)
        .time("expires_at", job.expires_at);
    p.text("request_id", job.request_id).time("finished_at", dead ? std::optional(now) : std::nullopt);
    rows.push_back(std::move(p));
    bytes += job.text_bytes();
    if (rows.size() < kInsertRows && bytes < kInsertBytes) continue;
    if (auto done = flush(); !done) return fail(done);
  }
  if (auto done = flush(); !done) return fail(done);
  return written;
}

Result<std::int64_t> orphan_jobs(Tx& tx, domain::ChainId chain, const Hash32& block_hash, Time now) {
  const auto params =
      Params().i64("chain", chain).blob("hash", block_hash.view()).time("now", now).boolean("yes", true);
  auto unsent = tx.run(kOrphanUnsent, params);
  if (!unsent) return fail(unsent);
  if (auto sent = tx.run(kOrphanSent, params); !sent) return fail(sent);
  return unsent->affected();
}

Result<std::int64_t> release_held_jobs(Tx& tx, domain::ChainId chain, std::uint64_t head, Time now) {
  auto row = tx.run(
      kRelease,
      Params().i64("chain", chain).i64("head", static_cast<std::int64_t>(head)).time("now", now).boolean("yes", true));
  if (!row) return fail(row);
  return row->affected();
}

Result<std::int64_t> cancel_jobs(Tx& tx, domain::TriggerId trigger, std::optional<domain::ActionId> action,
                                 std::string_view reason, Time now) {
  auto row = tx.run(kCancel, Params()
                                 .id("trigger", trigger)
                                 .i64("action", action ? std::optional<std::int64_t>(*action) : std::nullopt)
                                 .text("reason", std::string(reason))
                                 .time("now", now));
  if (!row) return fail(row);
  return row->affected();
}

Result<JobCounts> count_jobs(Tx& tx) {
  auto rows = tx.run(kCount);
  if (!rows) return fail(rows);
  return JobCounts{rows->i64(0, 0), rows->i64(0, 1), rows->i64(0, 2), rows->i64(0, 3)};
}

Result<DeliveryPage> list_deliveries(Tx& tx, domain::TriggerId trigger, std::int64_t limit, std::int64_t offset) {
  auto total = tx.run(kTotal, Params().id("trigger", trigger).i64("limit", kMaxCounted));
  if (!total) return fail(total);
  auto rows = tx.run(kDeliveries, Params().id("trigger", trigger).i64("limit", limit).i64("offset", offset));
  if (!rows) return fail(rows);
  return read_deliveries(tx, *rows, total->i64(0, 0));
}

Result<DeliveryPage> read_deliveries(Tx& tx, const Rows& rows, std::int64_t total) {
  DeliveryPage page;
  page.total = total;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Delivery d;
    d.id = rows.fixed<32>(i, 0);
    d.action_id = static_cast<domain::ActionId>(rows.i64(i, 1));
    d.action_type = rows.text(i, 2);
    d.kind = rows.text(i, 3);
    d.state = rows.text(i, 4);
    d.event_id = rows.text(i, 5);
    d.explanation = rows.text(i, 6);
    d.reason = rows.text_or_null(i, 7);
    d.orphaned = rows.boolean(i, 8);
    d.chain_id = rows.i64(i, 9);
    d.block_num = rows.i64(i, 10);
    d.attempts = static_cast<std::int32_t>(rows.i64(i, 11));
    if (d.state == "pending") d.next_at = rows.time(i, 12);
    d.created_at = rows.time(i, 13);
    d.finished_at = rows.time_or_null(i, 14);
    auto tries = tx.run(kTries, Params().blob("job", d.id.view()));
    if (!tries) return fail(tries);
    for (std::size_t t = 0; t < tries->size(); ++t) {
      d.tries.push_back({static_cast<std::int32_t>(tries->i64(t, 0)), tries->time(t, 1), tries->time_or_null(t, 2),
                         tries->text_or_null(t, 3), tries->i64_or_null(t, 4), tries->i64_or_null(t, 5),
                         tries->text_or_null(t, 6), tries->text(t, 7)});
    }
    page.rows.push_back(std::move(d));
  }
  return page;
}

}   // namespace agentauri::store
