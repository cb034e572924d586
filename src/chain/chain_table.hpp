// The chains that carry ERC-8004 registries (pipeline.md 2): a table. Any other id works with addresses given.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "chain/evm/normalise.hpp"
#include "domain/ids.hpp"

namespace agentauri::chain {

struct KnownChain {
  domain::ChainId id;
  std::string_view name;         // for people
  std::string_view key;          // label of metrics and the status API: ethereumSepolia, …
  std::string_view env_prefix;   // of the older variables: ETHEREUM_SEPOLIA; empty when there were none
  bool testnet;
  std::uint64_t start_block;      // 0: not known; history starts at the first block
  std::uint32_t confirmations;    // default wait before an alert leaves
  std::uint32_t finality_depth;   // where the node offers no `finalized`
};
const std::vector<KnownChain>& known_chains();
const KnownChain* find_known_chain(domain::ChainId id);

// The registries' proxies: the same on every mainnet, another same set on every testnet.
Contracts official_contracts(bool testnet);

}   // namespace agentauri::chain
