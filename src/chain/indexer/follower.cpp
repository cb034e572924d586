#include "chain/indexer/follower.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "store/jobs.hpp"

namespace agentauri::chain {
namespace {

using store::IngestedBlock;
using store::Tx;

// So many event blocks whose bloom filter held our address prove that the chain fills its filters.
constexpr unsigned kBloomProofs = 8;
constexpr unsigned kStreakToGrow = 5;          // successes before a range doubles
constexpr std::size_t kMaxBlocksAtOnce = 64;   // of one commit at the head
constexpr std::uint64_t kFinalityEvery = 16;   // blocks between two questions for `finalized`
constexpr std::uint64_t kVerifyRange = 256;    // final blocks that are looked at again together
constexpr std::uint64_t kPruneEvery = 128;
constexpr std::int64_t kWaits[] = {1, 2, 5, 10, 30, 60};   // seconds after errors in a row (pipeline.md 4.4)
constexpr auto kBloomRetry = std::chrono::milliseconds(250);

std::chrono::milliseconds error_wait(unsigned errors, std::int64_t salt) {
  const std::int64_t seconds = kWaits[std::min<std::size_t>(errors == 0 ? 0 : errors - 1, std::size(kWaits) - 1)];
  // ±20 %, so that many followers do not come back together. The first tries are quick: most faults are a hiccup.
  const std::int64_t base = errors <= 2 ? seconds * 200 : seconds * 1000;
  return std::chrono::milliseconds(base * (80 + salt % 41) / 100);
}

bool is_fatal(const Error& error) { return error.code == Code::fenced || error.code == Code::cancelled; }

Labels label(const std::string& chain) { return {{"chain", chain}}; }

}  // namespace

ChainFollower::ChainFollower(ChainSource& source, store::Database& db, const Clock& clock, FollowerSettings settings, Metrics& metrics, std::function<void()> on_commit)
    : source_(source), db_(db), clock_(clock), settings_(std::move(settings)), addresses_(settings_.contracts.all()), on_commit_(std::move(on_commit)), range_(settings_.max_range), metrics_(metrics),
      synced_(metrics.gauge("ponder_sync_block_number", "Last block ingested", label(settings_.name))),
      lag_(metrics.gauge("ponder_sync_lag_blocks", "Blocks between the node's head and ours", label(settings_.name))),
      last_sync_(metrics.gauge("ponder_last_sync_timestamp", "Unix time of the last ingested block", label(settings_.name))),
      gap_(metrics.gauge("indexer_coverage_gap_blocks", "Blocks between the start block and the head that no range covers", label(settings_.name))),
      blocks_(metrics.counter("ponder_sync_blocks_total", "Live blocks ingested", label(settings_.name))),
      reorgs_(metrics.counter("indexer_reorgs_total", "Reorganisations followed", label(settings_.name))),
      unconfirmed_(metrics.counter("indexer_bloom_unconfirmed_total", "Blocks whose filter named our contracts while every provider named no log", label(settings_.name))),
      late_(metrics.counter("indexer_late_events_total", "Events that a provider had withheld and a second look found", label(settings_.name))),
      malformed_(metrics.counter("indexer_malformed_logs_total", "Logs stored with a parse error", label(settings_.name))),
      unknown_topics_(metrics.counter("indexer_unknown_topics_total", "Logs of our contracts with an unknown first topic, skipped", label(settings_.name))) {}

// --- attaching -------------------------------------------------------------------------------------------------------

Task<Result<void>> ChainFollower::attach() {
  auto find = [id = settings_.chain_id](Tx& tx) { return store::find_chain(tx, id); };
  auto known = co_await db_.snapshot<std::optional<store::ChainRow>>(std::move(find));
  if (!known) co_return fail(known);
  std::uint64_t live_from = *known ? (*known)->live_from_block : 0;
  if (!*known) {
    auto head = co_await source_.head(HeadTag::latest);
    if (!head) co_return fail(head);
    live_from = head->num + 1;   // the head itself may have alerts that nobody asked for yet: it is history
  }
  auto attach = [id = settings_.chain_id, name = settings_.name, start = settings_.start_block, live_from, epoch = settings_.epoch, now = clock_.now()](Tx& tx) {
    return store::attach_chain(tx, id, name, start, live_from, epoch, now);
  };
  auto row = co_await db_.transact<store::ChainRow>(store::Priority::interactive, std::move(attach));
  if (!row) co_return fail(row);
  row_ = std::move(*row);
  const std::uint64_t window_from = std::max(row_.live_from_block, row_.head_num > settings_.max_undo_blocks ? row_.head_num - settings_.max_undo_blocks : 0);
  auto window = [id = settings_.chain_id, window_from, to = row_.head_num](Tx& tx) { return store::canonical_blocks(tx, id, window_from, to); };
  auto blocks = co_await db_.snapshot<std::vector<store::BlockRow>>(std::move(window));
  if (!blocks) co_return fail(blocks);
  recent_.assign(blocks->begin(), blocks->end());
  // What was not final when another process stopped has not been looked at twice; neither has its last unfull range.
  const std::uint64_t settled = final_block(row_.head_num);
  verified_to_ = std::max(row_.live_from_block, settled > kVerifyRange ? settled - kVerifyRange : 0);
  if (*verified_to_ > 0) --*verified_to_;
  synced_.set(static_cast<double>(row_.head_num));
  log_.info("chain attached", {{"chain", settings_.name}, {"live_from", row_.live_from_block}, {"head", row_.head_num}, {"epoch", settings_.epoch}});
  co_return Result<void>{};
}

std::optional<Hash32> ChainFollower::known_hash(std::uint64_t num) const {
  const auto found = std::lower_bound(recent_.begin(), recent_.end(), num, [](const store::BlockRow& block, std::uint64_t n) { return block.num < n; });
  if (found == recent_.end() || found->num != num) return std::nullopt;
  return found->hash;
}

void ChainFollower::remember(const store::BlockRow& block) {
  recent_.push_back(block);
  const std::uint64_t keep = std::clamp<std::uint64_t>(block.num > final_block(block.num) ? block.num - final_block(block.num) : 0, settings_.min_undo_blocks, settings_.max_undo_blocks) + 64;
  while (recent_.size() > keep) recent_.pop_front();
}

std::uint64_t ChainFollower::final_block(std::uint64_t head) const {
  if (finalized_) return std::min(*finalized_, head);
  return head > settings_.finality_depth ? head - settings_.finality_depth : 0;
}

// --- the head --------------------------------------------------------------------------------------------------------

Task<Result<BlockHeader>> ChainFollower::refresh_head() {
  auto head = co_await source_.head(HeadTag::latest);
  if (!head) co_return head;
  lag_.set(head->num > row_.head_num ? static_cast<double>(head->num - row_.head_num) : 0);
  if (tags_offered_ && (finality_asked_at_ == 0 || head->num >= finality_asked_at_ + kFinalityEvery)) {
    finality_asked_at_ = head->num;
    auto finalized = co_await source_.head(HeadTag::finalized);
    if (finalized) finalized_ = finalized->num;
    else if (finalized.error().code == Code::unsupported || finalized.error().code == Code::protocol) tags_offered_ = false;
    if (finalized) {
      auto safe = co_await source_.head(HeadTag::safe);
      if (safe) safe_ = safe->num;
    }
  }
  co_return head;
}

Task<Result<unsigned>> ChainFollower::step_live() {
  if (row_.state == "halted") co_return 0U;
  auto head = co_await refresh_head();
  if (!head) co_return fail(head);
  if (row_.head_num + 1 < row_.live_from_block) co_return fail(Code::internal, "the head is below the first live block");
  const bool nothing_yet = row_.head_num + 1 == row_.live_from_block && !row_.head_hash;
  if (head->num < row_.head_num) {
    // The node may lag behind another one, or its chain may have become shorter.
    const auto ours = known_hash(head->num);
    if (ours && *ours != head->hash) {
      if (auto done = co_await reorganise(*head); !done) co_return fail(done);
    }
    co_return 0U;
  }
  if (head->num == row_.head_num) {
    if (nothing_yet || !row_.head_hash || head->hash == *row_.head_hash) co_return 0U;
    if (auto done = co_await reorganise(*head); !done) co_return fail(done);
    if (row_.state == "halted" || head->num <= row_.head_num) co_return 0U;
  }
  if (head->num - row_.head_num > settings_.range_lag) co_return co_await extend_by_range(*head);
  co_return co_await extend_one_by_one(*head);
}

// The blocks from ours to the node's head, each checked to be the child of the one before.
Task<Result<unsigned>> ChainFollower::extend_one_by_one(BlockHeader head) {
  std::vector<BlockHeader> headers;
  std::vector<std::uint64_t> nums;
  const std::uint64_t last = std::min<std::uint64_t>(head.num, row_.head_num + kMaxBlocksAtOnce);
  for (std::uint64_t num = row_.head_num + 1; num <= last && num != head.num; ++num) nums.push_back(num);
  if (!nums.empty()) {
    auto between = co_await source_.headers_by_number(std::move(nums));
    if (!between) co_return fail(between);
    headers = std::move(*between);
  }
  if (last == head.num) headers.push_back(head);
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const std::optional<Hash32> parent = i > 0 ? std::optional(headers[i - 1].hash) : row_.head_hash;
    if (!parent || headers[i].parent_hash == *parent) continue;
    if (i > 0) {   // the node changed its mind between two answers: take what fits, look again
      headers.resize(i);
      break;
    }
    if (auto done = co_await reorganise(headers[0]); !done) co_return fail(done);
    co_return 1U;   // look again at once
  }
  std::vector<IngestedBlock> blocks;
  for (const auto& header : headers) {
    auto fetched = co_await fetch_block(header);
    if (!fetched && fetched.error().code == Code::not_found && !blocks.empty()) break;   // gone meanwhile
    if (!fetched) co_return fail(fetched);
    blocks.push_back(std::move(*fetched));
  }
  const store::Coverage coverage{addresses_, true};
  bool gave_events = false;
  for (const auto& block : blocks) gave_events = gave_events || !block.events.empty();
  auto append = [id = settings_.chain_id, epoch = settings_.epoch, blocks, coverage, safe = safe_, finalized = finalized_, now = clock_.now()](Tx& tx) -> Result<void> {
    if (auto done = store::append_blocks(tx, id, epoch, blocks, coverage, safe, finalized, now); !done) return done;
    if (auto released = store::release_held_jobs(tx, id, blocks.back().block.num, now); !released) return fail(released);
    return {};
  };
  auto appended = co_await db_.transact<void>(store::Priority::interactive, std::move(append));
  if (!appended) co_return fail(appended);
  for (const auto& block : blocks) {
    remember(block.block);
    for (const auto& event : block.events) metrics_.counter("ponder_events_indexed_total", "Events stored", {{"chain", settings_.name}, {"event_type", event.event_type}}).add();
  }
  row_.head_num = blocks.back().block.num;
  row_.head_hash = blocks.back().block.hash;
  synced_.set(static_cast<double>(row_.head_num));
  lag_.set(static_cast<double>(head.num - row_.head_num));
  last_sync_.set(static_cast<double>(to_unix_seconds(blocks.back().block.time)));
  blocks_.add(static_cast<double>(blocks.size()));
  on_commit_();
  if (row_.head_num % kPruneEvery == 0 && row_.head_num > recent_.size() + 64) {
    auto prune = [id = settings_.chain_id, below = recent_.front().num](Tx& tx) { return store::prune_blocks(tx, id, below); };
    (void)co_await db_.transact<std::int64_t>(store::Priority::bulk, std::move(prune));
  }
  co_return static_cast<unsigned>(blocks.size());
}

