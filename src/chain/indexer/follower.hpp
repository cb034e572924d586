// Follows one chain: live blocks in order with their reorganisations, history below, and a second look at what is
// final.
//
// Life: made by src/app for a chain whose lease it holds, on the roles' executor. run() ends when it is cancelled, when
// the lease has passed on (Code::fenced), or never: every trouble of a node or a store is waited out.
//
// follower.cpp: attaching and the loops; follower_live.cpp: the head and its reorganisations; follower_ranges.cpp: what
// is read by ranges (catching up, history, the second look).
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chain/evm/chain_source.hpp"
#include "chain/evm/normalise.hpp"
#include "chain/indexer/bloom_watch.hpp"
#include "chain/indexer/history_plan.hpp"
#include "chain/indexer/poll_timer.hpp"
#include "chain/indexer/range_size.hpp"
#include "core/async/task.hpp"
#include "core/base/time.hpp"
#include "core/telemetry/log.hpp"
#include "core/telemetry/metrics.hpp"
#include "store/chain_log.hpp"
#include "store/database.hpp"

namespace agentauri::chain {

struct FollowerSettings {
  domain::ChainId chain_id = 0;
  std::string name;   // label of metrics
  Contracts contracts;
  std::uint64_t start_block = 0;         // of history
  std::int64_t epoch = 0;                // of the lease
  std::uint32_t finality_depth = 65;     // where the node offers no `finalized`
  std::uint64_t min_undo_blocks = 256;   // as the engine's: it keeps before-images so far below the head or finality
  std::uint64_t max_undo_blocks = 20'000;
  std::uint64_t max_range = 10'000;   // of one eth_getLogs
  std::uint64_t range_lag = 64;       // further behind than this, ranges are asked for instead of blocks
  std::size_t ranges_at_once = 4;     // requests in flight while catching up, and again for history
  std::size_t rows_at_once = 500;     // events of one commit of ranges; a larger block is one commit all the same
  std::chrono::milliseconds bloom_patience{10'000};   // a bloom hit without a log is asked again for at most so long
  std::chrono::milliseconds history_pause{0};         // between two ranges of history
  // A node whose head is below ours and unknown to us may be a moment behind; longer than this is a trouble.
  std::chrono::milliseconds lag_patience{10'000};
  PollTimer::Settings poll;
  std::optional<std::chrono::milliseconds> fixed_poll;   // an operator's interval instead of the learnt one
};

// What a step at the head did.
struct LiveStep {
  unsigned blocks = 0;   // ingested
  bool again = false;    // there is more to do at once
};

class ChainFollower {
 public:
  // `on_commit` is called after each commit that gave the engine something, or moved the head.
  ChainFollower(ChainSource& source, store::Database& db, const Clock& clock, FollowerSettings settings,
                Metrics& metrics, std::function<void()> on_commit);

  // Until cancelled; the error says why it ended otherwise (fenced).
  Task<Result<void>> run();

  // The parts, one at a time: tests drive them.
  Task<Result<void>> attach();
  // Takes what is new at the head.
  Task<Result<LiveStep>> step_live();
  // One range of history. false: there is none left, or none that is final yet.
  Task<Result<bool>> step_history();
  // A second look at one final range. false: nothing to look at yet.
  Task<Result<bool>> step_verify();
  // Which contracts stand on the chain. false: some are not deployed (yet).
  Task<Result<bool>> step_probe();
  std::uint64_t head() const { return row_.head_num; }

 private:
  struct RangeBlock {
    BlockHeader header;
    std::vector<RawLog> logs;
  };
  // Blocks [from, to] as the node answered: those with logs, and the headers of the ends where they were asked for.
  struct FetchedRange {
    std::uint64_t from = 0, to = 0;
    std::optional<BlockHeader> first, last;
    std::vector<RangeBlock> blocks;
  };
  // A part of a range that fits one commit.
  struct Slice {
    std::uint64_t from = 0, to = 0;
    std::vector<store::IngestedBlock> blocks;
    std::optional<BlockHeader> last;   // of block `to`, when it is known
  };
  enum class Ends : std::uint8_t { left_out, included };

  // follower.cpp
  Task<Result<void>> live_loop();
  Task<Result<void>> history_loop(std::size_t reader);
  Task<void> upkeep_loop();
  Task<void> probe_loop();
  Task<Result<void>> set_state(std::string state, std::optional<std::string> reason);
  Task<void> report_trouble(const Error& error, unsigned errors, std::chrono::milliseconds pause);
  Task<void> prune();
  std::uint64_t final_block(std::uint64_t head) const;
  std::optional<Hash32> known_hash(std::uint64_t num) const;
  std::chrono::microseconds block_interval() const;
  void remember(const store::BlockRow& block);
  void raise_undo_floor(std::uint64_t head, std::optional<std::uint64_t> finalized);
  void count_events(const std::vector<store::IngestedBlock>& blocks);
  // `look`: only the first one counts and reports what does not decode.
  enum class Look : std::uint8_t { first, second };
  store::IngestedBlock ingest(const BlockHeader& header, std::vector<RawLog> logs, Time seen_at, Look look);
  Error store_trouble(Error error);
  bool is_fatal(const Error& error) const;

  // follower_live.cpp
  Task<Result<BlockHeader>> refresh_head();
  Task<void> refresh_finality(std::uint64_t head);
  Task<Result<LiveStep>> meet_lower_head(BlockHeader head);
  Task<Result<LiveStep>> step_halted();
  Task<Result<LiveStep>> extend_one_by_one(BlockHeader head);
  Task<Result<std::vector<BlockHeader>>> headers_up_to(BlockHeader head);
  Task<std::vector<Result<store::IngestedBlock>>> fetch_blocks(std::vector<BlockHeader> headers, Time seen_at);
  Task<Result<store::IngestedBlock>> fetch_block(BlockHeader header, Time seen_at);
  Task<Result<std::vector<RawLog>>> logs_of(BlockHeader header, bool& header_checked);
  Task<Result<std::vector<RawLog>>> ask_again(BlockHeader header, std::vector<RawLog> found,
                                              std::chrono::milliseconds patience, bool& decided);
  Task<Result<void>> reorganise(BlockHeader fork);
  Task<Result<BlockHeader>> walk_down(Hash32 hash, std::uint64_t num, std::uint64_t steps,
                                      std::vector<BlockHeader>& ahead);
  Task<Result<void>> halt(std::string reason);

  // follower_ranges.cpp
  Task<Result<LiveStep>> extend_by_range(BlockHeader head);
  Task<Result<std::uint64_t>> append_fetched(FetchedRange range);
  Task<Result<FetchedRange>> fetch_range(std::uint64_t from, std::uint64_t to, std::vector<Address> contracts,
                                         Ends ends, ChainSource::Provider provider);
  Task<Result<std::vector<RawLog>>> logs_in(std::uint64_t from, std::uint64_t to, std::vector<Address> contracts,
                                            ChainSource::Provider provider);
  Task<Result<void>> plan_history();
  Task<Result<void>> store_history(FetchedRange range, std::vector<Address> contracts, std::uint64_t& done_to);
  Slice next_slice(FetchedRange& range, std::size_t& at, std::uint64_t from, Look look);
  void note_gap();

  ChainSource& source_;
  store::Database& db_;
  const Clock& clock_;
  FollowerSettings settings_;
  std::vector<Address> addresses_;
  std::function<void()> on_commit_;
  Log log_{"indexer"};

  store::ChainRow row_;
  bool stale_ = true;                    // row_ may differ from the store: a write failed, maybe after it was done
  bool store_failed_ = false;            // the last trouble was the store's
  std::deque<store::BlockRow> recent_;   // canonical, by number, up to the head; where reorgs are noticed
  std::uint64_t undo_floor_ = 0;         // lowest block that a reorg may go back to; never falls, as the engine prunes
  std::uint64_t node_head_ = 0;
  Time head_seen_at_{};                  // when the node named its head last
  PollTimer::Time head_answered_at_{};   // the same, for the rhythm
  std::optional<std::uint64_t> safe_, finalized_;
  // Blocks from which on these are asked for (again): what a node refuses today it may offer tomorrow.
  std::uint64_t finality_again_at_ = 0, receipts_again_at_ = 0;
  std::optional<std::chrono::steady_clock::time_point> unknown_head_since_;
  BloomWatch blooms_;
  RangeSize range_, history_range_, verify_range_;
  std::optional<HistoryPlan> plan_;
  bool history_trouble_ = false;   // the last range could not be read or stored
  std::optional<std::uint64_t> verified_to_;
  std::size_t verify_round_ = 0;
  std::uint64_t pruned_to_ = 0;
  std::vector<Address> standing_;   // contracts that are known to be deployed

  Metrics& metrics_;
  Gauge synced_, lag_, last_sync_, gap_, reorg_depth_;
  Counter blocks_, reorgs_, unconfirmed_, late_, malformed_, unknown_topics_;
};

}   // namespace agentauri::chain
