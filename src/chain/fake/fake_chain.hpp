// A chain in memory with ERC-8004 traffic: deterministic from its seed, with real hashes, bloom filters and ABI-encoded
// logs, and with reorganisations at chosen depths. Serves the demo, the tests and the benchmarks.
//
// Thread-safe: the demo mines on one thread and answers on another.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "chain/evm/normalise.hpp"
#include "chain/evm/raw_log.hpp"
#include "domain/ids.hpp"

namespace agentauri::chain {

class FakeChain {
 public:
  FakeChain(domain::ChainId id, std::uint64_t seed, Time genesis, std::chrono::seconds block_time);

  domain::ChainId id() const { return id_; }
  const Contracts& contracts() const { return contracts_; }

  // What the next block will hold; one transaction each. Returns the transaction's hash.
  Hash32 register_agent(std::uint64_t agent, const std::string& uri);
  Hash32 give_feedback(std::uint64_t agent, std::uint64_t client, int128 value, std::uint8_t decimals,
                       const std::string& tag1, const std::string& tag2);
  Hash32 revoke_feedback(std::uint64_t agent, std::uint64_t client, std::uint64_t index);
  Hash32 append_response(std::uint64_t agent, std::uint64_t client, std::uint64_t index, const std::string& uri);
  Hash32 set_uri(std::uint64_t agent, const std::string& uri);
  Hash32 set_metadata(std::uint64_t agent, const std::string& key, const std::string& value);
  Hash32 transfer_agent(std::uint64_t agent, std::uint64_t to);
  // Both name the request by its URI.
  Hash32 request_validation(std::uint64_t validator, std::uint64_t agent, const std::string& uri);
  Hash32 answer_validation(std::uint64_t validator, std::uint64_t agent, const std::string& uri, std::uint8_t response,
                           const std::string& tag);
  // A log of our own making: unknown topics, malformed data.
  Hash32 emit(const Address& contract, std::vector<Hash32> topics, Bytes data);

  // Mines what is waiting (maybe nothing). The block's time is `time`, in whole seconds and not before its parent's,
  // else one block time after genesis for each block. Returns the new head.
  BlockHeader mine(std::optional<Time> time = std::nullopt);
  // Drops the last `depth` blocks. With `keep`, their transactions wait for the next block again; else they are gone.
  void reorg(std::uint64_t depth, bool keep);
  // Makes the branch that was dropped last the chain again (A -> B -> A).
  void reorg_back();

  BlockHeader head() const;
  std::optional<BlockHeader> header(std::uint64_t num) const;
  std::optional<BlockHeader> header(const Hash32& hash) const;   // of any block ever mined, as nodes keep them
  bool is_canonical(const Hash32& hash) const;
  std::vector<RawLog> logs(const Hash32& block) const;
  std::vector<RawLog> logs(std::uint64_t from, std::uint64_t to) const;

 private:
  struct Txn {
    Hash32 hash;
    std::vector<RawLog> logs;   // without their place
  };
  struct Block {
    BlockHeader header;
    std::vector<Txn> txns;
    std::vector<RawLog> logs;
  };

  Hash32 add(std::vector<RawLog> logs);

  mutable std::mutex mutex_;
  domain::ChainId id_;
  std::mt19937_64 random_;
  Time genesis_;
  std::chrono::seconds block_time_;
  Contracts contracts_;
  std::vector<Txn> waiting_;
  std::vector<Hash32> canonical_;   // by number
  std::map<Hash32, Block> blocks_;
  std::vector<Hash32> dropped_;   // the branch that was dropped last, ascending
  std::uint64_t txn_count_ = 0;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> feedback_index_;
};

}   // namespace agentauri::chain