IngestedBlock ChainFollower::ingest(const BlockHeader& header, std::vector<RawLog> logs) {
  auto normalised = normalise_block(settings_.chain_id, settings_.contracts, header.time, std::move(logs));
  malformed_.add(static_cast<double>(normalised.malformed));
  unknown_topics_.add(static_cast<double>(normalised.unknown_topics));
  for (const auto& event : normalised.events) {
    if (event.event_type == "Unknown") log_.warn("a log of a registry does not decode", {{"chain", settings_.name}, {"txn", to_hex_0x(event.txn_hash)}, {"log_index", event.log_index}, {"why", event.parse_error.value_or("")}});
  }
  return {{header.hash, header.num, header.parent_hash, header.time, clock_.now()}, std::move(normalised.events), true};
}

Task<Result<IngestedBlock>> ChainFollower::fetch_block(BlockHeader header) {
  bool header_checked = true;
  auto logs = co_await logs_of(header, header_checked);
  if (!logs) co_return fail(logs);
  IngestedBlock block = ingest(header, std::move(*logs));
  block.header_checked = header_checked;
  co_return block;
}

// Logs by block hash, held against the header's bloom filter.
Task<Result<std::vector<RawLog>>> ChainFollower::logs_of(BlockHeader header, bool& header_checked) {
  header_checked = true;
  const bool hit = std::any_of(addresses_.begin(), addresses_.end(), [&header](const Address& address) { return bloom_may_contain(header.logs_bloom, address); });
  const bool proven = blooms_trusted_ && bloom_proofs_ >= kBloomProofs;
  if (!hit && proven) co_return std::vector<RawLog>{};   // a filter never says a false no

  auto logs = co_await source_.logs_by_hash(header.hash, header.num, addresses_, std::nullopt);
  if (!logs) co_return logs;
  if (!logs->empty()) {
    const bool named = std::all_of(logs->begin(), logs->end(), [&header](const RawLog& log) { return bloom_may_contain(header.logs_bloom, log.address); });
    if (named) {
      ++bloom_proofs_;
    } else if (blooms_trusted_) {
      blooms_trusted_ = false;
      log_.warn("this chain's headers do not name the logs that their blocks hold: bloom filters are not relied on", {{"chain", settings_.name}, {"block", header.num}});
    }
    header_checked = named;
    co_return logs;
  }
  if (!hit) {
    header_checked = blooms_trusted_;
    co_return logs;
  }
  if (!blooms_trusted_) {
    header_checked = false;
    co_return logs;
  }
  // The filter names us and the answer does not: ask again, everybody, for a while. Filters have false positives.
  const auto started = clock_.now();
  do {
    if (receipts_offered_) {
      auto receipts = co_await source_.logs_by_receipts(header.hash, header.num, addresses_, std::nullopt);
      if (receipts) co_return receipts;   // the receipts decide
      if (receipts.error().code == Code::unsupported) receipts_offered_ = false;
      if (receipts.error().code == Code::cancelled) co_return receipts;
    }
    for (std::size_t provider = 0; provider < source_.provider_count(); ++provider) {
      auto again = co_await source_.logs_by_hash(header.hash, header.num, addresses_, provider);
      if (again && !again->empty()) co_return again;
      if (!again && again.error().code == Code::cancelled) co_return again;
    }
    if (!co_await sleep_for(kBloomRetry)) co_return fail(Code::cancelled, "stopping");
  } while (clock_.now() - started < settings_.bloom_patience);
  unconfirmed_.add();
  header_checked = false;
  co_return logs;
}

