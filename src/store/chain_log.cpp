#include "store/chain_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "store/coverage.hpp"
#include "store/event_counts.hpp"
#include "store/event_rows.hpp"
#include "store/forget_events.hpp"
#include "store/jobs.hpp"

namespace agentauri::store {
namespace {

using domain::ChainId;

const Query kListChains{"chain_list",
                        "SELECT chain_id, name, start_block, live_from_block, last_seq, epoch, head_num, head_hash, "
                        "safe_num, finalized_num, state, reason, updated_at, tip_num "
                        "FROM chains ORDER BY chain_id"};
const Query kFindChain{"chain_find",
                       "SELECT chain_id, name, start_block, live_from_block, last_seq, epoch, head_num, head_hash, "
                       "safe_num, finalized_num, state, reason, updated_at, tip_num "
                       "FROM chains WHERE chain_id = :chain"};
const Query kAttach{
    "chain_attach",
    "INSERT INTO chains (chain_id, name, start_block, live_from_block, last_seq, epoch, head_num, state, updated_at) "
    "VALUES (:chain, :name, :start, :live_from, 0, :epoch, :head, 'ok', :now) "
    "ON CONFLICT (chain_id) DO UPDATE SET name = :name, start_block = :start, epoch = :epoch, updated_at = :now WHERE "
    "chains.epoch <= :epoch"};
// Orders and fences in one statement: the sequence is drawn under the row's lock, only by the holder of the lease, and
// only when the head is where the caller believes it to be (a commit whose answer was lost must not be done twice).
const Query kAdvance{"chain_advance",
                     "UPDATE chains SET last_seq = last_seq + :entries, head_num = :head, head_hash = :hash, "
                     "safe_num = COALESCE(:safe, safe_num), finalized_num = COALESCE(:finalized, finalized_num), "
                     "tip_num = :tip, updated_at = :now WHERE chain_id = :chain AND epoch = :epoch "
                     "AND head_num >= :lowest AND head_num <= :highest RETURNING last_seq"};
const Query kTouch{"chain_touch",
                   "UPDATE chains SET updated_at = :now WHERE chain_id = :chain AND epoch = :epoch RETURNING head_num"};
const Query kSetState{
    "chain_set_state",
    "UPDATE chains SET state = :state, reason = :reason, updated_at = :now WHERE chain_id = :chain AND epoch = :epoch"};

const Query kPutBlock{"block_put",
                      "INSERT INTO blocks (chain_id, hash, num, parent_hash, time, canonical, has_events, seen_at) "
                      "VALUES (:chain, :hash, :num, :parent, :time, :canonical, :has_events, :seen_at) "
                      "ON CONFLICT (chain_id, hash) DO UPDATE SET canonical = :canonical, "
                      "has_events = blocks.has_events OR :has_events"};
// History and late events say nothing of whether a block is still part of the chain: what live blocks said stands.
const Query kPutOldBlock{"block_put_old",
                         "INSERT INTO blocks (chain_id, hash, num, parent_hash, time, canonical, has_events, seen_at) "
                         "VALUES (:chain, :hash, :num, :parent, :time, :canonical, :has_events, :seen_at) "
                         "ON CONFLICT (chain_id, hash) DO UPDATE SET has_events = blocks.has_events OR :has_events"};
// Heights with two canonical blocks among those of a range that are final for whoever read it.
const Query kForks{"block_forks",
                   "SELECT num FROM blocks WHERE chain_id = :chain AND num >= :from AND num <= :to AND canonical = "
                   ":yes GROUP BY num HAVING count(*) > 1 LIMIT 1"};
const Query kPutEntry{
    "block_log_put",
    "INSERT INTO block_log (chain_id, seq, op, block_hash, block_num) VALUES (:chain, :seq, :op, :hash, :num)"};
const Query kReadLog{"block_log_read",
                     "SELECT l.seq, l.op, l.block_hash, l.block_num, b.time FROM block_log l JOIN blocks b ON "
                     "b.chain_id = l.chain_id AND b.hash = l.block_hash "
                     "WHERE l.chain_id = :chain AND l.seq > :after ORDER BY l.seq LIMIT :limit"};
// The last column: whether triggers saw its events, so that its leaving is an entry of the log.
const Query kAbove{"block_above",
                   "SELECT b.hash, b.num, EXISTS (SELECT 1 FROM events e WHERE e.chain_id = b.chain_id "
                   "AND e.block_hash = b.hash AND e.live = :yes AND e.canonical = :yes) FROM blocks b "
                   "WHERE b.chain_id = :chain AND b.num > :num AND b.canonical = :yes AND b.has_events = :yes "
                   "ORDER BY b.num DESC"};
const Query kOrphanBlocks{
    "block_orphan", "UPDATE blocks SET canonical = :no WHERE chain_id = :chain AND num > :num AND canonical = :yes"};
const Query kCanonical{"block_canonical",
                       "SELECT hash, num, parent_hash, time, seen_at FROM blocks WHERE chain_id = :chain AND num >= "
                       ":from AND num <= :to AND canonical = :yes ORDER BY num"};
const Query kHighest{"block_highest", "SELECT MAX(num) FROM blocks WHERE chain_id = :chain"};
const Query kPrune{"block_prune", "DELETE FROM blocks WHERE chain_id = :chain AND num < :below AND NOT has_events"};

ChainRow read_chain(const Rows& rows, std::size_t i) {
  ChainRow out;
  out.chain_id = rows.i64(i, 0);
  out.name = rows.text(i, 1);
  out.start_block = static_cast<std::uint64_t>(rows.i64(i, 2));
  out.live_from_block = static_cast<std::uint64_t>(rows.i64(i, 3));
  out.last_seq = rows.i64(i, 4);
  out.epoch = rows.i64(i, 5);
  out.head_num = static_cast<std::uint64_t>(rows.i64(i, 6));
  if (!rows.is_null(i, 7)) out.head_hash = rows.fixed<32>(i, 7);
  if (const auto safe = rows.i64_or_null(i, 8)) out.safe_num = static_cast<std::uint64_t>(*safe);
  if (const auto finalized = rows.i64_or_null(i, 9)) out.finalized_num = static_cast<std::uint64_t>(*finalized);
  out.state = rows.text(i, 10);
  out.reason = rows.text_or_null(i, 11);
  out.updated_at = rows.time(i, 12);
  if (const auto tip = rows.i64_or_null(i, 13)) out.tip_num = static_cast<std::uint64_t>(*tip);
  return out;
}

Params block_params(ChainId chain, const BlockRow& block, bool has_events) {
  return Params()
      .i64("chain", chain)
      .blob("hash", block.hash.view())
      .i64("num", static_cast<std::int64_t>(block.num))
      .blob("parent", block.parent_hash.view())
      .time("time", block.time)
      .boolean("canonical", true)
      .boolean("has_events", has_events)
      .time("seen_at", block.seen_at);
}

// What was written, and what it changed in the numbers of events.
struct PutBlocks {
  std::int64_t rows = 0;
  TypeCounts before, after;
};
Result<PutBlocks> put_blocks(Tx& tx, ChainId chain, const std::vector<IngestedBlock>& blocks, EventKind kind,
                             Time now) {
  std::vector<Params> rows;
  std::vector<Hash32> with_events;
  for (const auto& block : blocks) {
    rows.push_back(block_params(chain, block.block, !block.events.empty()));
    if (!block.events.empty()) with_events.push_back(block.block.hash);
  }
  const Query& query = kind == EventKind::live ? kPutBlock : kPutOldBlock;
  if (auto put = tx.run_many(query, rows); !put) return fail(put);
  auto before = count_canonical_events(tx, chain, with_events);
  if (!before) return fail(before);
  auto put = put_events(tx, blocks, kind, now);
  if (!put) return fail(put);
  auto after = count_canonical_events(tx, chain, with_events);
  if (!after) return fail(after);
  return PutBlocks{*put, std::move(*before), std::move(*after)};
}

// Those that retention has not passed yet: it would take the others at once.
Result<std::vector<IngestedBlock>> without_forgotten(Tx& tx, ChainId chain, const std::vector<IngestedBlock>& blocks) {
  auto forgotten = read_forgotten_events(tx, chain);
  if (!forgotten) return fail(forgotten);
  auto kept = blocks;
  if (forgotten->before)
    std::erase_if(kept, [&forgotten](const auto& block) { return block.block.time < *forgotten->before; });
  return kept;
}

// The chain's row is locked already.
Result<void> put_live(Tx& tx, ChainId chain, const std::vector<IngestedBlock>& blocks, Time now) {
  auto put = put_blocks(tx, chain, blocks, EventKind::live, now);
  if (!put) return fail(put);
  return change_event_counts(tx, chain, put->before, put->after);
}

std::unexpected<Error> fenced(ChainId chain) {
  return fail(Code::fenced, fmt::format("chain {} is followed by another process now", chain));
}

// For what is written beside the live blocks: the epoch, and that [from, to] agrees with them. A reorganisation since
// the range was read may have taken its blocks away, or put others beside them.
Result<void> check_range(Tx& tx, ChainId chain, std::int64_t epoch, std::uint64_t from, std::uint64_t to, Time now) {
  auto touched = tx.run(kTouch, Params().i64("chain", chain).i64("epoch", epoch).time("now", now));
  if (!touched) return fail(touched);
  if (touched->empty()) return fenced(chain);
  const auto head = static_cast<std::uint64_t>(touched->i64(0, 0));
  if (to > head)
    return fail(Code::conflict, fmt::format("chain {}: the head has gone back to {}, below {}", chain, head, to));
  auto forks = tx.run(kForks, Params()
                                  .i64("chain", chain)
                                  .i64("from", static_cast<std::int64_t>(from))
                                  .i64("to", static_cast<std::int64_t>(to))
                                  .boolean("yes", true));
  if (!forks) return fail(forks);
  if (!forks->empty())
    return fail(Code::conflict,
                fmt::format("chain {}: block {} is not the one that was followed live", chain, forks->i64(0, 0)));
  return {};
}

struct Advance {
  std::int64_t entries = 0;
  std::uint64_t head_num = 0;
  Hash32 head_hash;
  std::optional<std::uint64_t> safe, finalized;
  std::int64_t lowest = 0, highest = 0;   // where the head may be now
  std::optional<std::uint64_t> tip = std::nullopt;
};
Result<std::int64_t> advance(Tx& tx, ChainId chain, std::int64_t epoch, const Advance& step, Time now) {
  const auto number = [](const std::optional<std::uint64_t>& n) {
    return n ? std::optional(static_cast<std::int64_t>(*n)) : std::nullopt;
  };
  auto row = tx.run(kAdvance, Params()
                                  .i64("chain", chain)
                                  .i64("epoch", epoch)
                                  .i64("entries", step.entries)
                                  .i64("head", static_cast<std::int64_t>(step.head_num))
                                  .blob("hash", step.head_hash.view())
                                  .i64("safe", number(step.safe))
                                  .i64("finalized", number(step.finalized))
                                  .i64("tip", static_cast<std::int64_t>(step.tip.value_or(step.head_num)))
                                  .i64("lowest", step.lowest)
                                  .i64("highest", step.highest)
                                  .time("now", now));
  if (!row) return fail(row);
  if (!row->empty()) return row->i64(0, 0);
  auto found = find_chain(tx, chain);
  if (!found) return fail(found);
  if (!*found || (*found)->epoch != epoch) return fenced(chain);
  return fail(Code::conflict, fmt::format("chain {}: the head is at {}, not between {} and {}", chain,
                                          (*found)->head_num, step.lowest, step.highest));
}

Params entry_params(ChainId chain, std::int64_t seq, int op, ByteView hash, std::int64_t num) {
  return Params().i64("chain", chain).i64("seq", seq).i64("op", op).blob("hash", hash).i64("num", num);
}

Result<void> log_joined(Tx& tx, ChainId chain, const std::vector<IngestedBlock>& blocks, std::int64_t last_seq,
                        std::int64_t entries) {
  std::int64_t seq = last_seq - entries;
  std::vector<Params> rows;
  for (const auto& block : blocks) {
    if (block.events.empty()) continue;
    rows.push_back(entry_params(chain, ++seq, 1, block.block.hash.view(), static_cast<std::int64_t>(block.block.num)));
  }
  auto put = tx.run_many(kPutEntry, rows);
  if (!put) return fail(put);
  return {};
}

std::int64_t with_events(const std::vector<IngestedBlock>& blocks) {
  return std::count_if(blocks.begin(), blocks.end(), [](const auto& block) { return !block.events.empty(); });
}

}   // namespace

Result<std::vector<ChainRow>> list_chains(Tx& tx) {
  auto rows = tx.run(kListChains);
  if (!rows) return fail(rows);
  std::vector<ChainRow> out;
  for (std::size_t i = 0; i < rows->size(); ++i) out.push_back(read_chain(*rows, i));
  return out;
}

Result<std::optional<ChainRow>> find_chain(Tx& tx, ChainId chain) {
  auto rows = tx.run(kFindChain, Params().i64("chain", chain));
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  return read_chain(*rows, 0);
}

Result<std::vector<LogEntry>> read_block_log(Tx& tx, ChainId chain, std::int64_t after_seq, std::int64_t limit) {
  auto rows = tx.run(kReadLog, Params().i64("chain", chain).i64("after", after_seq).i64("limit", limit));
  if (!rows) return fail(rows);
  std::vector<LogEntry> out;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    out.push_back({rows->i64(i, 0), static_cast<int>(rows->i64(i, 1)), rows->fixed<32>(i, 2),
                   static_cast<std::uint64_t>(rows->i64(i, 3)), rows->time(i, 4)});
  }
  return out;
}

