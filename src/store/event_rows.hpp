// Rows of `events`: written by chain_log.cpp, which alone decides when. Readers are declared in chain_log.hpp.
#pragma once

#include <cstdint>
#include <vector>

#include "core/base/bytes.hpp"
#include "domain/ids.hpp"
#include "store/chain_log.hpp"
#include "store/database.hpp"

namespace agentauri::store {

// live: triggers see it. history: below live_from_block. late: withheld by a provider at the head; only what is not
// stored yet is written, and no trigger sees it.
enum class EventKind : std::uint8_t { live, history, late };

// The events of the blocks, whose rows in `blocks` exist already. Returns the number of rows written.
Result<std::int64_t> put_events(Tx& tx, const std::vector<IngestedBlock>& blocks, EventKind kind, Time now);
Result<void> orphan_events(Tx& tx, domain::ChainId chain, const Bytes& block_hash);

}   // namespace agentauri::store