// --- reorganisations -------------------------------------------------------------------------------------------------

// `fork` is a block of the node's chain whose number is at most ours + 1 and that does not fit. Walks down its branch
// until it meets a block of ours, then takes back what is above.
Task<Result<void>> ChainFollower::reorganise(BlockHeader fork) {
  const std::uint64_t our_head = row_.head_num;
  Hash32 want = fork.parent_hash;
  std::uint64_t num = fork.num == 0 ? 0 : fork.num - 1;
  const std::uint64_t floor = row_.live_from_block == 0 ? 0 : row_.live_from_block - 1;
  for (;;) {
    const auto ours = known_hash(num);
    if (ours && *ours == want) break;
    if (num <= floor || (num < our_head && !ours && num < (recent_.empty() ? our_head : recent_.front().num))) {
      if (num == floor && !ours) break;   // the first live block itself was replaced: everything live goes
      co_return co_await halt(fmt::format("a reorganisation reaches below block {}, deeper than the {} blocks that can be undone", recent_.empty() ? our_head : recent_.front().num, recent_.size()));
    }
    if (our_head - num > settings_.max_undo_blocks) co_return co_await halt(fmt::format("a reorganisation is deeper than {} blocks", settings_.max_undo_blocks));
    auto header = co_await source_.header_by_hash(want);
    if (!header) co_return fail(header);
    want = header->parent_hash;
    --num;
  }
  const std::uint64_t depth = our_head - num;
  auto rewind = [id = settings_.chain_id, epoch = settings_.epoch, num, want, now = clock_.now()](Tx& tx) { return store::rewind_chain(tx, id, epoch, num, want, now); };
  auto done = co_await db_.transact<void>(store::Priority::interactive, std::move(rewind));
  if (!done) co_return done;
  while (!recent_.empty() && recent_.back().num > num) recent_.pop_back();
  row_.head_num = num;
  row_.head_hash = want;
  if (verified_to_ && *verified_to_ > num) verified_to_ = num;
  reorgs_.add();
  synced_.set(static_cast<double>(num));
  log_.info("reorganisation followed", {{"chain", settings_.name}, {"ancestor", num}, {"depth", depth}});
  on_commit_();
  co_return Result<void>{};
}

