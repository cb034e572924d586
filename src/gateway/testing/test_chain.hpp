// A chain that a test writes into the store as the indexer would, and what its log should then say.
#pragma once

#include <string>
#include <vector>

#include "domain/event.hpp"
#include "store/chain_log.hpp"

namespace agentauri::gateway::testing {

class TestChain {
 public:
  // Attached with its first live block at 100.
  TestChain(store::Database& db, domain::ChainId id);

  // A block of so many events, of agents 0, 1, 2, …
  void grow(int events);
  // The last blocks leave.
  void rewind(std::size_t blocks);

  // What a reader of the whole log should see: `+id` and `-id`.
  std::vector<std::string> told;

 private:
  store::Database& db_;
  const domain::ChainId id_;
  std::vector<store::IngestedBlock> blocks_;
  std::uint32_t made_ = 0;   // blocks ever, for hashes of their own
};

}   // namespace agentauri::gateway::testing
