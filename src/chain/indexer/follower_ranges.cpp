// What is read by ranges: catching up after downtime, history, and the second look at what is final.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "chain/indexer/follower.hpp"
#include "store/jobs.hpp"

namespace agentauri::chain {
namespace {

using store::IngestedBlock;
using store::Tx;

constexpr std::size_t kHeaderBatch = 100;   // of one request
constexpr std::size_t kBatchesAtOnce = 4;

bool wants_less(const Error& error) {
  return error.code == Code::too_large || error.code == Code::timed_out;
}

store::BlockRow block_row(const BlockHeader& header, Time seen_at) {
  return {header.hash, header.num, header.parent_hash, header.time, seen_at};
}

}   // namespace

// --- reading ---------------------------------------------------------------------------------------------------------

// A single block that is too large as a range is asked for by its hash, and then by its receipts.
Task<Result<std::vector<RawLog>>> ChainFollower::logs_in(std::uint64_t from, std::uint64_t to,
                                                         std::vector<Address> contracts,
                                                         ChainSource::Provider provider) {
  auto logs = co_await source_.logs_by_range(from, to, contracts, provider);
  if (logs || from != to || !wants_less(logs.error())) co_return logs;
  auto header = co_await source_.header_by_number(from);
  if (!header) co_return fail(header);
  auto by_hash = co_await source_.logs_by_hash(header->hash, from, contracts, provider);
  if (by_hash || !wants_less(by_hash.error())) co_return by_hash;
  co_return co_await source_.logs_by_receipts(header->hash, from, contracts, provider);
}

// Logs of [from, to] with the headers of the blocks that have some: hash and parent come from the header, and a log
// that belongs to another block of that height means that the two answers saw different chains.
Task<Result<ChainFollower::FetchedRange>> ChainFollower::fetch_range(std::uint64_t from, std::uint64_t to,
                                                                     std::vector<Address> contracts, Ends ends,
                                                                     ChainSource::Provider provider) {
  auto logs = co_await logs_in(from, to, std::move(contracts), provider);
  if (!logs) co_return fail(logs);
  std::map<std::uint64_t, std::vector<RawLog>> by_block;
  for (auto& log : *logs) by_block[log.block_num].push_back(std::move(log));
  if (ends == Ends::included) {
    by_block.try_emplace(from);
    by_block.try_emplace(to);
  }
  std::vector<std::vector<std::uint64_t>> batches;
  for (const auto& [num, unused] : by_block) {
    if (batches.empty() || batches.back().size() == kHeaderBatch) batches.emplace_back();
    batches.back().push_back(num);
  }
  std::vector<Result<std::vector<BlockHeader>>> answers(batches.size());
  std::size_t next = 0;
  bool failed = false;
  const auto ask = [this, &batches, &answers, &next, &failed]() -> Task<void> {
    while (next < batches.size() && !failed) {
      const std::size_t mine = next++;
      answers[mine] = co_await source_.headers_by_number(batches[mine]);
      failed = failed || !answers[mine];
    }
  };
  if (batches.size() < 2) {
    co_await ask();
  } else {
    TaskGroup group(co_await this_executor());   // joined below, before what the children use goes away
    for (std::size_t i = 0; i < std::min(kBatchesAtOnce, batches.size()); ++i) group.spawn("headers", ask);
    while (!co_await group.wait_for(std::chrono::milliseconds(50))) {
      if (co_await cancelled()) group.cancel();
    }
  }
  FetchedRange out{from, to, std::nullopt, std::nullopt, {}};
  std::optional<BlockHeader> before;
  for (auto& answer : answers) {
    if (!answer) co_return fail(answer);
  }
  if (co_await cancelled()) co_return fail(Code::cancelled, "stopping");
  for (auto& answer : answers) {
    for (auto& header : *answer) {
      auto& block_logs = by_block[header.num];
      const bool same = std::all_of(block_logs.begin(), block_logs.end(),
                                    [&header](const RawLog& log) { return log.block_hash == header.hash; });
      const bool linked = !before || before->num + 1 != header.num || before->hash == header.parent_hash;
      if (!same || !linked) {
        co_return fail(Code::unavailable, fmt::format("block {} changed while it was read", header.num));
      }
      before = header;
      if (ends == Ends::included && header.num == from) out.first = header;
      if (ends == Ends::included && header.num == to) out.last = header;
      if (!block_logs.empty()) out.blocks.push_back({header, std::move(block_logs)});
    }
  }
  co_return out;
}

// The next blocks of a range whose events fit one commit, decoded. `at` is the next block with logs, `from` the next
// block.
ChainFollower::Slice ChainFollower::next_slice(FetchedRange& range, std::size_t& at, std::uint64_t from, Look look) {
  Slice out{from, range.to, {}, range.last};
  std::size_t rows = 0;
  while (at < range.blocks.size() && (rows == 0 || rows + range.blocks[at].logs.size() <= settings_.rows_at_once)) {
    auto& block = range.blocks[at++];
    rows += block.logs.size();
    auto ingested = ingest(block.header, std::move(block.logs), clock_.now(), look);
    // A log with an unknown topic leaves nothing to store.
    if (!ingested.events.empty()) out.blocks.push_back(std::move(ingested));
    if (at < range.blocks.size()) {
      out.to = block.header.num;
      out.last = block.header;
    }
  }
  if (at == range.blocks.size()) {
    out.to = range.to;
    out.last = range.last;
  }
  return out;
}

// --- catching up -----------------------------------------------------------------------------------------------------

Task<Result<LiveStep>> ChainFollower::extend_by_range(BlockHeader head) {
  // What can still be reorganised is taken block by block, so that every hash of it is known.
  const std::uint64_t near = std::max(settings_.range_lag, settings_.min_undo_blocks);
  const std::uint64_t limit = std::min(final_block(head.num), head.num > near ? head.num - near : 0);
  const std::uint64_t first = row_.head_num + 1;
  if (limit < first) co_return co_await extend_one_by_one(head);
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
  for (std::uint64_t from = first;
       from <= limit && ranges.size() < std::max<std::size_t>(settings_.ranges_at_once, 1);) {
    const std::uint64_t to = std::min(limit, from + range_.size() - 1);
    ranges.emplace_back(from, to);
    from = to + 1;
  }
  std::vector<Result<FetchedRange>> answers(ranges.size());
  TaskGroup group(co_await this_executor());   // joined below, before what the children use goes away
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    group.spawn("ranges " + settings_.name, [this, &answers, &ranges, i]() -> Task<void> {
      answers[i] = co_await fetch_range(ranges[i].first, ranges[i].second, addresses_, Ends::included, std::nullopt);
    });
  }
  while (!co_await group.wait_for(std::chrono::milliseconds(50))) {
    if (co_await cancelled()) group.cancel();
  }
  unsigned done = 0;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    auto& range = answers[i];
    if (!range) {
      const std::uint64_t size = ranges[i].second - ranges[i].first + 1;
      if (!wants_less(range.error()) || size == 1) {
        if (i > 0) break;   // what is done is done; the next step meets the error again
        co_return fail(range);
      }
      range_.refused(size);
      break;
    }
    if (row_.head_hash && range->first->parent_hash != *row_.head_hash) {
      if (i > 0) break;   // between two ranges the node changed its mind: look again
      if (auto undone = co_await reorganise(*range->first); !undone) co_return fail(undone);
      co_return LiveStep{0, row_.state != "halted"};
    }
    auto appended = co_await append_fetched(std::move(*range));
    if (!appended) co_return fail(appended);
    range_.succeeded();
    done += static_cast<unsigned>(*appended);
  }
  lag_.set(static_cast<double>(head.num - row_.head_num));
  co_return LiveStep{done, true};
}