Task<Result<void>> ChainFollower::set_state(std::string state, std::optional<std::string> reason) {
  row_.state = state;
  auto set = [id = settings_.chain_id, epoch = settings_.epoch, state, reason, now = clock_.now()](Tx& tx) { return store::set_chain_state(tx, id, epoch, state, reason, now); };
  co_return co_await db_.transact<void>(store::Priority::interactive, std::move(set));
}

Task<Result<void>> ChainFollower::halt(std::string reason) {
  log_.error("the chain is halted; look at the node, then use `agentauri chain rewind`", {{"chain", settings_.name}, {"why", reason}});
  co_return co_await set_state("halted", std::move(reason));
}

// --- ranges ----------------------------------------------------------------------------------------------------------

void ChainFollower::range_succeeded() {
  if (++range_streak_ < kStreakToGrow) return;
  range_streak_ = 0;
  range_ = std::min(range_ * 2, settings_.max_range);
}

void ChainFollower::range_failed() {
  range_streak_ = 0;
  range_ = std::max<std::uint64_t>(1, range_ / 2);
}

// Logs of [from, to] with the headers of the blocks that have some: hash and parent come from the header, and a log that
// belongs to another block of that height means that the two answers saw different chains.
Task<Result<std::vector<IngestedBlock>>> ChainFollower::fetch_range(std::uint64_t from, std::uint64_t to, bool& header_checked) {
  auto logs = co_await source_.logs_by_range(from, to, addresses_);
  if (!logs) co_return fail(logs);
  std::map<std::uint64_t, std::vector<RawLog>> by_block;
  for (auto& log : *logs) by_block[log.block_num].push_back(std::move(log));
  std::vector<std::uint64_t> nums;
  for (const auto& [num, unused] : by_block) nums.push_back(num);
  auto headers = co_await source_.headers_by_number(nums);
  if (!headers) co_return fail(headers);
  std::vector<IngestedBlock> out;
  for (auto& header : *headers) {
    auto& block_logs = by_block[header.num];
    const bool same = std::all_of(block_logs.begin(), block_logs.end(), [&header](const RawLog& log) { return log.block_hash == header.hash; });
    if (!same) co_return fail(Code::unavailable, fmt::format("block {} changed while it was read", header.num));
    out.push_back(ingest(header, std::move(block_logs)));
  }
  header_checked = false;
  co_return out;
}

