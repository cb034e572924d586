// One RPC provider as a JsonRpcSource sees it: where it is, how it is doing, and what may be said of it. Its URL is a
// secret (keys stand in paths and queries): logs, errors and labels show the host alone.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chain/evm/provider_standing.hpp"
#include "chain/evm/rpc_batch.hpp"
#include "core/telemetry/metrics.hpp"
#include "net/http_client.hpp"

namespace agentauri::chain {

// Requests per second that services allow (pipeline.md 4.10), by a part of the host's name.
struct ProviderRate {
  std::string host_part;
  int requests_per_second = 0;   // 0: no limit
};
std::vector<ProviderRate> default_provider_rates();
// The first row that fits, else `otherwise`. A node on this machine is not limited.
int rate_of(const std::string& host, const std::vector<ProviderRate>& rates, int otherwise);

struct RpcProvider {
  RpcProvider(net::Url url, const std::string& chain_name, ProviderStanding::Settings settings, Metrics& metrics);

  // `text` with every part of the URL's path and query that may be a key replaced, and bounded.
  std::string scrub(std::string_view text) const;
  void took(std::chrono::duration<double, std::milli> time);
  void show_breaker() const { breaker.set(standing.state_number()); }

  net::Url url;
  std::string label;   // host and port
  ProviderStanding standing;
  BatchSize batch;
  bool chain_checked = false;   // it serves the chain that it should; asked again after each failure
  bool probing = false;         // somebody is finding out whether it is back
  Counter errors;
  Gauge latency, breaker;

 private:
  std::vector<std::string> secrets_;
};

// How long a provider wants to be left alone: Retry-After in seconds, or X-RateLimit-Reset when X-RateLimit-Remaining
// is 0 (above 1,000,000,000 epoch seconds, else seconds from now). At most ten minutes.
std::optional<std::chrono::seconds> wanted_pause(const net::Headers& headers, std::chrono::seconds epoch_now);

}   // namespace agentauri::chain