// Commits a range in parts. Returns the number of blocks.
Task<Result<std::uint64_t>> ChainFollower::append_fetched(FetchedRange range) {
  std::uint64_t from = range.from;
  for (std::size_t at = 0; from <= range.to;) {
    Slice slice = next_slice(range, at, from, Look::first);
    const store::BlockRow last = block_row(*slice.last, clock_.now());
    auto append = [s = settings_, blocks = slice.blocks, last, from, coverage = store::Coverage{addresses_, false},
                   safe = safe_, finalized = finalized_, now = clock_.now(),
                   tip = std::max(node_head_, last.num)](Tx& tx) -> Result<void> {
      auto done = store::append_range(tx, s.chain_id, s.epoch, blocks, last, from, coverage, safe, finalized, now, tip);
      if (!done) return done;
      if (auto released = store::release_held_jobs(tx, s.chain_id, last.num, now); !released) return fail(released);
      return {};
    };
    auto appended = co_await db_.transact<void>(store::Priority::bulk, std::move(append));
    if (!appended) co_return std::unexpected(store_trouble(std::move(appended.error())));
    row_.head_num = last.num;
    row_.head_hash = last.hash;
    raise_undo_floor(last.num, finalized_);
    for (const auto& block : slice.blocks) {
      if (block.block.num != last.num) remember(block.block);
    }
    remember(last);
    on_commit_();
    count_events(slice.blocks);
    synced_.set(static_cast<double>(last.num));
    last_sync_.set(static_cast<double>(to_unix_seconds(last.time)));
    blocks_.add(static_cast<double>(last.num - from + 1));
    from = slice.to + 1;
  }
  co_return range.to - range.from + 1;
}

// --- history ---------------------------------------------------------------------------------------------------------

void ChainFollower::note_gap() {
  gap_.set(static_cast<double>(plan_->blocks_left()));
}

// What no range covers between the start block and the head as it was when the chain was taken up: usually what is
// below live_from_block, and for a contract that was configured later also what is above. From there on live blocks
// cover it.
Task<Result<void>> ChainFollower::plan_history() {
  const std::uint64_t end = row_.head_num;
  auto read = [id = settings_.chain_id](Tx& tx) { return store::read_coverage(tx, id); };
  auto coverage = co_await db_.snapshot<std::vector<store::CoverageRow>>(std::move(read));
  if (!coverage) co_return fail(coverage);
  if (plan_) co_return Result<void>{};   // another reader was faster
  plan_.emplace(find_gaps(*coverage, addresses_, settings_.start_block, end));
  note_gap();
  co_return Result<void>{};
}