Task<Result<unsigned>> ChainFollower::extend_by_range(BlockHeader head) {
  // What can still be reorganised is taken block by block.
  const std::uint64_t limit = std::max(row_.head_num, std::min(final_block(head.num), head.num - std::min(head.num, settings_.range_lag)));
  const std::uint64_t from = row_.head_num + 1;
  const std::uint64_t to = std::min(limit, from + range_ - 1);
  if (to < from) co_return co_await extend_one_by_one(head);
  if (row_.head_hash) {
    auto first = co_await source_.header_by_number(from);
    if (!first) co_return fail(first);
    if (first->parent_hash != *row_.head_hash) {
      if (auto done = co_await reorganise(*first); !done) co_return fail(done);
      co_return 1U;
    }
  }
  bool checked = false;
  auto blocks = co_await fetch_range(from, to, checked);
  if (!blocks) {
    if (blocks.error().code == Code::too_large || blocks.error().code == Code::timed_out) {
      range_failed();
      if (range_ > 1 || to > from) co_return 1U;   // again at once, with less
    }
    co_return fail(blocks);
  }
  auto end = co_await source_.header_by_number(to);
  if (!end) co_return fail(end);
  const store::BlockRow last{end->hash, end->num, end->parent_hash, end->time, clock_.now()};
  if (!blocks->empty() && blocks->back().block.num == to && blocks->back().block.hash != end->hash) co_return fail(Code::unavailable, "the end of the range changed while it was read");
  auto append = [id = settings_.chain_id, epoch = settings_.epoch, blocks = *blocks, last, from, coverage = store::Coverage{addresses_, checked}, safe = safe_, finalized = finalized_, now = clock_.now()](Tx& tx) -> Result<void> {
    if (auto done = store::append_range(tx, id, epoch, blocks, last, from, coverage, safe, finalized, now); !done) return done;
    if (auto released = store::release_held_jobs(tx, id, last.num, now); !released) return fail(released);
    return {};
  };
  auto appended = co_await db_.transact<void>(store::Priority::bulk, std::move(append));
  if (!appended) co_return fail(appended);
  range_succeeded();
  for (const auto& block : *blocks) {
    if (block.block.num != to) remember(block.block);
    for (const auto& event : block.events) metrics_.counter("ponder_events_indexed_total", "Events stored", {{"chain", settings_.name}, {"event_type", event.event_type}}).add();
  }
  remember(last);
  row_.head_num = last.num;
  row_.head_hash = last.hash;
  synced_.set(static_cast<double>(last.num));
  blocks_.add(static_cast<double>(to - from + 1));
  last_sync_.set(static_cast<double>(to_unix_seconds(last.time)));
  on_commit_();
  co_return static_cast<unsigned>(std::min<std::uint64_t>(to - from + 1, 1'000'000));
}

