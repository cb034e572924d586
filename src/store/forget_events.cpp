#include "store/forget_events.hpp"

#include "store/chain_log.hpp"

namespace agentauri::store {
namespace {

const Query kUndoWindow{"event_forget_undo_window",
                        "SELECT MIN(time) FROM blocks WHERE chain_id = :chain AND num > :num AND has_events = :yes"};
const Query kUnprocessed{"event_forget_unprocessed",
                         "SELECT MIN(b.time) FROM block_log l JOIN blocks b ON b.chain_id = l.chain_id AND b.hash = "
                         "l.block_hash WHERE l.chain_id = :chain AND l.seq > "
                         "COALESCE((SELECT MIN(c.seq) FROM engine_cursor c WHERE c.chain_id = :chain), 0)"};
// Each state by its own index.
#define OF_STATE(STATE)                                                                                          \
  "SELECT MIN(b.time) AS oldest FROM jobs j JOIN blocks b ON b.chain_id = j.chain_id AND b.hash = j.block_hash " \
  "WHERE j.chain_id = :chain AND j.state = '" STATE "'"
const Query kUnfinished{"event_forget_unfinished",
                        "SELECT MIN(u.oldest) FROM (" OF_STATE("pending") " UNION ALL " OF_STATE(
                            "leased") " UNION ALL " OF_STATE("held") ") AS u"};
#undef OF_STATE
// The log goes on in time, but for blocks that left and those in their place: these lie within a reorganisation of each
// other. So this reads what has become old since the last time, and as much more as one takes.
const Query kFirstKept{
    "event_forget_first_kept",
    "SELECT l.seq FROM block_log l JOIN blocks b ON b.chain_id = l.chain_id AND b.hash = l.block_hash "
    "WHERE l.chain_id = :chain AND l.seq > :after AND b.time >= :before ORDER BY l.seq LIMIT 1"};
const Query kLastGone{
    "event_forget_last_gone",
    "SELECT MAX(l.seq) FROM block_log l JOIN blocks b ON b.chain_id = l.chain_id AND b.hash = "
    "l.block_hash WHERE l.chain_id = :chain AND l.seq > :after AND l.seq < :end AND b.time < :before"};
const Query kMark{"event_forget_mark",
                  "UPDATE chains SET forgotten_before = :before, forgotten_seq = :seq WHERE chain_id = :chain AND "
                  "(forgotten_before IS NULL OR forgotten_before < :before)"};
const Query kRead{"event_forget_read", "SELECT forgotten_before, forgotten_seq FROM chains WHERE chain_id = :chain"};
const Query kForget{"event_forget",
                    "DELETE FROM events WHERE rowid IN (SELECT rowid FROM events WHERE block_time < :before "
                    "ORDER BY block_time LIMIT :batch)",
                    "SELECT forget_events(:before, CAST(:batch AS integer))"};

Result<void> hold(Tx& tx, const Query& query, const Params& params, EventHolder holder, ForgettableEvents& out) {
  auto row = tx.run(query, params);
  if (!row) return fail(row);
  const auto oldest = row->time_or_null(0, 0);
  if (!oldest || *oldest >= out.before) return {};
  out.before = *oldest;
  out.held_by = holder;
  return {};
}

}   // namespace

Result<ForgettableEvents> find_forgettable_events(Tx& tx, Time wanted, std::uint64_t undo_blocks) {
  auto chains = list_chains(tx);
  if (!chains) return fail(chains);
  ForgettableEvents out{wanted, std::nullopt};
  for (const auto& chain : *chains) {
    const auto below = static_cast<std::int64_t>(chain.head_num) - static_cast<std::int64_t>(undo_blocks);
    const auto of_chain = [&chain] { return Params().i64("chain", chain.chain_id); };
    if (auto held = hold(tx, kUndoWindow, of_chain().i64("num", below).boolean("yes", true),
                         {chain.chain_id, "a reorganisation may still take its blocks back"}, out);
        !held)
      return fail(held);
    if (auto held =
            hold(tx, kUnprocessed, of_chain(), {chain.chain_id, "the engine has not processed its blocks"}, out);
        !held)
      return fail(held);
    if (auto held = hold(tx, kUnfinished, of_chain(), {chain.chain_id, "deliveries of its events have not ended"}, out);
        !held)
      return fail(held);
  }
  return out;
}

Result<ForgottenEvents> read_forgotten_events(Tx& tx, domain::ChainId chain) {
  auto row = tx.run(kRead, Params().i64("chain", chain));
  if (!row) return fail(row);
  if (row->empty()) return ForgottenEvents{};
  return ForgottenEvents{row->time_or_null(0, 0), row->i64(0, 1)};
}

Result<void> mark_forgotten_events(Tx& tx, Time before, std::uint64_t undo_blocks) {
  auto chains = list_chains(tx);
  if (!chains) return fail(chains);
  for (const auto& chain : *chains) {
    auto known = read_forgotten_events(tx, chain.chain_id);
    if (!known) return fail(known);
    const auto of_chain = [&] {
      return Params().i64("chain", chain.chain_id).i64("after", known->seq).time("before", before);
    };
    auto first = tx.run(kFirstKept, of_chain());
    if (!first) return fail(first);
    // Each block of a reorganisation leaves by one entry and is replaced by another.
    const std::int64_t end =
        first->empty() ? chain.last_seq + 1 : first->i64(0, 0) + 2 * static_cast<std::int64_t>(undo_blocks);
    auto last = tx.run(kLastGone, of_chain().i64("end", end));
    if (!last) return fail(last);
    auto marked = tx.run(kMark, of_chain().i64("seq", last->i64_or_null(0, 0).value_or(known->seq)));
    if (!marked) return fail(marked);
  }
  return {};
}

Result<std::int64_t> forget_events(Tx& tx, Time before, std::int64_t batch) {
  auto gone = tx.run(kForget, Params().time("before", before).i64("batch", batch));
  if (!gone) return fail(gone);
  return gone->empty() ? gone->affected() : gone->i64(0, 0);
}

}   // namespace agentauri::store
