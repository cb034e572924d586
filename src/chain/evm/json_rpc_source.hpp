// A chain behind JSON-RPC over HTTP: several providers in order, each behind breaker, pause and token bucket; demoted
// on failure, probed back, chain id checked.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "chain/evm/chain_source.hpp"
#include "core/crypto/crypto.hpp"
#include "core/telemetry/metrics.hpp"
#include "domain/ids.hpp"
#include "net/http_client.hpp"

namespace agentauri::chain {

struct JsonRpcSettings {
  domain::ChainId chain_id = 0;
  std::string chain_name;                          // label of metrics
  std::vector<crypto::Secret<std::string>> urls;   // in order of preference; may hold keys
  std::chrono::milliseconds timeout{30'000};       // of one request
  std::size_t max_answer_bytes = 64 * 1024 * 1024;
  int requests_per_second = 200;   // per provider
  int breaker_failures = 5;
  std::chrono::milliseconds breaker_reset{60'000};
  int breaker_successes = 3;
  std::chrono::milliseconds rate_limit_pause{60'000};   // when a provider names no Retry-After
};

class JsonRpcSource final : public ChainSource {
 public:
  // Used on the executor of `client`, which must be unguarded: the operator gives these addresses.
  JsonRpcSource(net::HttpClient& client, JsonRpcSettings settings, Metrics& metrics);
  ~JsonRpcSource() override;

  std::size_t provider_count() const override;
  Task<Result<BlockHeader>> head(HeadTag tag) override;
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
