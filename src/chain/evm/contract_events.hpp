// Every event shape that the ERC-8004 registries emit or ever emitted (pipeline.md 1.1-1.4, 1.9): a table, and a
// decoder that dispatches on topic 0.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chain/evm/abi.hpp"
#include "chain/evm/raw_log.hpp"
#include "core/base/bytes.hpp"
#include "domain/event.hpp"

namespace agentauri::chain {

struct EventParameter {
  std::string_view name;
  AbiType type;
  bool indexed = false;            // an indexed string contributes only its hash
  std::string_view hash_of = {};   // the parameter that shows an indexed string in clear: both must agree
};

struct EventShape {
  std::string_view name;                      // as the contract calls it
  std::string_view version;                   // "" for the newest; v1, v2, … for historical shapes
  std::vector<domain::Registry> registries;   // that emit it
  std::vector<EventParameter> parameters;     // in the order of declaration

  // `NewFeedback(uint256,address,…)`
  std::string signature() const;
  bool belongs_to(domain::Registry registry) const;
};

// Topic 0 is the keccak of the signature, computed once.
struct KnownEvent {
  EventShape shape;
  Hash32 topic0;
};
const std::vector<KnownEvent>& known_events();
// nullptr when unknown: the contracts may learn new events. Lives as long as the program.
const KnownEvent* find_event(const Hash32& topic0);

// Values look into the log that was decoded, which must outlive them.
struct DecodedLog {
  const EventShape* shape = nullptr;
  std::vector<AbiValue> values;   // as many as parameters; an indexed string is a bytes32 here

  const AbiValue* find(std::string_view name) const;
};

// Code::protocol with the reason when the log is not what its topic 0 says: a wrong number of topics, a value that does
// not read (abi.hpp), or an indexed string that is not the hash of the one in clear. Data behind the values is ignored.
Result<DecodedLog> decode_log(const KnownEvent& event, const RawLog& log);

}   // namespace agentauri::chain
