#include "chain/indexer/follower.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace agentauri::chain {
namespace {

using store::Tx;

constexpr std::int64_t kWaits[] = {1, 2, 5, 10, 30, 60};   // seconds after errors in a row (pipeline.md 4.4)
constexpr unsigned kQuickTries = 3;                        // before that: most faults are a hiccup
constexpr auto kQuickWait = std::chrono::milliseconds(200);
constexpr auto kLongestStoreWait = std::chrono::milliseconds(1000);   // the store is near; it is back when it is back
constexpr unsigned kErrorsToBeDown = 6;
constexpr auto kHaltedWait = std::chrono::seconds(2);
constexpr auto kFinalityWait = std::chrono::seconds(2);         // history waits for blocks to become final
constexpr auto kTroubleWait = std::chrono::milliseconds(500);   // of readers that wait for another one to succeed
constexpr auto kUpkeepWait = std::chrono::seconds(1);
constexpr auto kUpkeepRetry = std::chrono::seconds(30);
constexpr auto kProbeAgain = std::chrono::hours(24);
constexpr auto kProbeRetry = std::chrono::minutes(10);
constexpr std::uint64_t kPruneEvery = 128;
constexpr std::uint64_t kKeptBelowUndo = 64;   // hashes are kept so far below what can be undone
constexpr std::uint64_t kVerifyAtOnce = 256;   // final blocks that are looked at again together
constexpr std::size_t kIntervalBlocks = 64;    // that the block interval is averaged over

// ±20 %, so that many followers do not come back together.
std::chrono::milliseconds error_wait(unsigned errors, std::int64_t salt) {
  auto base = kQuickWait * errors;
  if (errors > kQuickTries) {
    base = std::chrono::seconds(kWaits[std::min<std::size_t>(errors - kQuickTries - 1, std::size(kWaits) - 1)]);
  }
  return base * (80 + salt % 41) / 100;
}

Labels label(const std::string& chain) {
  return {{"chain", chain}};
}

}   // namespace

ChainFollower::ChainFollower(ChainSource& source, store::Database& db, const Clock& clock, FollowerSettings settings,
                             Metrics& metrics, std::function<void()> on_commit)
    : source_(source),
      db_(db),
      clock_(clock),
      settings_(std::move(settings)),
      addresses_(settings_.contracts.all()),
      on_commit_(std::move(on_commit)),
      blooms_(addresses_),
      range_(settings_.max_range),
      history_range_(settings_.max_range),
      verify_range_(std::min(settings_.max_range, kVerifyAtOnce)),
      metrics_(metrics),
      synced_(metrics.gauge("ponder_sync_block_number", "Last block ingested", label(settings_.name))),
      lag_(metrics.gauge("ponder_sync_lag_blocks", "Blocks between the node's head and ours", label(settings_.name))),
      last_sync_(
          metrics.gauge("ponder_last_sync_timestamp", "Unix time of the last ingested block", label(settings_.name))),
      gap_(metrics.gauge("indexer_coverage_gap_blocks", "Blocks from the start block to the head that are not read yet",
                         label(settings_.name))),
      reorg_depth_(
          metrics.gauge("indexer_reorg_depth_blocks", "Depth of the last reorganisation", label(settings_.name))),
      blocks_(metrics.counter("ponder_sync_blocks_total", "Live blocks ingested", label(settings_.name))),
      reorgs_(metrics.counter("indexer_reorgs_total", "Reorganisations followed", label(settings_.name))),
      unconfirmed_(metrics.counter("indexer_bloom_unconfirmed_total",
                                   "Blocks whose filter named our contracts while every provider named no log",
                                   label(settings_.name))),
      late_(metrics.counter("indexer_late_events_total", "Events that a provider had withheld and a second look found",
                            label(settings_.name))),
      malformed_(
          metrics.counter("indexer_malformed_logs_total", "Logs stored with a parse error", label(settings_.name))),
      unknown_topics_(metrics.counter("indexer_unknown_topics_total",
                                      "Logs of our contracts with an unknown first topic, skipped",
                                      label(settings_.name))) {}

// --- attaching -------------------------------------------------------------------------------------------------------