Result<ChainRow> attach_chain(Tx& tx, ChainId chain, std::string_view name, std::uint64_t start_block,
                              std::uint64_t live_from, std::int64_t epoch, Time now) {
  auto row = tx.run(kAttach, Params()
                                 .i64("chain", chain)
                                 .text("name", std::string(name))
                                 .i64("start", static_cast<std::int64_t>(std::min(start_block, live_from)))
                                 .i64("live_from", static_cast<std::int64_t>(live_from))
                                 .i64("head", static_cast<std::int64_t>(live_from) - 1)
                                 .i64("epoch", epoch)
                                 .time("now", now));
  if (!row) return fail(row);
  if (row->affected() == 0) return fenced(chain);
  auto found = find_chain(tx, chain);
  if (!found) return fail(found);
  return **found;
}

Result<void> append_blocks(Tx& tx, ChainId chain, std::int64_t epoch, const std::vector<IngestedBlock>& blocks,
                           const Coverage& coverage, std::optional<std::uint64_t> safe,
                           std::optional<std::uint64_t> finalized, Time now, std::optional<std::uint64_t> tip) {
  ENSURE(!blocks.empty(), "there is a block to append");
  const std::int64_t entries = with_events(blocks);
  const auto& last = blocks.back().block;
  const std::int64_t before = static_cast<std::int64_t>(blocks.front().block.num) - 1;
  auto seq = advance(tx, chain, epoch, {entries, last.num, last.hash, safe, finalized, before, before, tip}, now);
  if (!seq) return fail(seq);
  if (auto put = put_live(tx, chain, blocks, now); !put) return put;
  if (auto logged = log_joined(tx, chain, blocks, *seq, entries); !logged) return logged;
  // Neighbours of the same level are covered together.
  for (std::size_t first = 0; first < blocks.size();) {
    std::size_t end = first + 1;
    while (end < blocks.size() && blocks[end].header_checked == blocks[first].header_checked) ++end;
    if (auto covered = cover(tx, chain, {coverage.contracts, blocks[first].header_checked}, blocks[first].block.num,
                             blocks[end - 1].block.num);
        !covered)
      return covered;
    first = end;
  }
  return {};
}

