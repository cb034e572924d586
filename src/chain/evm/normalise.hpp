// From raw logs to the normalised event (pipeline.md 1.10, 3). A log that does not decode becomes an event "Unknown"
// with its reason; nothing here fails or throws. Pure.
//
// An event with a parse_error keeps its log in `raw`: `{"topics":["0x…"],"data":"0x…"}`, data in the form of
// event_text.hpp. There are two kinds: "Unknown" (the log is not what its topic 0 says, or no contract of that registry
// emits it), and events with a field that had to be changed (no UTF-8) or left out (a rating outside of what can be
// exact).
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "chain/evm/raw_log.hpp"
#include "domain/event.hpp"

namespace agentauri::chain {

// The three registries of a chain; a zero or missing address is a contract that is not deployed. One address may stand
// for several (a contract for development that emits everything).
struct Contracts {
  std::optional<Address> identity, reputation, validation;

  std::vector<Address> all() const;   // each once
  const std::optional<Address>& address_of(domain::Registry registry) const;
  // The first whose address it is.
  std::optional<domain::Registry> registry_of(const Address& address) const;
};

struct NormalisedLogs {
  std::vector<domain::Event> events;   // in log order
  std::size_t unknown_topics = 0;      // skipped: the contracts may learn new events
  std::size_t malformed = 0;           // stored with parse_error
};

// `logs` are all logs of the registries in one block (ordinals count what is skipped too); they are put into log order
// (transaction index, log index). Logs of other addresses are left out.
NormalisedLogs normalise_block(domain::ChainId chain, const Contracts& contracts, Time block_time,
                               std::vector<RawLog> logs);

// The compatibility score (pipeline.md 1.10, rule 4): nullopt for values outside 0..100 and for tags that are no
// ratings.
std::optional<std::int32_t> derive_score(const Decimal& value, const std::optional<std::string>& tag1);
// Text of a hash of a well-known tag (pipeline.md 1.7); nullopt when unknown.
std::optional<std::string> tag_of_hash(const Hash32& hash);

}   // namespace agentauri::chain
