// A FakeChain as a ChainSource, with faults that real providers have.
#pragma once

#include <chrono>
#include <functional>

#include "chain/evm/chain_source.hpp"
#include "chain/fake/fake_chain.hpp"

namespace agentauri::chain {

struct Faults {
  std::uint64_t max_range = 0;      // larger ranges are refused as too large; 0: no limit
  std::size_t max_logs = 0;         // ranges that hold more are refused as too large; 0: no limit
  std::uint64_t finality_lag = 0;   // blocks between head and finalized; 0: the tags are not offered
  bool receipts = true;             // whether eth_getBlockReceipts is offered
  bool empty_blooms = false;        // a chain that does not fill its filters
  std::size_t providers = 1;
  // Asked before each call with its name; true: it fails as unavailable.
  std::function<bool(std::string_view method)> fails;
  std::chrono::microseconds latency{0};   // of each answer
  // Asked for each answer of logs by range: true: the logs are left out of it.
  std::function<bool(const Hash32& block, std::size_t provider)> omits_in_ranges;
  // Asked for each answer of logs by hash: true: the logs are left out of it.
  std::function<bool(const Hash32& block, std::size_t provider)> omits;
  // The same for single logs.
  std::function<bool(const RawLog& log, std::size_t provider)> omits_log;
  // What the provider that is asked first names as the head; the others have the chain's.
  std::optional<BlockHeader> lagging_head;
};

class FakeSource final : public ChainSource {
 public:
  FakeSource(FakeChain& chain, Faults faults) : chain_(chain), faults_(std::move(faults)) {}
  Faults& faults() { return faults_; }
  std::uint64_t calls() const { return calls_; }

  std::size_t provider_count() const override { return faults_.providers; }
  Task<Result<BlockHeader>> head(HeadTag tag) override;
  Task<Result<BlockHeader>> highest_head() override;
  Task<Result<BlockHeader>> header_by_number(std::uint64_t num) override;
  Task<Result<BlockHeader>> header_by_hash(Hash32 hash) override;
  Task<Result<std::vector<BlockHeader>>> headers_by_number(std::vector<std::uint64_t> nums) override;
  Task<Result<std::vector<RawLog>>> logs_by_hash(Hash32 block, std::uint64_t num, std::vector<Address> addresses,
                                                 Provider provider) override;
  Task<Result<std::vector<RawLog>>> logs_by_range(std::uint64_t from, std::uint64_t to, std::vector<Address> addresses,
                                                  Provider provider) override;
  Task<Result<std::vector<RawLog>>> logs_by_receipts(Hash32 block, std::uint64_t num, std::vector<Address> addresses,
                                                     Provider provider) override;
  Task<Result<bool>> has_code(Address address) override;

 private:
  // Waits as long as an answer takes. false: the call fails.
  Task<bool> answers(std::string_view method);
  Result<BlockHeader> shown(std::optional<BlockHeader> header) const;

  FakeChain& chain_;
  Faults faults_;
  std::uint64_t calls_ = 0;
};

}   // namespace agentauri::chain
