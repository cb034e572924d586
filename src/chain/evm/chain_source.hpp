// Where the indexer asks about a chain: the real one over JSON-RPC, or a fake one in tests and the demo.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "chain/evm/raw_log.hpp"
#include "core/async/task.hpp"
#include "core/base/result.hpp"

namespace agentauri::chain {

enum class HeadTag : std::uint8_t { latest, safe, finalized };

// Error codes: too_large (ask for a smaller range), not_found (the node does not know the block), unsupported (the
// method is not offered), protocol (an answer that makes no sense), rate_limited, unavailable, timed_out, cancelled.
class ChainSource {
 public:
  virtual ~ChainSource() = default;

  // Which provider answers: nullopt = the first in good standing, with fallback to the others.
  using Provider = std::optional<std::size_t>;
  virtual std::size_t provider_count() const = 0;

  virtual Task<Result<BlockHeader>> head(HeadTag tag) = 0;
  // The highest `latest` of all providers, each asked now.
  virtual Task<Result<BlockHeader>> highest_head() { return head(HeadTag::latest); }
  virtual Task<Result<BlockHeader>> header_by_number(std::uint64_t num) = 0;
  virtual Task<Result<BlockHeader>> header_by_hash(Hash32 hash) = 0;
  // In the order asked for; one batch.
  virtual Task<Result<std::vector<BlockHeader>>> headers_by_number(std::vector<std::uint64_t> nums) = 0;
  // Every log of the addresses in exactly that block; not_found when the node does not have it.
  virtual Task<Result<std::vector<RawLog>>> logs_by_hash(Hash32 block, std::uint64_t num,
                                                         std::vector<Address> addresses, Provider provider) = 0;
  // Every log of the addresses in [from, to], from a provider that has block `to`; not_found when there is none.
  virtual Task<Result<std::vector<RawLog>>> logs_by_range(std::uint64_t from, std::uint64_t to,
                                                          std::vector<Address> addresses, Provider provider) = 0;
  // Logs of the addresses from the receipts (eth_getBlockReceipts) of a block that has transactions; not_found when
  // nobody has receipts of it.
  virtual Task<Result<std::vector<RawLog>>> logs_by_receipts(Hash32 block, std::uint64_t num,
                                                             std::vector<Address> addresses, Provider provider) = 0;
  // Whether a contract stands at the address.
  virtual Task<Result<bool>> has_code(Address address) = 0;
};

}   // namespace agentauri::chain