Result<void> append_range(Tx& tx, ChainId chain, std::int64_t epoch, const std::vector<IngestedBlock>& blocks,
                          const BlockRow& last, std::uint64_t from, const Coverage& coverage,
                          std::optional<std::uint64_t> safe, std::optional<std::uint64_t> finalized, Time now,
                          std::optional<std::uint64_t> tip) {
  const std::int64_t entries = with_events(blocks);
  const std::int64_t before = static_cast<std::int64_t>(from) - 1;
  auto seq = advance(tx, chain, epoch, {entries, last.num, last.hash, safe, finalized, before, before, tip}, now);
  if (!seq) return fail(seq);
  if (blocks.empty() || blocks.back().block.num != last.num) {
    if (auto put = tx.run(kPutBlock, block_params(chain, last, false)); !put) return fail(put);
  }
  if (auto put = put_live(tx, chain, blocks, now); !put) return put;
  if (auto logged = log_joined(tx, chain, blocks, *seq, entries); !logged) return logged;
  return cover(tx, chain, coverage, from, last.num);
}

Result<void> rewind_chain(Tx& tx, ChainId chain, std::int64_t epoch, std::uint64_t ancestor_num,
                          const Hash32& ancestor_hash, Time now) {
  const auto num = static_cast<std::int64_t>(ancestor_num);
  auto above = tx.run(kAbove, Params().i64("chain", chain).i64("num", num).boolean("yes", true));
  if (!above) return fail(above);
  std::int64_t entries = 0;
  for (std::size_t i = 0; i < above->size(); ++i) entries += above->boolean(i, 2) ? 1 : 0;
  auto seq = advance(
      tx, chain, epoch,
      {entries, ancestor_num, ancestor_hash, std::nullopt, std::nullopt, num, std::numeric_limits<std::int64_t>::max()},
      now);
  if (!seq) return fail(seq);
  std::int64_t next = *seq - entries;
  std::vector<Hash32> hashes;
  for (std::size_t i = 0; i < above->size(); ++i) hashes.push_back(above->fixed<32>(i, 0));
  auto left = count_canonical_events(tx, chain, hashes);
  if (!left) return fail(left);
  if (auto changed = change_event_counts(tx, chain, *left, {}); !changed) return changed;
  for (std::size_t i = 0; i < above->size(); ++i) {
    const Bytes hash = above->blob(i, 0);
    if (above->boolean(i, 2)) {
      auto put = tx.run(kPutEntry, entry_params(chain, ++next, -1, hash, above->i64(i, 1)));
      if (!put) return fail(put);
      // Here, and not only once the engine reads the entry: it may be busy while the next blocks release what waits.
      auto unsent = orphan_jobs(tx, chain, above->fixed<32>(i, 0), now);
      if (!unsent) return fail(unsent);
    }
    if (auto orphaned = orphan_events(tx, chain, hash); !orphaned) return orphaned;
  }
  auto blocks =
      tx.run(kOrphanBlocks, Params().i64("chain", chain).i64("num", num).boolean("yes", true).boolean("no", false));
  if (!blocks) return fail(blocks);
  return cut_coverage(tx, chain, ancestor_num);
}