Task<Result<void>> ChainFollower::attach() {
  auto find = [id = settings_.chain_id](Tx& tx) { return store::find_chain(tx, id); };
  auto known = co_await db_.snapshot<std::optional<store::ChainRow>>(std::move(find));
  if (!known) co_return std::unexpected(store_trouble(std::move(known.error())));
  std::uint64_t live_from = *known ? (*known)->live_from_block : 0;
  if (!*known) {
    auto head = co_await source_.head(HeadTag::latest);
    if (!head) co_return fail(head);
    node_head_ = head->num;
    live_from = std::max<std::uint64_t>(head->num, 1);   // nothing happens in a genesis block
  }
  struct Known {
    store::ChainRow row;
    std::vector<store::BlockRow> blocks;
    std::uint64_t highest = 0;
  };
  auto attach = [s = settings_, live_from, now = clock_.now()](Tx& tx) -> Result<Known> {
    Known out;
    auto row = store::attach_chain(tx, s.chain_id, s.name, s.start_block, live_from, s.epoch, now);
    if (!row) return fail(row);
    auto highest = store::highest_block(tx, s.chain_id);
    if (!highest) return fail(highest);
    out.highest = std::max(*highest, row->head_num);
    const std::uint64_t window = std::min(s.max_undo_blocks + kKeptBelowUndo, row->head_num);
    auto blocks =
        store::canonical_blocks(tx, s.chain_id, std::max(row->live_from_block, row->head_num - window), row->head_num);
    if (!blocks) return fail(blocks);
    out.row = std::move(*row);
    out.blocks = std::move(*blocks);
    return out;
  };
  auto attached = co_await db_.transact<Known>(store::Priority::interactive, std::move(attach));
  if (!attached) co_return std::unexpected(store_trouble(std::move(attached.error())));
  row_ = std::move(attached->row);
  recent_.assign(attached->blocks.begin(), attached->blocks.end());
  if (row_.finalized_num) finalized_ = row_.finalized_num;
  if (row_.safe_num) safe_ = row_.safe_num;
  finality_again_at_ = 0;   // what the row says may be old
  raise_undo_floor(attached->highest, row_.finalized_num);
  // What was not final when another process stopped has not been looked at twice; neither has its last range.
  const std::uint64_t settled = final_block(row_.head_num);
  const std::uint64_t floor = row_.live_from_block > 0 ? row_.live_from_block - 1 : 0;
  if (!verified_to_) verified_to_ = std::max(floor, settled > kVerifyAtOnce ? settled - kVerifyAtOnce : 0);
  verified_to_ = std::min(*verified_to_, row_.head_num);
  synced_.set(static_cast<double>(row_.head_num));
  stale_ = false;
  log_.info("chain attached", {{"chain", settings_.name},
                               {"live_from", row_.live_from_block},
                               {"head", row_.head_num},
                               {"epoch", settings_.epoch}});
  co_return Result<void>{};
}

// --- what is known ---------------------------------------------------------------------------------------------------

std::optional<Hash32> ChainFollower::known_hash(std::uint64_t num) const {
  if (num == row_.head_num) return row_.head_hash;
  const auto found = std::lower_bound(recent_.begin(), recent_.end(), num,
                                      [](const store::BlockRow& block, std::uint64_t n) { return block.num < n; });
  if (found != recent_.end() && found->num == num) return found->hash;
  if (found != recent_.end() && found->num == num + 1) return found->parent_hash;
  return std::nullopt;
}

void ChainFollower::remember(const store::BlockRow& block) {
  recent_.push_back(block);
  while (recent_.size() > 1 && recent_.front().num + kKeptBelowUndo < undo_floor_) recent_.pop_front();
}

// The engine keeps before-images above this block (engine.cpp, commit): what is deeper cannot be undone.
void ChainFollower::raise_undo_floor(std::uint64_t head, std::optional<std::uint64_t> finalized) {
  const auto below = [head](std::uint64_t depth) { return head > depth ? head - depth : 0; };
  std::uint64_t keep_from = below(settings_.min_undo_blocks);
  if (finalized) keep_from = std::min(keep_from, *finalized);
  keep_from = std::max(keep_from, below(settings_.max_undo_blocks));
  undo_floor_ = std::max(undo_floor_, keep_from > 0 ? keep_from - 1 : 0);
}

std::uint64_t ChainFollower::final_block(std::uint64_t head) const {
  if (finalized_) return std::min(*finalized_, head);
  return head > settings_.finality_depth ? head - settings_.finality_depth : 0;
}

std::chrono::microseconds ChainFollower::block_interval() const {
  if (recent_.size() < 2) return std::chrono::seconds(1);
  const auto& last = recent_.back();
  const auto& first = recent_[recent_.size() > kIntervalBlocks ? recent_.size() - kIntervalBlocks : 0];
  if (last.num <= first.num || last.time <= first.time) return std::chrono::seconds(1);
  return (last.time - first.time) / static_cast<std::int64_t>(last.num - first.num);
}