// --- history ---------------------------------------------------------------------------------------------------------

Task<Result<bool>> ChainFollower::step_history() {
  if (row_.live_from_block == 0 || addresses_.empty()) co_return false;
  const std::uint64_t history_end = row_.live_from_block - 1;
  if (!history_next_) {
    // The first block that some contract's ranges leave out.
    auto read = [id = settings_.chain_id](Tx& tx) { return store::read_coverage(tx, id); };
    auto ranges = co_await db_.snapshot<std::vector<store::CoverageRow>>(std::move(read));
    if (!ranges) co_return fail(ranges);
    std::uint64_t next = history_end + 1;
    for (const auto& address : addresses_) {
      std::uint64_t at = settings_.start_block;
      for (bool moved = true; moved;) {
        moved = false;
        for (const auto& range : *ranges) {
          if (range.contract != address || range.from_block > at || range.to_block < at) continue;
          at = range.to_block + 1;
          moved = true;
        }
      }
      next = std::min(next, at);
    }
    history_next_ = next;
  }
  if (*history_next_ > history_end) {
    gap_.set(0);
    co_return false;
  }
  gap_.set(static_cast<double>(history_end - *history_next_ + 1));
  auto head = co_await source_.head(HeadTag::latest);
  if (!head) co_return fail(head);
  const std::uint64_t final_num = final_block(head->num);
  const std::uint64_t from = *history_next_;
  const std::uint64_t to = std::min({history_end, final_num, from + range_ - 1});
  if (to < from) co_return false;   // not final yet: later
  bool checked = false;
  auto blocks = co_await fetch_range(from, to, checked);
  if (!blocks) {
    if (blocks.error().code != Code::too_large && blocks.error().code != Code::timed_out) co_return fail(blocks);
    range_failed();
    if (range_ == 1 && to == from) co_return fail(blocks);
    co_return true;
  }
  auto append = [id = settings_.chain_id, epoch = settings_.epoch, blocks = std::move(*blocks), from, to, coverage = store::Coverage{addresses_, checked}, now = clock_.now()](Tx& tx) {
    return store::append_history(tx, id, epoch, blocks, from, to, coverage, now);
  };
  auto appended = co_await db_.transact<void>(store::Priority::bulk, std::move(append));
  if (!appended) co_return fail(appended);
  range_succeeded();
  history_next_ = to + 1;
  gap_.set(static_cast<double>(history_end - to));
  co_return true;
}

// --- a second look ---------------------------------------------------------------------------------------------------