Result<void> append_history(Tx& tx, ChainId chain, std::int64_t epoch, const std::vector<IngestedBlock>& read,
                            std::uint64_t from, std::uint64_t to, const Coverage& coverage, Time now) {
  auto kept = without_forgotten(tx, chain, read);
  if (!kept) return fail(kept);
  const auto& blocks = *kept;
  // The fence comes last: it locks the chain's row, and live blocks shall not wait for history's rows. The lock also
  // keeps the readers of history apart where they join their ranges.
  auto put = put_blocks(tx, chain, blocks, EventKind::history, now);
  if (!put) return fail(put);
  if (auto held = check_range(tx, chain, epoch, from, to, now); !held) return held;
  if (auto changed = change_event_counts(tx, chain, put->before, put->after); !changed) return changed;
  return cover(tx, chain, coverage, from, to);
}

Result<std::int64_t> add_late_events(Tx& tx, ChainId chain, std::int64_t epoch,
                                     const std::vector<IngestedBlock>& blocks, Time now) {
  auto kept = without_forgotten(tx, chain, blocks);
  if (!kept) return fail(kept);
  auto added = put_blocks(tx, chain, *kept, EventKind::late, now);
  if (!added) return fail(added);
  // Without blocks there is only the epoch to look at.
  const std::uint64_t from = blocks.empty() ? 1 : blocks.front().block.num;
  const std::uint64_t to = blocks.empty() ? 0 : blocks.back().block.num;
  if (auto held = check_range(tx, chain, epoch, from, to, now); !held) return fail(held);
  if (auto changed = change_event_counts(tx, chain, added->before, added->after); !changed) return fail(changed);
  return added->rows;
}