store::IngestedBlock ChainFollower::ingest(const BlockHeader& header, std::vector<RawLog> logs, Time seen_at,
                                           Look look) {
  auto normalised = normalise_block(settings_.chain_id, settings_.contracts, header.time, std::move(logs));
  store::IngestedBlock out{
      {header.hash, header.num, header.parent_hash, header.time, seen_at}, std::move(normalised.events), true};
  if (look == Look::second) return out;
  malformed_.add(static_cast<double>(normalised.malformed));
  unknown_topics_.add(static_cast<double>(normalised.unknown_topics));
  for (const auto& event : out.events) {
    if (event.event_type != "Unknown") continue;
    log_.warn("a log of a registry does not decode", {{"chain", settings_.name},
                                                      {"txn", to_hex_0x(event.txn_hash)},
                                                      {"log_index", event.log_index},
                                                      {"why", event.parse_error.value_or("")}});
  }
  return out;
}

void ChainFollower::count_events(const std::vector<store::IngestedBlock>& blocks) {
  std::map<std::string_view, double> types;
  for (const auto& block : blocks) {
    for (const auto& event : block.events) ++types[event.event_type];
  }
  for (const auto& [type, count] : types) {
    metrics_
        .counter("ponder_events_indexed_total", "Events stored",
                 {{"chain", settings_.name}, {"event_type", std::string(type)}})
        .add(count);
  }
}

// --- trouble ---------------------------------------------------------------------------------------------------------

// A write may have happened although its answer says otherwise: the row is read again before the next one.
Error ChainFollower::store_trouble(Error error) {
  stale_ = true;
  store_failed_ = true;
  return error;
}

bool ChainFollower::is_fatal(const Error& error) const {
  return error.code == Code::fenced || error.code == Code::cancelled;
}

Task<Result<void>> ChainFollower::set_state(std::string state, std::optional<std::string> reason) {
  auto set = [id = settings_.chain_id, epoch = settings_.epoch, state, reason, now = clock_.now()](Tx& tx) {
    return store::set_chain_state(tx, id, epoch, state, reason, now);
  };
  auto done = co_await db_.transact<void>(store::Priority::interactive, std::move(set));
  if (!done) co_return std::unexpected(store_trouble(std::move(done.error())));
  row_.state = std::move(state);
  row_.reason = std::move(reason);
  co_return Result<void>{};
}

Task<void> ChainFollower::report_trouble(const Error& error, unsigned errors, std::chrono::milliseconds pause) {
  log_.warn("the chain could not be followed; trying again",
            {{"chain", settings_.name},
             {"why", error.text},
             {"errors", errors},
             {"next_in_ms", static_cast<std::int64_t>(pause.count())}});
  if (errors >= kErrorsToBeDown && !store_failed_ && row_.state == "ok") {
    (void)co_await set_state("down", error.text);   // when it fails, the next error tries again
  }
}

// --- loops -----------------------------------------------------------------------------------------------------------

Task<Result<void>> ChainFollower::live_loop() {
  PollTimer timer(settings_.poll);
  std::uint64_t timed_head = row_.head_num;   // what the timer knows of
  for (unsigned errors = 0;;) {
    store_failed_ = false;
    auto step = co_await step_live();
    std::chrono::microseconds pause{};
    if (step) {
      errors = 0;
      if (row_.state == "down") {
        if (auto up = co_await set_state("ok", std::nullopt); up)
          log_.info("the chain answers again", {{"chain", settings_.name}});
      }
      if (!step->again) {
        const std::uint64_t blocks = row_.head_num > timed_head ? row_.head_num - timed_head : 0;
        timed_head = row_.head_num;
        pause = timer.next(head_answered_at_, static_cast<unsigned>(std::min<std::uint64_t>(blocks, 1U << 30)),
                           std::chrono::steady_clock::now());
        if (settings_.fixed_poll) pause = *settings_.fixed_poll;
      }
      if (row_.state == "halted") pause = kHaltedWait;
    } else {
      if (is_fatal(step.error())) co_return fail(step);
      auto wait = error_wait(++errors, to_micros(clock_.now()));
      if (store_failed_) wait = std::min(wait, kLongestStoreWait);
      co_await report_trouble(step.error(), errors, wait);
      pause = wait;
    }
    if (co_await cancelled()) co_return fail(Code::cancelled, "stopping");
    if (pause.count() > 0 && !co_await sleep_for(pause)) co_return fail(Code::cancelled, "stopping");
  }
}

