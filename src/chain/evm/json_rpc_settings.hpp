// How a chain's RPC providers are asked.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "chain/evm/rpc_provider.hpp"
#include "core/crypto/crypto.hpp"
#include "domain/ids.hpp"

namespace agentauri::chain {

struct JsonRpcSettings {
  domain::ChainId chain_id = 0;
  std::string chain_name;                          // label of metrics
  std::vector<crypto::Secret<std::string>> urls;   // in order of preference; may hold keys
  std::chrono::milliseconds timeout{30'000};       // of one request
  std::size_t max_answer_bytes = 64 * 1024 * 1024;
  int requests_per_second = 200;   // of a provider that `rates` does not name; a batch is one request
  std::vector<ProviderRate> rates = default_provider_rates();
  int breaker_failures = 5;
  std::chrono::milliseconds breaker_reset{60'000};
  int breaker_successes = 3;
  std::chrono::milliseconds rate_limit_pause{60'000};   // when a provider names no time
  std::chrono::milliseconds first_demotion{10'000};     // doubles with each failure, up to five minutes
  unsigned retries = 3;
  // A head that has not moved for so long is compared with the other providers' heads.
  std::chrono::milliseconds stalled_after{30'000};
};

}   // namespace agentauri::chain
