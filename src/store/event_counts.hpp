// How many events of each type each chain has: those that are part of the chain as it is, live and history. Counting
// them anew would read all of `events`; so the transactions that write events keep the numbers, by what they changed.
//
// Exact, because nothing else changes the events of a block meanwhile: whoever writes events of a block holds its row
// in `blocks` (or, for live blocks and rewinds, the chain's) from before the first count to its commit.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/base/bytes.hpp"
#include "domain/ids.hpp"
#include "store/database.hpp"

namespace agentauri::store {

using TypeCounts = std::map<std::string, std::int64_t>;
// In these blocks, each named once.
Result<TypeCounts> count_canonical_events(Tx& tx, domain::ChainId chain, const std::vector<Hash32>& blocks);
// `after` stands for what was `before`. Under the chain's lock, so that writers of one chain wait for each other at
// their ends only.
Result<void> change_event_counts(Tx& tx, domain::ChainId chain, const TypeCounts& before, const TypeCounts& after);

struct EventCount {
  domain::ChainId chain_id = 0;
  std::string event_type;
  std::int64_t count = 0;   // above 0
};
// By chain, then the most frequent first.
Result<std::vector<EventCount>> list_event_counts(Tx& tx);

}   // namespace agentauri::store