// One reader of history; several of them share the plan. In trouble only the first goes on trying: a node that fails is
// not asked by all of them at once.
Task<Result<void>> ChainFollower::history_loop(std::size_t reader) {
  for (unsigned errors = 0;;) {
    std::chrono::milliseconds pause = settings_.history_pause;
    if (history_trouble_ && reader != 0) {
      pause = kTroubleWait;
    } else {
      auto more = co_await step_history();
      history_trouble_ = !more;
      if (more) {
        errors = 0;
        if (!*more) {
          if (plan_ && plan_->complete()) co_return Result<void>{};
          pause = kFinalityWait;
        }
      } else {
        if (is_fatal(more.error())) co_return fail(more);
        pause = error_wait(++errors, to_micros(clock_.now()));
        log_.warn("history could not be read; trying again",
                  {{"chain", settings_.name},
                   {"why", more.error().text},
                   {"next_in_ms", static_cast<std::int64_t>(pause.count())}});
      }
    }
    if (co_await cancelled()) co_return fail(Code::cancelled, "stopping");
    if (pause.count() > 0 && !co_await sleep_for(pause)) co_return fail(Code::cancelled, "stopping");
  }
}

// Forgets blocks without events that no reorganisation can reach any more.
Task<void> ChainFollower::prune() {
  if (recent_.empty() || recent_.front().num < pruned_to_ + kPruneEvery) co_return;
  const std::uint64_t below = recent_.front().num;
  auto forget = [id = settings_.chain_id, below](Tx& tx) { return store::prune_blocks(tx, id, below); };
  if (auto gone = co_await db_.transact<std::int64_t>(store::Priority::bulk, std::move(forget)); gone)
    pruned_to_ = below;
}

Task<void> ChainFollower::upkeep_loop() {
  for (;;) {
    std::chrono::milliseconds pause = kUpkeepWait;
    auto verified = co_await step_verify();
    if (verified && *verified) pause = std::chrono::milliseconds(0);
    if (!verified) {
      if (is_fatal(verified.error())) co_return;
      pause = kUpkeepRetry;
      log_.warn("final blocks could not be looked at again; trying later",
                {{"chain", settings_.name}, {"why", verified.error().text}});
    }
    co_await prune();
    if (co_await cancelled()) co_return;
    if (pause.count() > 0 && !co_await sleep_for(pause)) co_return;
  }
}

// Logs are asked for at every configured address, deployed or not, so that the first event of a new contract is not
// missed; this only says which of them stand.
Task<Result<bool>> ChainFollower::step_probe() {
  for (const auto& address : addresses_) {
    if (std::find(standing_.begin(), standing_.end(), address) != standing_.end()) continue;
    auto stands = co_await source_.has_code(address);
    if (!stands) co_return fail(stands);
    const auto registry = settings_.contracts.registry_of(address).value_or(domain::Registry::identity);
    metrics_
        .gauge("indexer_contract_deployed", "1 when a contract stands at the configured address",
               {{"chain", settings_.name}, {"registry", std::string(domain::to_string(registry))}})
        .set(*stands ? 1 : 0);
    if (*stands) {
      standing_.push_back(address);
    } else {
      log_.info(
          "no contract stands at a configured address; looking again tomorrow",
          {{"chain", settings_.name}, {"registry", domain::to_string(registry)}, {"address", to_hex_0x(address)}});
    }
  }
  co_return standing_.size() == addresses_.size();
}

Task<void> ChainFollower::probe_loop() {
  for (;;) {
    auto complete = co_await step_probe();
    if (complete && *complete) co_return;
    const std::chrono::microseconds pause = complete ? std::chrono::microseconds(kProbeAgain) : kProbeRetry;
    if (co_await cancelled() || !co_await sleep_for(pause)) co_return;
  }
}

Task<Result<void>> ChainFollower::run() {
  for (unsigned errors = 0;;) {
    auto attached = co_await attach();
    if (attached) break;
    if (is_fatal(attached.error())) co_return attached;
    const auto wait = error_wait(++errors, to_micros(clock_.now()));
    log_.warn("the chain could not be attached; trying again",
              {{"chain", settings_.name}, {"why", attached.error().text}, {"errors", errors}});
    if (co_await cancelled() || !co_await sleep_for(wait)) co_return fail(Code::cancelled, "stopping");
  }
  TaskGroup group(co_await this_executor());
  for (std::size_t reader = 0; reader < std::max<std::size_t>(settings_.ranges_at_once, 1); ++reader) {
    group.spawn("history " + settings_.name, [this, reader]() -> Task<void> { (void)co_await history_loop(reader); });
  }
  group.spawn("upkeep " + settings_.name, [this]() -> Task<void> { co_await upkeep_loop(); });
  group.spawn("probe " + settings_.name, [this]() -> Task<void> { co_await probe_loop(); });
  auto live_end = co_await live_loop();
  co_await group.cancel_and_wait();
  co_return live_end;
}

}   // namespace agentauri::chain