// Final live blocks are asked for once more, as a range: a log that was withheld at the head still enters history.
Task<Result<bool>> ChainFollower::step_verify() {
  if (addresses_.empty()) co_return false;
  const std::uint64_t from = *verified_to_ + 1;
  const std::uint64_t to = std::min({final_block(row_.head_num), row_.head_num, from + kVerifyRange - 1});
  if (to < from || to - from + 1 < kVerifyRange) co_return false;
  bool checked = false;
  auto blocks = co_await fetch_range(from, to, checked);
  if (!blocks) co_return fail(blocks);
  auto add = [id = settings_.chain_id, epoch = settings_.epoch, blocks = std::move(*blocks), now = clock_.now()](Tx& tx) { return store::add_late_events(tx, id, epoch, blocks, now); };
  auto added = co_await db_.transact<std::int64_t>(store::Priority::bulk, std::move(add));
  if (!added) co_return fail(added);
  if (*added > 0) {
    late_.add(static_cast<double>(*added));
    log_.warn("a second look found events that a provider had withheld; they are in the history, and no trigger saw them", {{"chain", settings_.name}, {"from", from}, {"to", to}, {"events", *added}});
  }
  verified_to_ = to;
  co_return true;
}

// --- loops -----------------------------------------------------------------------------------------------------------

Task<Result<void>> ChainFollower::live_loop() {
  PollTimer timer(settings_.poll);
  unsigned errors = 0;
  for (;;) {
    auto found = co_await step_live();
    std::chrono::microseconds pause{};
    if (found) {
      errors = 0;
      if (down_) {
        down_ = false;
        if (row_.state == "down") (void)co_await set_state("ok", std::nullopt);
        log_.info("the chain answers again", {{"chain", settings_.name}});
      }
      pause = timer.next(std::chrono::steady_clock::now(), *found);
      if (settings_.fixed_poll) pause = *settings_.fixed_poll;
      if (*found > 1) pause = std::chrono::microseconds(0);   // catching up
      if (row_.state == "halted") pause = std::chrono::seconds(5);
      if (*found == 0) {
        if (auto verified = co_await step_verify(); !verified && is_fatal(verified.error())) co_return fail(verified);
      }
    } else {
      if (is_fatal(found.error())) co_return fail(found);
      ++errors;
      pause = error_wait(errors, to_micros(clock_.now()));
      log_.warn("the chain could not be followed; trying again", {{"chain", settings_.name}, {"why", found.error().text}, {"errors", errors}, {"next_in_ms", static_cast<std::int64_t>(pause.count() / 1000)}});
      if (errors == 5 && row_.state == "ok") {
        down_ = true;
        (void)co_await set_state("down", found.error().text);
      }
    }
    if (pause.count() > 0 && !co_await sleep_for(pause)) co_return fail(Code::cancelled, "stopping");
  }
}

Task<Result<void>> ChainFollower::history_loop() {
  unsigned errors = 0;
  for (;;) {
    auto more = co_await step_history();
    std::chrono::milliseconds pause = settings_.history_pause;
    if (more) {
      errors = 0;
      if (!*more) {
        if (history_next_ && *history_next_ >= row_.live_from_block) {
          log_.info("history is complete", {{"chain", settings_.name}, {"from", settings_.start_block}, {"to", row_.live_from_block - 1}});
          co_return Result<void>{};
        }
        pause = std::chrono::seconds(2);   // finality has to move on first
      }
    } else {
      if (is_fatal(more.error())) co_return fail(more);
      ++errors;
      pause = error_wait(errors, to_micros(clock_.now()));
      log_.warn("history could not be read; trying again", {{"chain", settings_.name}, {"why", more.error().text}, {"next_in_ms", static_cast<std::int64_t>(pause.count())}});
    }
    if (pause.count() > 0 && !co_await sleep_for(pause)) co_return fail(Code::cancelled, "stopping");
  }
}

Task<Result<void>> ChainFollower::run() {
  for (unsigned errors = 0;;) {
    auto attached = co_await attach();
    if (attached) break;
    if (is_fatal(attached.error())) co_return attached;
    ++errors;
    log_.warn("the chain could not be attached; trying again", {{"chain", settings_.name}, {"why", attached.error().text}});
    if (!co_await sleep_for(error_wait(errors, to_micros(clock_.now())))) co_return fail(Code::cancelled, "stopping");
  }
  TaskGroup group(co_await this_executor());
  Result<void> history_end;
  group.spawn("history " + settings_.name, [this, &history_end]() -> Task<void> { history_end = co_await history_loop(); });
  auto live_end = co_await live_loop();
  group.cancel();
  co_await group.wait();
  co_return live_end;
}

}  // namespace agentauri::chain
