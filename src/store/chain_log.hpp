// Blocks, events, the block log and the coverage ledger: written by the indexer, read by the engine and the API.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/event.hpp"
#include "store/database.hpp"

namespace agentauri::store {

struct ChainRow {
  domain::ChainId chain_id = 0;
  std::string name;
  std::uint64_t start_block = 0, live_from_block = 0;
  std::int64_t last_seq = 0, epoch = 0;
  std::uint64_t head_num = 0;   // last live block that is ingested; live_from_block - 1 before the first
  std::optional<Hash32> head_hash;
  std::optional<std::uint64_t> safe_num, finalized_num;
  std::optional<std::uint64_t> tip_num;   // the node's head when head_num was last moved; below head_num: out of date
  std::string state;                      // ok, down, halted
  std::optional<std::string> reason;
  Time updated_at;
};

struct BlockRow {
  Hash32 hash;
  std::uint64_t num = 0;
  Hash32 parent_hash;
  Time time;
  Time seen_at;
};

Result<std::vector<ChainRow>> list_chains(Tx& tx);
Result<std::optional<ChainRow>> find_chain(Tx& tx, domain::ChainId chain);

// --- engine side -----------------------------------------------------------------------------------------------------

struct LogEntry {
  std::int64_t seq = 0;
  int op = 1;   // +1 joined, -1 left
  Hash32 block_hash;
  std::uint64_t block_num = 0;
  Time block_time;
};
// Entries after `seq`, in order.
Result<std::vector<LogEntry>> read_block_log(Tx& tx, domain::ChainId chain, std::int64_t after_seq, std::int64_t limit);
// Events of one block in log order (transaction index, log index), skipping the first `from`.
Result<std::vector<domain::Event>> read_block_events(Tx& tx, domain::ChainId chain, const Hash32& block_hash,
                                                     Time block_time, std::int64_t from, std::int64_t limit);

// --- API side --------------------------------------------------------------------------------------------------------

struct EventFilter {
  std::optional<std::int64_t> chain_id;
  std::optional<std::string> registry, event_type, agent_id, search;
};
struct EventPage {
  std::vector<domain::Event> rows;
  std::int64_t total = 0;   // counted to kMaxCounted (counting.hpp)
};
// Canonical events, newest first by block time, then block number.
Result<EventPage> list_events(Tx& tx, const EventFilter& filter, std::int64_t limit, std::int64_t offset);

struct FoundEvent {
  domain::Event event;
  bool canonical = true;   // its block is part of the chain
};
// By its public id, history included; nullopt for every text that is none.
Result<std::optional<FoundEvent>> find_event(Tx& tx, std::string_view id);

// --- indexer side ----------------------------------------------------------------------------------------------------

// Code::fenced from any of these: the chain's lease has passed on. Code::conflict from append_blocks and append_range:
// the head is not the block below the first one given (a commit whose answer was lost had happened all the same); read
// the chain's row again. From append_history and add_late_events: the chain was reorganised since the range was read;
// read the range again.

// Creates the row when the chain is new (live_from = head); takes over its epoch. Returns the row as it is now.
Result<ChainRow> attach_chain(Tx& tx, domain::ChainId chain, std::string_view name, std::uint64_t start_block,
                              std::uint64_t live_from, std::int64_t epoch, Time now);

struct IngestedBlock {
  BlockRow block;
  std::vector<domain::Event> events;   // in log order
  bool header_checked = true;          // its logs agree with the header's bloom filter; else provider_trusted
};
struct Coverage {
  std::vector<Address> contracts;
  bool header_checked = false;   // of a range; single blocks say it themselves
};
// The next live blocks, in order, each the child of the one before: blocks, events, one +1 entry for each block with
// events, coverage and head as one. `tip`: the node's head, when it is known to be above theirs.
Result<void> append_blocks(Tx& tx, domain::ChainId chain, std::int64_t epoch, const std::vector<IngestedBlock>& blocks,
                           const Coverage& coverage, std::optional<std::uint64_t> safe,
                           std::optional<std::uint64_t> finalized, Time now,
                           std::optional<std::uint64_t> tip = std::nullopt);
// Live blocks [from, to] that a range query covered: `blocks` are those with events, `last` is block `to`.
Result<void> append_range(Tx& tx, domain::ChainId chain, std::int64_t epoch, const std::vector<IngestedBlock>& blocks,
                          const BlockRow& last, std::uint64_t from, const Coverage& coverage,
                          std::optional<std::uint64_t> safe, std::optional<std::uint64_t> finalized, Time now,
                          std::optional<std::uint64_t> tip = std::nullopt);
// Blocks above `ancestor` left the chain: -1 entries from the top down, canonical = false, head and coverage back, and
// their unsent jobs are cancelled.
Result<void> rewind_chain(Tx& tx, domain::ChainId chain, std::int64_t epoch, std::uint64_t ancestor_num,
                          const Hash32& ancestor_hash, Time now);
// History [from, to] below live_from_block: events and coverage, no log entry.
Result<void> append_history(Tx& tx, domain::ChainId chain, std::int64_t epoch, const std::vector<IngestedBlock>& blocks,
                            std::uint64_t from, std::uint64_t to, const Coverage& coverage, Time now);
// A log that a provider had withheld at the head: enters history (no trigger sees it) when it is not stored yet.
// Returns how many were new.
Result<std::int64_t> add_late_events(Tx& tx, domain::ChainId chain, std::int64_t epoch,
                                     const std::vector<IngestedBlock>& blocks, Time now);

// After a second look at [from, to]: neighbouring ranges of different levels inside it become one, of the lesser level,
// so that the ledger stays small. What has a hole is left alone. Part of the transaction that adds late events.
Result<void> settle_coverage(Tx& tx, domain::ChainId chain, const std::vector<Address>& contracts, std::uint64_t from,
                             std::uint64_t to);
// The highest block whose hash was ever stored and is not pruned yet, also of branches that left; 0: none.
Result<std::uint64_t> highest_block(Tx& tx, domain::ChainId chain);

// Hash and parent of the canonical live blocks with num in [from, to], by num.
Result<std::vector<BlockRow>> canonical_blocks(Tx& tx, domain::ChainId chain, std::uint64_t from, std::uint64_t to);
struct CoverageRow {
  Address contract;
  std::uint64_t from_block = 0, to_block = 0;
  std::string level;
};
Result<std::vector<CoverageRow>> read_coverage(Tx& tx, domain::ChainId chain);
Result<void> set_chain_state(Tx& tx, domain::ChainId chain, std::int64_t epoch, std::string_view state,
                             std::optional<std::string> reason, Time now);
// Blocks without events below `below` are forgotten.
Result<std::int64_t> prune_blocks(Tx& tx, domain::ChainId chain, std::uint64_t below);

}   // namespace agentauri::store
