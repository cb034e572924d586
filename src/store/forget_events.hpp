// The end of old events. What may still be needed is kept however old it is; that is decided by one time for all
// chains, since a hypertable forgets by chunks of time.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "domain/ids.hpp"
#include "store/database.hpp"

namespace agentauri::store {

// Who still needs events that are old enough to go.
struct EventHolder {
  domain::ChainId chain_id = 0;
  std::string_view why;   // a phrase for operators
};
struct ForgettableEvents {
  Time before;                          // events of blocks before it are needed by nobody
  std::optional<EventHolder> held_by;   // why that is earlier than what was wanted
};
// At most `wanted`. Kept are the events of
// - the last `undo_blocks` of each chain: should such a block leave it, the engine must undo what its events did;
// - blocks that the engine has not processed, or that wait for it after a pause of any length;
// - jobs that have not ended.
// Dead letters of events keep their rows and reasons, not their events.
Result<ForgettableEvents> find_forgettable_events(Tx& tx, Time wanted, std::uint64_t undo_blocks);

// What retention took of a chain: events of block times before `before`, and of entries of the block log up to `seq`.
struct ForgottenEvents {
  std::optional<Time> before;
  std::int64_t seq = 0;
};
// Nothing for a chain that is not known.
Result<ForgottenEvents> read_forgotten_events(Tx& tx, domain::ChainId chain);

// Tells everybody what may be gone from now on (read_forgotten_events()), before anything goes. Events of
// history, and late ones, that are older are not stored any more.
Result<void> mark_forgotten_events(Tx& tx, Time before, std::uint64_t undo_blocks);

// One batch of rows, or the oldest chunk that lies before `before` whole. Returns how many rows went; 0: no more.
// Code::unavailable where the database does not let us. The numbers in event_counts stay: they tell what the chain has.
Result<std::int64_t> forget_events(Tx& tx, Time before, std::int64_t batch);

}   // namespace agentauri::store