Task<Result<bool>> ChainFollower::step_history() {
  if (!plan_) {
    if (auto planned = co_await plan_history(); !planned) co_return fail(planned);
  }
  if (plan_->complete()) co_return false;
  if (node_head_ == 0) {
    auto head = co_await source_.head(HeadTag::latest);
    if (!head) co_return fail(head);
    node_head_ = head->num;
  }
  // What live blocks have not passed yet is theirs.
  const std::uint64_t limit = std::min(final_block(node_head_), row_.head_num);
  auto gap = plan_->take(history_range_.size(), limit);
  if (!gap) {
    node_head_ = 0;   // asked again at the next step
    co_return false;
  }
  auto fetched = co_await fetch_range(gap->from, gap->to, gap->contracts, Ends::left_out, std::nullopt);
  if (!fetched) {
    const std::uint64_t size = gap->to - gap->from + 1;
    plan_->give_back(std::move(*gap));
    if (!wants_less(fetched.error()) || size == 1) co_return fail(fetched);
    history_range_.refused(size);
    co_return true;
  }
  std::uint64_t next = gap->from;
  auto stored = co_await store_history(std::move(*fetched), gap->contracts, next);
  if (!stored) {
    gap->from = next;
    plan_->give_back(std::move(*gap));
    co_return fail(stored);
  }
  history_range_.succeeded();
  plan_->done();
  note_gap();
  if (plan_->complete()) {
    log_.info("history is complete", {{"chain", settings_.name}, {"from", settings_.start_block}});
  }
  co_return true;
}

// Commits a range in parts; `next` is the first block that is not stored yet.
Task<Result<void>> ChainFollower::store_history(FetchedRange range, std::vector<Address> contracts,
                                                std::uint64_t& next) {
  for (std::size_t at = 0; next <= range.to;) {
    Slice slice = next_slice(range, at, next, Look::first);
    auto append = [s = settings_, blocks = slice.blocks, from = slice.from, to = slice.to,
                   coverage = store::Coverage{contracts, false}, now = clock_.now()](Tx& tx) {
      return store::append_history(tx, s.chain_id, s.epoch, blocks, from, to, coverage, now);
    };
    auto appended = co_await db_.transact<void>(store::Priority::bulk, std::move(append));
    if (!appended) co_return std::unexpected(std::move(appended.error()));
    count_events(slice.blocks);
    next = slice.to + 1;
  }
  co_return Result<void>{};
}

// --- a second look ---------------------------------------------------------------------------------------------------

// Final live blocks are asked for once more, as a range and where possible at another provider: a log that was withheld
// at the head still enters history.
Task<Result<bool>> ChainFollower::step_verify() {
  if (addresses_.empty() || !verified_to_ || row_.state == "halted") co_return false;
  const std::uint64_t from = *verified_to_ + 1;
  const std::uint64_t to = from + verify_range_.size() - 1;
  if (to > final_block(row_.head_num)) co_return false;
  const std::size_t providers = source_.provider_count();
  const ChainSource::Provider other =
      providers > 1 ? ChainSource::Provider(1 + verify_round_++ % (providers - 1)) : std::nullopt;
  auto fetched = co_await fetch_range(from, to, addresses_, Ends::left_out, other);
  if (!fetched && other && !wants_less(fetched.error())) {
    fetched = co_await fetch_range(from, to, addresses_, Ends::left_out, std::nullopt);
  }
  if (!fetched) {
    if (!wants_less(fetched.error()) || to == from) co_return fail(fetched);
    verify_range_.refused(to - from + 1);
    co_return true;
  }
  std::int64_t added = 0;
  std::uint64_t next = from;
  for (std::size_t at = 0; next <= to;) {
    Slice slice = next_slice(*fetched, at, next, Look::second);
    auto add = [s = settings_, blocks = std::move(slice.blocks), contracts = addresses_, slice_from = slice.from,
                slice_to = slice.to, now = clock_.now()](Tx& tx) -> Result<std::int64_t> {
      auto late = store::add_late_events(tx, s.chain_id, s.epoch, blocks, now);
      if (!late) return late;
      if (auto settled = store::settle_coverage(tx, s.chain_id, contracts, slice_from, slice_to); !settled) {
        return fail(settled);
      }
      return late;
    };
    auto late = co_await db_.transact<std::int64_t>(store::Priority::bulk, std::move(add));
    if (!late) co_return std::unexpected(std::move(late.error()));
    added += *late;
    next = slice.to + 1;
  }
  if (added > 0) {
    late_.add(static_cast<double>(added));
    log_.warn(
        "a second look found events that a provider had withheld; they are in the history, and no trigger saw them",
        {{"chain", settings_.name}, {"from", from}, {"to", to}, {"events", added}});
  }
  verify_range_.succeeded();
  verified_to_ = std::min(to, row_.head_num);
  co_return true;
}

}   // namespace agentauri::chain
