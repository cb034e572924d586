// The normalised event: one ERC-8004 log as every layer above the chain sees it (pipeline.md 3).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/bytes.hpp"
#include "core/base/number.hpp"
#include "core/base/time.hpp"
#include "domain/ids.hpp"

namespace agentauri::domain {

enum class Registry : std::uint8_t { identity, reputation, validation };
std::string_view to_string(Registry registry);
std::optional<Registry> parse_registry(std::string_view text);

// Text is valid UTF-8 without NUL (the decoder replaces what is not, and says so in parse_error). Addresses and hashes
// are lower-case `0x` text, so that conditions, templates and the API compare and print one spelling.
struct Event {
  ChainId chain_id = 0;
  std::uint64_t block_num = 0;
  Hash32 block_hash;
  Time block_time;   // whole seconds
  Hash32 txn_hash;
  std::uint32_t txn_index = 0;
  std::uint32_t log_index = 0;     // position in the block, as the node says
  std::uint32_t txn_ordinal = 0;   // position among that contract's logs in that transaction
  Address contract;
  Hash32 content_hash;   // keccak of topics and data: part of the occurrence

  Registry registry = Registry::identity;
  std::string event_type;            // pipeline.md 3.3; "Unknown" when the log did not decode
  std::optional<Uint256> agent_id;   // 0 is a real agent

  std::optional<std::string> owner, token_uri, metadata_key, metadata_value, client_address;
  std::optional<std::uint64_t> feedback_index;
  std::optional<int128> value;   // exact rating, with value_decimals
  std::optional<std::uint8_t> value_decimals;
  std::optional<std::int32_t> score;   // pipeline.md 1.10
  std::optional<std::string> tag1, tag2, tag1_hash, endpoint, file_uri, file_hash;
  std::optional<std::string> validator_address, request_hash, request_uri, response_uri, response_hash, tag;
  std::optional<std::int32_t> response;

  std::optional<std::string> parse_error;   // why the log is a dead letter, or what was replaced
  std::optional<std::string> raw;           // `topics` and `data` as JSON, for logs with a parse_error
};

// `{registry}-{chainId}-{transactionHash}-{logIndex}`
std::string event_id(const Event& event);

}   // namespace agentauri::domain
