// What a node answers, parsed and checked, before it means anything.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/time.hpp"

namespace agentauri::chain {

struct RawLog {
  Address address;
  std::vector<Hash32> topics;   // at most 4
  Bytes data;
  Hash32 block_hash;
  std::uint64_t block_num = 0;
  Hash32 txn_hash;
  std::uint32_t txn_index = 0;
  std::uint32_t log_index = 0;
};

using Bloom = std::array<std::uint8_t, 256>;

struct BlockHeader {
  std::uint64_t num = 0;
  Hash32 hash;
  Hash32 parent_hash;
  Time time;
  Bloom logs_bloom{};
  bool empty = false;         // of transactions, and its transactions root says so too
  std::size_t provider = 0;   // of a source, that named it
};

// Whether a bloom filter of a header may hold the address (yellow paper, 4.3.1): never a false "no".
bool bloom_may_contain(const Bloom& bloom, const Address& address);
void bloom_add(Bloom& bloom, ByteView item);

}   // namespace agentauri::chain
