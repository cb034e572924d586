// Events that the engine could not process and passed over (pipeline.md 6.9), with the reason. They stay in `events`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/ids.hpp"
#include "store/database.hpp"

namespace agentauri::store {

struct EventDeadLetter {
  domain::ChainId chain = 0;
  Hash32 block_hash;
  std::int64_t position = 0;             // among the block's events, from 0
  std::optional<std::string> event_id;   // nullopt: the row itself cannot be read
  std::string error;
  std::int32_t attempts = 0;
  Time first_seen, last_seen;
};
// One that exists is counted on: its first_seen stays.
Result<void> put_event_dead_letter(Tx& tx, const EventDeadLetter& letter);
// The latest first.
Result<std::vector<EventDeadLetter>> list_event_dead_letters(Tx& tx, domain::ChainId chain, std::int64_t limit);

}   // namespace agentauri::store
