// A chain for the engine's tests, written straight into the store: blocks with events, reorganisations, re-inclusion.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "domain/event.hpp"
#include "store/chain_log.hpp"
#include "store/database.hpp"

namespace agentauri::engine::testing {

inline constexpr domain::ChainId kChain = 7;

struct Txn {
  std::uint64_t id = 0;   // becomes its hash
  std::uint64_t agent = 0;
  std::optional<std::int32_t> score;   // nullopt: a revocation
};

struct Block {
  Hash32 hash;
  std::uint64_t num = 0;
  Hash32 parent;
  Time time;
  std::vector<Txn> txns;
};

class ModelChain {
 public:
  ModelChain() { blocks_.push_back({Hash32{}, 0, Hash32{}, from_unix_seconds(1'700'000'000), {}}); }

  // The next block on the head.
  const Block& mine(std::vector<Txn> txns);
  // Drops the last blocks and gives their transactions back.
  std::vector<Txn> drop(std::size_t depth);
  const std::vector<Block>& blocks() const { return blocks_; }
  std::uint64_t next_txn() { return ++txns_; }

 private:
  std::vector<Block> blocks_;
  std::uint64_t made_ = 0, txns_ = 0;
};

store::IngestedBlock to_ingested(const Block& block, domain::ChainId chain = kChain);
// Into a store, as the indexer does.
void attach(store::Database& db, Time now, domain::ChainId chain = kChain);
void append(store::Database& db, const std::vector<Block>& blocks, Time now, domain::ChainId chain = kChain);
void rewind(store::Database& db, const Block& ancestor, Time now);

}   // namespace agentauri::engine::testing
