// What conditions remember, its undo, and how far the engine has come.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "domain/ids.hpp"
#include "store/database.hpp"

namespace agentauri::store {

struct StateRow {
  domain::TriggerId trigger;
  domain::ConditionId condition = 0;
  std::int64_t condition_rev = 0;
  domain::ChainId chain = 0;
  std::string key;

  auto operator<=>(const StateRow&) const = default;
};
struct StateValue {
  std::string state;
  std::uint64_t block_num = 0;   // of its last change

  bool operator==(const StateValue&) const = default;
};

Result<std::optional<StateValue>> read_state(Tx& tx, const StateRow& row);
// nullopt: the row goes.
Result<void> write_states(Tx& tx, const std::vector<std::pair<StateRow, std::optional<StateValue>>>& rows);

// What a state was before its first change in a block.
struct StateImage {
  StateRow row;
  std::optional<StateValue> before;
};
// Images that exist already are kept: the first change of a block counts.
Result<void> write_images(Tx& tx, std::uint64_t block_num, const std::vector<StateImage>& images);
// The images of a block, for an undo; and their end once it is done.
Result<std::vector<StateImage>> read_images(Tx& tx, domain::ChainId chain, std::uint64_t block_num);
Result<void> drop_images(Tx& tx, domain::ChainId chain, std::uint64_t block_num);
// At most `limit` rows, the lowest blocks first. Those stay that an entry of the log after `after_seq` still takes
// back, and those above them. Returns how many went.
Result<std::int64_t> prune_images(Tx& tx, domain::ChainId chain, std::uint64_t below, std::int64_t after_seq,
                                  std::int64_t limit);
// Of a deleted trigger, and of a condition revision that no edit can bring back. Their images stay until they are
// pruned: an undo passes over what the engine no longer knows.
Result<void> forget_state(Tx& tx, domain::TriggerId trigger);
struct ConditionVersion {
  domain::TriggerId trigger;
  domain::ConditionId condition = 0;
  std::int64_t revision = 0;
};
Result<void> forget_conditions(Tx& tx, const std::vector<ConditionVersion>& conditions);
// Triggers with a state on a chain that belongs to none of their conditions: their circuit breaker has something to
// remember.
struct TroubledTrigger {
  domain::TriggerId trigger;
  domain::ChainId chain = 0;
  std::string state;   // as rules::breaker_text() wrote it
};
Result<std::vector<TroubledTrigger>> read_troubled_triggers(Tx& tx);
// Everything of a chain, ordered: tests and digests.
Result<std::vector<std::pair<StateRow, StateValue>>> dump_state(Tx& tx, domain::ChainId chain);

struct EngineCursor {
  std::int64_t seq = 0;        // last entry that is fully processed
  std::int64_t position = 0;   // events done of the entry after it
  std::int64_t revision = 0;   // of the triggers that the last batch used
  std::int64_t epoch = 0;
};
Result<std::optional<EngineCursor>> read_cursor(Tx& tx, int shard, domain::ChainId chain);
// Code::fenced when somebody with a higher epoch has written it.
Result<void> write_cursor(Tx& tx, int shard, domain::ChainId chain, const EngineCursor& cursor);
// The engine stands before an entry of the chain's log that it cannot pass over: the chain is `down`, for this reason,
// unless it is halted or down for one of the indexer's.
Result<void> set_engine_stall(Tx& tx, domain::ChainId chain, std::string_view why);
Result<void> clear_engine_stall(Tx& tx, domain::ChainId chain);
// The highest revision that any cursor of the shard names; nullopt without a cursor.
Result<std::optional<std::int64_t>> adopted_revision(Tx& tx, int shard);

// The trigger's `last_error`; nullopt clears it. A trigger that is gone is passed over.
Result<void> set_trigger_error(Tx& tx, domain::TriggerId trigger, const std::optional<std::string>& error);
Result<std::vector<std::pair<domain::TriggerId, std::string>>> read_trigger_errors(Tx& tx);

}   // namespace agentauri::store
