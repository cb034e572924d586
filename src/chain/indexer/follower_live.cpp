// The head: new blocks one by one, and what left the chain.
#include <fmt/format.h>

#include <algorithm>

#include "chain/indexer/follower.hpp"
#include "store/jobs.hpp"

namespace agentauri::chain {
namespace {

using store::IngestedBlock;
using store::Tx;

constexpr std::size_t kBlocksAtOnce = 64;    // of one commit at the head
constexpr std::size_t kFetchesAtOnce = 8;    // blocks whose logs are asked for side by side
constexpr std::uint64_t kWalkOneByOne = 4;   // a reorganisation is mostly short; deeper, headers come in batches
constexpr std::uint64_t kWalkBatch = 64;
constexpr auto kBloomRetry = std::chrono::milliseconds(250);
// Between two questions for `safe` and `finalized`, in blocks: about twelve seconds of them.
constexpr auto kFinalityEvery = std::chrono::seconds(12);
constexpr std::int64_t kFinalityEveryLeast = 4, kFinalityEveryMost = 64;
constexpr std::uint64_t kRefusedFor = 256;   // blocks until something is asked for again that was not offered

// Also when the chain begins again far below.
bool is_due(std::uint64_t num, std::uint64_t again_at) {
  return num >= again_at || num + kRefusedFor < again_at;
}

}   // namespace

Task<Result<BlockHeader>> ChainFollower::refresh_head() {
  auto head = co_await source_.head(HeadTag::latest);
  if (!head) co_return head;
  head_seen_at_ = clock_.now();
  head_answered_at_ = std::chrono::steady_clock::now();
  node_head_ = head->num;
  lag_.set(head->num > row_.head_num ? static_cast<double>(head->num - row_.head_num) : 0);
  if (is_due(head->num, finality_again_at_)) co_await refresh_finality(head->num);
  co_return head;
}

// Where a node names no finalized block (any more), the depth decides: an old answer would hold up history and the
// second look for ever.
Task<void> ChainFollower::refresh_finality(std::uint64_t head) {
  const auto every = static_cast<std::uint64_t>(
      std::clamp<std::int64_t>(kFinalityEvery / block_interval(), kFinalityEveryLeast, kFinalityEveryMost));
  finality_again_at_ = head + every;
  auto finalized = co_await source_.head(HeadTag::finalized);
  if (finalized) {
    finalized_ = finalized->num;
    auto safe = co_await source_.head(HeadTag::safe);
    if (safe) safe_ = safe->num;
    co_return;
  }
  const Code code = finalized.error().code;
  const bool refused = code == Code::unsupported || code == Code::protocol;
  if (!refused && code != Code::not_found) co_return;   // a trouble: what is known stays true
  finalized_.reset();
  safe_.reset();
  if (refused) finality_again_at_ = head + kRefusedFor;
}

Task<Result<LiveStep>> ChainFollower::step_live() {
  if (row_.state == "halted") co_return co_await step_halted();
  if (stale_) {
    if (auto attached = co_await attach(); !attached) co_return fail(attached);
  }
  auto head = co_await refresh_head();
  if (!head) co_return fail(head);
  if (head->num < row_.head_num && known_hash(head->num) != head->hash && source_.provider_count() > 1) {
    // A laggard may name a block that has left the chain since: nothing is taken back before the others are heard.
    auto highest = co_await source_.highest_head();
    if (!highest) co_return fail(highest);
    head_seen_at_ = clock_.now();
    node_head_ = highest->num;
    head = *highest;
  }
  if (head->num < row_.head_num) co_return co_await meet_lower_head(*head);
  unknown_head_since_.reset();
  if (head->num == row_.head_num) {
    if (!row_.head_hash || head->hash == *row_.head_hash) co_return LiveStep{};
    if (auto done = co_await reorganise(*head); !done) co_return fail(done);
    co_return LiveStep{0, row_.state != "halted"};
  }
  if (head->num - row_.head_num > settings_.range_lag) co_return co_await extend_by_range(*head);
  co_return co_await extend_one_by_one(*head);
}

// The node may lag behind the one that was asked before, its chain may have become shorter, or it is another chain by
// now: a node that begins from scratch would be waited for without a word.
Task<Result<LiveStep>> ChainFollower::meet_lower_head(BlockHeader head) {
  const auto ours = known_hash(head.num);
  if (!ours) {
    const auto now = std::chrono::steady_clock::now();
    if (!unknown_head_since_) {
      unknown_head_since_ = now;
    } else if (now - *unknown_head_since_ >= settings_.lag_patience) {
      co_return fail(
          Code::unavailable,
          fmt::format("the node's head is block {}, far below ours, {}: it may still be reading the chain, or "
                      "have begun from scratch",
                      head.num, row_.head_num));
    }
    co_return LiveStep{};
  }
  unknown_head_since_.reset();
  if (*ours == head.hash) co_return LiveStep{};
  if (auto done = co_await reorganise(head); !done) co_return fail(done);
  co_return LiveStep{0, row_.state != "halted"};
}

// Waits for an operator: `agentauri chain rewind` raises the epoch of the lease and of the chain, so that this one ends
// as fenced and the chain is taken up anew.
Task<Result<LiveStep>> ChainFollower::step_halted() {
  auto find = [id = settings_.chain_id](Tx& tx) { return store::find_chain(tx, id); };
  auto row = co_await db_.snapshot<std::optional<store::ChainRow>>(std::move(find));
  if (!row) co_return std::unexpected(store_trouble(std::move(row.error())));
  if (!*row || (*row)->epoch != settings_.epoch) {
    co_return fail(Code::fenced, fmt::format("chain {} was taken up by somebody else", settings_.chain_id));
  }
  if ((*row)->state != "halted") {
    row_.state = (*row)->state;
    stale_ = true;
  }
  co_return LiveStep{};
}

// --- the next blocks -------------------------------------------------------------------------------------------------

// Headers from ours to the node's head (or as many as fit one commit), each the child of the one before.
Task<Result<std::vector<BlockHeader>>> ChainFollower::headers_up_to(BlockHeader head) {
  std::vector<std::uint64_t> nums;
  const std::uint64_t last = std::min<std::uint64_t>(head.num, row_.head_num + kBlocksAtOnce);
  for (std::uint64_t num = row_.head_num + 1; num <= last && num != head.num; ++num) nums.push_back(num);
  std::vector<BlockHeader> out;
  if (!nums.empty()) {
    auto between = co_await source_.headers_by_number(std::move(nums));
    if (!between) co_return fail(between);
    out = std::move(*between);
  }
  if (last == head.num) out.push_back(head);
  for (std::size_t i = 1; i < out.size(); ++i) {
    if (out[i].parent_hash == out[i - 1].hash) continue;
    out.resize(i);   // the node changed its mind between two answers: take what fits, look again
    break;
  }
  co_return out;
}

Task<Result<LiveStep>> ChainFollower::extend_one_by_one(BlockHeader head) {
  auto headers = co_await headers_up_to(head);
  if (!headers) co_return fail(headers);
  if (row_.head_hash && headers->front().parent_hash != *row_.head_hash) {
    if (auto done = co_await reorganise(headers->front()); !done) co_return fail(done);
    co_return LiveStep{0, row_.state != "halted"};
  }
  auto fetched = co_await fetch_blocks(std::move(*headers), head_seen_at_);
  std::vector<IngestedBlock> blocks;
  for (auto& block : fetched) {
    if (!block && blocks.empty()) co_return fail(block);
    if (!block) break;   // the others wait for it
    blocks.push_back(std::move(*block));
  }
  const std::uint64_t last = blocks.back().block.num;
  auto append = [s = settings_, coverage = store::Coverage{addresses_, true}, blocks, safe = safe_,
                 finalized = finalized_, now = clock_.now(), tip = std::max(head.num, last)](Tx& tx) -> Result<void> {
    if (auto done = store::append_blocks(tx, s.chain_id, s.epoch, blocks, coverage, safe, finalized, now, tip); !done) {
      return done;
    }
    if (auto released = store::release_held_jobs(tx, s.chain_id, blocks.back().block.num, now); !released) {
      return fail(released);
    }
    return {};
  };
  auto appended = co_await db_.transact<void>(store::Priority::interactive, std::move(append));
  if (!appended) co_return std::unexpected(store_trouble(std::move(appended.error())));
  row_.head_num = last;
  row_.head_hash = blocks.back().block.hash;
  raise_undo_floor(last, finalized_);
  for (const auto& block : blocks) remember(block.block);
  on_commit_();
  count_events(blocks);
  synced_.set(static_cast<double>(last));
  lag_.set(static_cast<double>(head.num - last));
  last_sync_.set(static_cast<double>(to_unix_seconds(blocks.back().block.time)));
  blocks_.add(static_cast<double>(blocks.size()));
  co_return LiveStep{static_cast<unsigned>(blocks.size()), last < head.num};
}

// In the order of the headers.
Task<std::vector<Result<IngestedBlock>>> ChainFollower::fetch_blocks(std::vector<BlockHeader> headers, Time seen_at) {
  std::vector<Result<IngestedBlock>> out;
  if (headers.size() == 1) {
    out.push_back(co_await fetch_block(headers[0], seen_at));
    co_return out;
  }
  for (std::size_t i = 0; i < headers.size(); ++i) out.push_back(fail(Code::cancelled, "not asked for"));
  std::size_t next = 0;
  bool failed = false;
  TaskGroup group(co_await this_executor());
  for (std::size_t i = 0; i < std::min(kFetchesAtOnce, headers.size()); ++i) {
    // The group is joined below, before what the children use goes away.
    group.spawn("blocks " + settings_.name, [this, &out, &headers, &next, &failed, seen_at]() -> Task<void> {
      while (next < headers.size() && !failed) {
        const std::size_t mine = next++;
        out[mine] = co_await fetch_block(headers[mine], seen_at);
        failed = failed || !out[mine];
      }
    });
  }
  while (!co_await group.wait_for(std::chrono::milliseconds(50))) {
    if (co_await cancelled()) group.cancel();
  }
  co_return out;
}

Task<Result<IngestedBlock>> ChainFollower::fetch_block(BlockHeader header, Time seen_at) {
  bool header_checked = true;
  auto logs = co_await logs_of(header, header_checked);
  if (!logs) co_return fail(logs);
  IngestedBlock block = ingest(header, std::move(*logs), seen_at, Look::first);
  block.header_checked = header_checked;
  co_return block;
}

// Logs by block hash, held against the header's bloom filter.
Task<Result<std::vector<RawLog>>> ChainFollower::logs_of(BlockHeader header, bool& header_checked) {
  const auto reading = blooms_.read(header.logs_bloom);
  header_checked = true;
  if (addresses_.empty() || blooms_.excludes(header, reading))
    co_return std::vector<RawLog>{};   // a filter never says a false no

  auto logs = co_await source_.logs_by_hash(header.hash, header.num, addresses_, std::nullopt);
  if (!logs && logs.error().code == Code::too_large) {
    logs = co_await source_.logs_by_receipts(header.hash, header.num, addresses_, std::nullopt);
  }
  if (!logs) co_return logs;
  const auto unanswered = blooms_.read(header.logs_bloom, *logs);
  if (unanswered.hit && blooms_.trusted(header.provider)) {
    bool decided = false;
    const auto patience = BloomWatch::patience(unanswered, block_interval(), settings_.bloom_patience);
    logs = co_await ask_again(header, std::move(*logs), patience, decided);
    if (!logs) co_return logs;
    header_checked = decided;
    if (!decided) unconfirmed_.add();
  }
  if (logs->empty()) {
    header_checked = header_checked && blooms_.agrees_with_none(header);
    co_return logs;
  }
  const auto agreement = blooms_.compare(header, *logs);
  header_checked = header_checked && agreement.named;
  if (agreement.trust_ended) {
    log_.warn("a provider's headers do not name the logs that their blocks hold: its bloom filters are not relied on",
              {{"chain", settings_.name}, {"block", header.num}, {"provider", header.provider}});
  }
  co_return logs;
}

// The filter names a contract of which no log was `found`: everybody is asked, for a while. Filters are wrong by chance
// too, so in the end the answers win. `decided`: the receipts said so, or somebody had logs of all that are named.
Task<Result<std::vector<RawLog>>> ChainFollower::ask_again(BlockHeader header, std::vector<RawLog> found,
                                                           std::chrono::milliseconds patience, bool& decided) {
  const auto until = std::chrono::steady_clock::now() + patience;
  decided = true;
  for (;;) {
    if (is_due(header.num, receipts_again_at_)) {
      auto receipts = co_await source_.logs_by_receipts(header.hash, header.num, addresses_, std::nullopt);
      // All of them are of this one block: who names less than is known has left something out.
      if (receipts && receipts->size() >= found.size()) co_return receipts;
      if (!receipts && receipts.error().code == Code::unsupported) receipts_again_at_ = header.num + kRefusedFor;
    }
    std::size_t unknown = 0;
    for (std::size_t provider = 0; provider < source_.provider_count(); ++provider) {
      auto again = co_await source_.logs_by_hash(header.hash, header.num, addresses_, provider);
      if (!again && again.error().code == Code::not_found) ++unknown;
      if (!again || again->size() <= found.size()) continue;
      found = std::move(*again);
      if (!blooms_.read(header.logs_bloom, found).hit) co_return found;
    }
    if (unknown > 0 && unknown == source_.provider_count()) {
      co_return fail(Code::not_found, fmt::format("block {} left the chain while its logs were asked for", header.num));
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0) break;
    if (co_await cancelled() || !co_await sleep_for(std::min(left, kBloomRetry)))
      co_return fail(Code::cancelled, "stopping");
  }
  decided = false;
  co_return found;
}

// --- reorganisations -------------------------------------------------------------------------------------------------

// The header of `hash`, which is block `num`. `steps` were walked before: a longer walk fetches batches of the node's
// chain into `ahead`, of which only what continues our walk counts.
Task<Result<BlockHeader>> ChainFollower::walk_down(Hash32 hash, std::uint64_t num, std::uint64_t steps,
                                                   std::vector<BlockHeader>& ahead) {
  if (ahead.empty() && steps >= kWalkOneByOne) {
    std::vector<std::uint64_t> nums;
    for (std::uint64_t n = num >= kWalkBatch ? num - kWalkBatch + 1 : 0; n <= num; ++n) nums.push_back(n);
    auto batch = co_await source_.headers_by_number(std::move(nums));
    if (batch) ahead = std::move(*batch);
  }
  if (!ahead.empty()) {
    const BlockHeader header = ahead.back();
    ahead.pop_back();
    if (header.hash == hash && header.num == num) co_return header;
    ahead.clear();   // the node's chain has changed meanwhile
  }
  auto header = co_await source_.header_by_hash(hash);
  if (header && header->num != num) co_return fail(Code::protocol, "a block and its parent do not follow each other");
  co_return header;
}

// `fork` is a block of the node's chain whose number is at most ours + 1 and that does not fit. Walks down its branch
// until it meets a block of ours, then takes back what is above.
Task<Result<void>> ChainFollower::reorganise(BlockHeader fork) {
  const std::uint64_t our_head = row_.head_num;
  const std::uint64_t first_live = row_.live_from_block > 0 ? row_.live_from_block - 1 : 0;
  Hash32 want = fork.parent_hash;
  std::uint64_t num = fork.num == 0 ? 0 : fork.num - 1;
  std::vector<BlockHeader> ahead;
  for (std::uint64_t steps = 0;; ++steps) {
    const auto ours = known_hash(num);
    if (ours && *ours == want) break;
    if (num <= first_live) break;   // the first live block itself was replaced: everything live goes
    if (num <= undo_floor_) {
      co_return co_await halt(
          fmt::format("a reorganisation reaches below block {}, which is as deep as can be undone", num));
    }
    auto header = co_await walk_down(want, num, steps, ahead);
    if (!header) co_return fail(header);
    want = header->parent_hash;
    --num;
  }
  if (num < undo_floor_) {
    co_return co_await halt(fmt::format(
        "a reorganisation reaches down to block {}, below {}, which is as deep as can be undone", num, undo_floor_));
  }
  auto rewind = [s = settings_, num, want, now = clock_.now()](Tx& tx) {
    return store::rewind_chain(tx, s.chain_id, s.epoch, num, want, now);
  };
  auto done = co_await db_.transact<void>(store::Priority::interactive, std::move(rewind));
  if (!done) co_return std::unexpected(store_trouble(std::move(done.error())));
  while (!recent_.empty() && recent_.back().num > num) recent_.pop_back();
  row_.head_num = num;
  row_.head_hash = want;
  if (verified_to_ && *verified_to_ > num) verified_to_ = num;
  reorgs_.add();
  reorg_depth_.set(static_cast<double>(our_head - num));
  synced_.set(static_cast<double>(num));
  log_.info("reorganisation followed", {{"chain", settings_.name}, {"ancestor", num}, {"depth", our_head - num}});
  on_commit_();
  co_return Result<void>{};
}

Task<Result<void>> ChainFollower::halt(std::string reason) {
  log_.error("the chain is halted; look at the node, then use `agentauri chain rewind`",
             {{"chain", settings_.name}, {"why", reason}});
  co_return co_await set_state("halted", std::move(reason));
}

}   // namespace agentauri::chain
