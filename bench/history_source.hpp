// A node in memory for the benches: it holds the JSON text of eth_getLogs and of headers, and decodes it at each answer
// as the JSON-RPC client does. The logs are those of tests/fixtures/erc8004 over and over, four in a block, so run from
// the source folder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "chain/evm/chain_source.hpp"
#include "chain/evm/normalise.hpp"
#include "store/chain_log.hpp"

namespace agentauri::bench {

class HistorySource final : public chain::ChainSource {
 public:
  // Blocks 1, 2, … with `events` logs that become events; above them two empty blocks, the upper one the head.
  explicit HistorySource(std::size_t events);

  const chain::Contracts& contracts() const { return contracts_; }
  std::uint64_t head_num() const { return headers_.size() - 1; }
  // Every block decoded, nothing kept. Returns the number of events.
  std::size_t decode_all() const;
  // Every block decoded, in slices of at most so many events.
  std::vector<std::vector<store::IngestedBlock>> decoded_slices(domain::ChainId chain, std::size_t rows) const;

  std::size_t provider_count() const override { return 1; }
  Task<Result<chain::BlockHeader>> head(chain::HeadTag tag) override;
  Task<Result<chain::BlockHeader>> header_by_number(std::uint64_t num) override;
  Task<Result<chain::BlockHeader>> header_by_hash(Hash32 hash) override;
  Task<Result<std::vector<chain::BlockHeader>>> headers_by_number(std::vector<std::uint64_t> nums) override;
  Task<Result<std::vector<chain::RawLog>>> logs_by_hash(Hash32 block, std::uint64_t num, std::vector<Address> addresses,
                                                        Provider provider) override;
  Task<Result<std::vector<chain::RawLog>>> logs_by_range(std::uint64_t from, std::uint64_t to,
                                                         std::vector<Address> addresses, Provider provider) override;
  Task<Result<std::vector<chain::RawLog>>> logs_by_receipts(Hash32 block, std::uint64_t num,
                                                            std::vector<Address> addresses, Provider provider) override;
  Task<Result<bool>> has_code(Address address) override;

 private:
  void add_block(const std::vector<std::string>& logs);
  Result<std::vector<chain::BlockHeader>> parse_headers(std::uint64_t from, std::uint64_t to) const;
  Result<std::vector<chain::RawLog>> parse_range(std::uint64_t from, std::uint64_t to) const;

  chain::Contracts contracts_;
  std::vector<std::string> headers_;   // JSON text, by number
  std::vector<std::string> logs_;      // JSON text of the block's logs with commas between them, by number
};

}   // namespace agentauri::bench
