// Follows one chain: live blocks in order with their reorganisations, history below, and a second look at what is final.
//
// Life: made by src/app for a chain whose lease it holds, on the roles' executor. run() ends when it is cancelled, when the
// lease has passed on (Code::fenced), or never: every trouble of a node or a store is waited out.
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
#include "chain/indexer/poll_timer.hpp"
#include "core/async/task.hpp"
#include "core/base/time.hpp"
#include "core/telemetry/log.hpp"
#include "core/telemetry/metrics.hpp"
#include "store/chain_log.hpp"
#include "store/database.hpp"

namespace agentauri::chain {

struct FollowerSettings {
  domain::ChainId chain_id = 0;
  std::string name;                       // label of metrics
  Contracts contracts;
  std::uint64_t start_block = 0;          // of history
  std::int64_t epoch = 0;                 // of the lease
  std::uint32_t finality_depth = 65;      // where the node offers no `finalized`
  std::uint64_t min_undo_blocks = 256;
  std::uint64_t max_undo_blocks = 20'000;
  std::uint64_t max_range = 10'000;       // of one eth_getLogs
  std::uint64_t range_lag = 64;           // further behind than this, ranges are asked for instead of blocks
  std::chrono::milliseconds bloom_patience{10'000};   // a bloom hit without a log is asked again for so long
  std::chrono::milliseconds history_pause{0};         // between two ranges of history
  PollTimer::Settings poll;
  std::optional<std::chrono::milliseconds> fixed_poll;   // an operator's interval instead of the learnt one
};

class ChainFollower {
 public:
  // `on_commit` is called after each commit that gave the engine something, or moved the head.
  ChainFollower(ChainSource& source, store::Database& db, const Clock& clock, FollowerSettings settings, Metrics& metrics, std::function<void()> on_commit);

  // Until cancelled; the error says why it ended otherwise (fenced).
  Task<Result<void>> run();

  // The parts, one at a time: tests drive them.
  Task<Result<void>> attach();
  // Takes what is new at the head. The number of blocks ingested; 0: nothing new.
  Task<Result<unsigned>> step_live();
  // One range of history. false: there is none left.
  Task<Result<bool>> step_history();
  // A second look at final ranges. false: nothing to look at yet.
  Task<Result<bool>> step_verify();
  std::uint64_t head() const { return row_.head_num; }

 private:
  Task<Result<void>> live_loop();
  Task<Result<void>> history_loop();
  Task<Result<BlockHeader>> refresh_head();
  Task<Result<unsigned>> extend_one_by_one(BlockHeader head);
  Task<Result<unsigned>> extend_by_range(BlockHeader head);
  Task<Result<void>> reorganise(BlockHeader fork);
  Task<Result<store::IngestedBlock>> fetch_block(BlockHeader header);
  Task<Result<std::vector<RawLog>>> logs_of(BlockHeader header, bool& header_checked);
  Task<Result<std::vector<store::IngestedBlock>>> fetch_range(std::uint64_t from, std::uint64_t to, bool& header_checked);
  Task<Result<void>> halt(std::string reason);
  Task<Result<void>> set_state(std::string state, std::optional<std::string> reason);
  store::IngestedBlock ingest(const BlockHeader& header, std::vector<RawLog> logs);
  void range_succeeded();
  void range_failed();
  std::uint64_t final_block(std::uint64_t head) const;
  std::optional<Hash32> known_hash(std::uint64_t num) const;
  void remember(const store::BlockRow& block);

  ChainSource& source_;
  store::Database& db_;
  const Clock& clock_;
  FollowerSettings settings_;
  std::vector<Address> addresses_;
  std::function<void()> on_commit_;
  Log log_{"indexer"};

  store::ChainRow row_;
  std::deque<store::BlockRow> recent_;       // canonical, by number, up to the head; where reorgs are noticed
  std::optional<std::uint64_t> safe_, finalized_;
  std::uint64_t finality_asked_at_ = 0;      // head when the tags were asked for last
  bool tags_offered_ = true, receipts_offered_ = true;
  unsigned bloom_proofs_ = 0;                // event blocks whose filter held our address
  bool blooms_trusted_ = true;
  std::uint64_t range_ = 0;
  unsigned range_streak_ = 0;
  std::optional<std::uint64_t> history_next_;
  std::optional<std::uint64_t> verified_to_;
  bool down_ = false;

  Metrics& metrics_;
  Gauge synced_, lag_, last_sync_, gap_;
  Counter blocks_, reorgs_, unconfirmed_, late_, malformed_, unknown_topics_;
};

}  // namespace agentauri::chain
