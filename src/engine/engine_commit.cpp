// What the one transaction of a batch writes. It may run more than once, and not the last time be committed, so it
// changes nothing in memory but its outcome, which each try begins anew.
#include <algorithm>
#include <chrono>

#include "engine/engine.hpp"
#include "store/event_dead_letters.hpp"
#include "store/jobs.hpp"
#include "store/leases.hpp"

namespace agentauri::engine {
namespace {

using store::Tx;

constexpr std::uint64_t kPruneEvery = 32;    // blocks between two prunings
constexpr std::int64_t kPruneRows = 2'000;   // of one batch
// Jobs of a crowd that are in memory at a time.
constexpr std::size_t kPartJobs = 256;
constexpr std::size_t kPartBytes = 1 << 20;

}   // namespace

Result<void> Engine::commit(Tx& tx, const BatchOrder& order, const Batch& batch, Outcome& out) {
  out = {};
  if (auto ours = check_ours(tx, order, batch); !ours) return ours;
  // First of all: the indexer takes the chain's row before those of jobs, and two that lock crosswise wait for ever.
  if (auto still = store::hold_chain_still(tx, order.chain); !still) return still;
  auto row = store::find_chain(tx, order.chain);
  if (!row) return fail(row);
  out.row = *row ? std::move(**row) : batch.row;
  if (out.row.state == "down") {
    if (auto cleared = store::clear_engine_stall(tx, order.chain); !cleared) return cleared;
  }
  if (auto settled = settle_edits(tx, order.now); !settled) return settled;
  for (const auto& [num, hash] : batch.undone) {
    if (auto dropped = store::drop_images(tx, order.chain, num); !dropped) return dropped;
    if (auto orphaned = store::orphan_jobs(tx, order.chain, hash, order.now); !orphaned) return fail(orphaned);
  }
  if (auto written = write_state(tx, batch, out); !written) return written;
  if (auto written = write_jobs(tx, order, batch, out); !written) return written;
  if (auto written = write_errors(tx, batch); !written) return written;
  if (batch.dead_letter) {
    if (auto put = store::put_event_dead_letter(tx, *batch.dead_letter); !put) return put;
  }
  out.cursor = batch.cursor;
  out.cursor.revision = batch.revision;
  out.cursor.epoch = settings_.epoch;
  if (auto pruned = prune(tx, out); !pruned) return pruned;
  return store::write_cursor(tx, settings_.shard, order.chain, out.cursor);
}

Result<void> Engine::write_jobs(Tx& tx, const BatchOrder& order, const Batch& batch, Outcome& out) {
  if (batch.jobs.empty() && !batch.crowd) return {};
  // Blocks may have joined and left since the batch was computed.
  std::uint64_t lowest = batch.crowd ? batch.crowd->event.block_num : batch.jobs.front().block_num;
  std::uint64_t highest = lowest;
  for (const auto& job : batch.jobs) {
    lowest = std::min(lowest, job.block_num);
    highest = std::max(highest, job.block_num);
  }
  auto left = store::blocks_that_left(tx, order.chain, lowest, highest);
  if (!left) return fail(left);
  const store::ChainView view{out.row.head_num, std::move(*left)};
  if (auto put = put_jobs(tx, batch.jobs, view, order.now, out); !put) return put;
  if (batch.crowd) {
    if (auto put = put_crowd(tx, *batch.crowd, view, order.now, out); !put) return put;
  }
  return store::write_paces(tx, OrganizationPaces::worth_storing(out.pace, order.now));
}

Result<void> Engine::put_jobs(Tx& tx, const std::vector<store::NewJob>& jobs, const store::ChainView& view, Time now,
                              Outcome& out) {
  if (auto inserted = store::insert_jobs(tx, jobs, now, &view); !inserted) return fail(inserted);
  out.jobs += static_cast<std::int64_t>(jobs.size());
  return store::delay_jobs(tx, paces_.extend(out.pace, jobs, now));
}

Result<void> Engine::put_crowd(Tx& tx, const Crowd& crowd, const store::ChainView& view, Time now, Outcome& out) {
  const rules::StateReader no_states = [](const rules::StateKey&) { return std::optional<std::string>(); };
  for (std::size_t next = 0; next < crowd.matches.size();) {
    AlertJobs alerts(settings_, now);   // of a part: it remembers configurations
    std::vector<store::NewJob> part;
    for (std::size_t bytes = 0; next < crowd.matches.size() && bytes < kPartBytes && part.size() < kPartJobs; ++next) {
      const auto& [trigger, evaluation] = crowd.matches[next];
      auto jobs = alerts.make(crowd.event, trigger->trigger,
                              evaluation ? *evaluation : rules::evaluate(crowd.event, *trigger, no_states), crowd.seq);
      for (auto& job : jobs) {
        bytes += job.text_bytes();
        part.push_back(std::move(job));
      }
    }
    if (auto put = put_jobs(tx, part, view, now, out); !put) return put;
  }
  return {};
}

Result<void> Engine::check_ours(Tx& tx, const BatchOrder& order, const Batch& batch) {
  auto held = store::check_lease(tx, settings_.lease_name, settings_.instance, settings_.epoch);
  if (!held) return held;
  auto cursor = store::read_cursor(tx, settings_.shard, order.chain);
  if (!cursor) return fail(cursor);
  const bool same =
      cursor->has_value() == batch.before.has_value() &&
      (!*cursor || ((*cursor)->seq == batch.before->seq && (*cursor)->position == batch.before->position));
  if (!same) return fail(Code::fenced, "the engine's cursor was moved by another process");
  return {};
}

Result<void> Engine::settle_edits(Tx& tx, Time now) {
  const Aftermath& owed = triggers_.aftermath();
  for (const auto trigger : owed.deleted) {
    // A batch that read the trigger before may have enqueued after the deletion cancelled what there was.
    auto cancelled = store::cancel_jobs(tx, trigger, std::nullopt, "trigger_deleted", now);
    if (!cancelled) return fail(cancelled);
    if (auto forgotten = store::forget_state(tx, trigger); !forgotten) return forgotten;
  }
  for (const auto& [trigger, action] : owed.deleted_actions) {
    auto cancelled = store::cancel_jobs(tx, trigger, action, "action_deleted", now);
    if (!cancelled) return fail(cancelled);
  }
  if (auto forgotten = store::forget_conditions(tx, owed.gone_conditions); !forgotten) return forgotten;
  for (const auto trigger : owed.edited) {
    if (!errors_.contains(trigger)) continue;
    if (auto cleared = store::set_trigger_error(tx, trigger, std::nullopt); !cleared) return cleared;
  }
  for (const auto& [trigger, fault] : owed.faults) {
    if (auto set = store::set_trigger_error(tx, trigger, fault); !set) return set;
  }
  return {};
}

Result<void> Engine::write_state(Tx& tx, const Batch& batch, Outcome& out) {
  if (batch.states.empty() && batch.images.empty()) return {};
  const auto begun = std::chrono::steady_clock::now();
  const std::vector<std::pair<store::StateRow, std::optional<store::StateValue>>> changed(batch.states.begin(),
                                                                                          batch.states.end());
  if (auto written = store::write_states(tx, changed); !written) return written;
  for (const auto& [block, rows] : batch.images) {
    std::vector<store::StateImage> images;
    for (const auto& [row, before] : rows) images.push_back({row, before});
    if (auto written = store::write_images(tx, block, images); !written) return written;
  }
  out.state_write_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return {};
}

// Only what differs from what the triggers say already.
Result<void> Engine::write_errors(Tx& tx, const Batch& batch) {
  const auto& edited = triggers_.aftermath().edited;
  for (const auto& [trigger, error] : batch.errors) {
    const auto known = errors_.find(trigger);
    const bool is_edited = std::find(edited.begin(), edited.end(), trigger) != edited.end();
    if (!is_edited && error && known != errors_.end() && known->second == *error) continue;
    if (auto set = store::set_trigger_error(tx, trigger, error); !set) return set;
  }
  return {};
}

// The indexer follows reorganisations exactly as deep as this keeps images (follower.cpp, raise_undo_floor). How deep
// is counted from its head, which may be far ahead of us: what it has taken back already and we have not stays whatever
// its depth.
Result<void> Engine::prune(Tx& tx, Outcome& out) {
  const auto& row = out.row;
  const std::uint64_t head = row.head_num;
  std::uint64_t keep_from = head > settings_.min_undo_blocks ? head - settings_.min_undo_blocks : 0;
  if (row.finalized_num) keep_from = std::min(keep_from, *row.finalized_num);
  if (head > settings_.max_undo_blocks) keep_from = std::max(keep_from, head - settings_.max_undo_blocks);
  const auto pruned = pruned_below_.find(row.chain_id);
  if (keep_from < (pruned == pruned_below_.end() ? 0 : pruned->second) + kPruneEvery) return {};
  auto gone = store::prune_images(tx, row.chain_id, keep_from, out.cursor.seq, kPruneRows);
  if (!gone) return fail(gone);
  if (*gone < kPruneRows) out.pruned_below = keep_from;   // else there is more: the next batch goes on
  return {};
}

}   // namespace agentauri::engine
