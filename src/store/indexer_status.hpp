// Where the indexer is with each chain, as far as the store knows: for the public status.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/chain_log.hpp"
#include "store/database.hpp"

namespace agentauri::store {

struct ChainStatus {
  ChainRow chain;
  // Of the last indexed live block; absent before the first.
  std::optional<Time> head_time;      // the chain's clock
  std::optional<Time> head_seen_at;   // ours
  bool followed = false;              // some process holds the chain's lease now
  // Of the newest event that is part of the chain.
  std::optional<std::uint64_t> last_event_block;
  std::optional<Time> last_event_time;
  std::optional<Time> events_kept_from;   // older ones are forgotten (EVENT_RETENTION_DAYS); nullopt: none was
};
struct IndexerStatus {
  std::vector<ChainStatus> chains;   // by id
  std::int64_t total_events = 0;
};
// A few index look-ups for each chain, however many events there are.
Result<IndexerStatus> read_indexer_status(Tx& tx);

}   // namespace agentauri::store
