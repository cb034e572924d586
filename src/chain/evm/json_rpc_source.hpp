// A chain behind JSON-RPC over HTTP: several providers in order, each behind breaker, pause and token bucket
// (provider_standing.hpp). A call goes to the first provider in good standing and on to the next when that one is in
// trouble, lags or makes no sense; when all are, they are asked again after 125, 250 and 500 ms (±20 %). What a
// provider says about the question (too large, unsupported) is taken from it; a block that it does not know is asked of
// the others. A provider that failed is used again after it named the right chain id; one that names another chain is
// not used.
//
// Counters: rpc_calls_total{chain,method} (each member of a batch), ponder_rpc_errors_total, ponder_rpc_latency_ms and
// ponder_circuit_breaker_state by {chain,provider}, where a provider is its host.
#pragma once

#include <memory>
#include <vector>

#include "chain/evm/chain_source.hpp"
#include "chain/evm/json_rpc_settings.hpp"
#include "core/telemetry/metrics.hpp"
#include "net/http_client.hpp"

namespace agentauri::chain {

class JsonRpcSource final : public ChainSource {
 public:
  // Used on the executor of `client`, which must be unguarded: the operator gives these addresses. Calls may run side
  // by side; all must have ended before it is destroyed. URLs that do not parse are left out with an ERROR line.
  JsonRpcSource(net::HttpClient& client, JsonRpcSettings settings, Metrics& metrics);
  ~JsonRpcSource() override;

  std::size_t provider_count() const override;
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
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}   // namespace agentauri::chain