Result<std::uint64_t> highest_block(Tx& tx, ChainId chain) {
  auto row = tx.run(kHighest, Params().i64("chain", chain));
  if (!row) return fail(row);
  return static_cast<std::uint64_t>(row->i64_or_null(0, 0).value_or(0));
}

Result<std::vector<BlockRow>> canonical_blocks(Tx& tx, ChainId chain, std::uint64_t from, std::uint64_t to) {
  auto rows = tx.run(kCanonical, Params()
                                     .i64("chain", chain)
                                     .i64("from", static_cast<std::int64_t>(from))
                                     .i64("to", static_cast<std::int64_t>(to))
                                     .boolean("yes", true));
  if (!rows) return fail(rows);
  std::vector<BlockRow> out;
  for (std::size_t i = 0; i < rows->size(); ++i)
    out.push_back({rows->fixed<32>(i, 0), static_cast<std::uint64_t>(rows->i64(i, 1)), rows->fixed<32>(i, 2),
                   rows->time(i, 3), rows->time(i, 4)});
  return out;
}

Result<void> set_chain_state(Tx& tx, ChainId chain, std::int64_t epoch, std::string_view state,
                             std::optional<std::string> reason, Time now) {
  auto row = tx.run(kSetState, Params()
                                   .i64("chain", chain)
                                   .i64("epoch", epoch)
                                   .text("state", std::string(state))
                                   .text("reason", std::move(reason))
                                   .time("now", now));
  if (!row) return fail(row);
  if (row->affected() == 0) return fenced(chain);
  return {};
}

Result<std::int64_t> prune_blocks(Tx& tx, ChainId chain, std::uint64_t below) {
  auto row = tx.run(kPrune, Params().i64("chain", chain).i64("below", static_cast<std::int64_t>(below)));
  if (!row) return fail(row);
  return row->affected();
}

}   // namespace agentauri::store
