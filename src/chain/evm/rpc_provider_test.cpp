#include "chain/evm/rpc_provider.hpp"

#include <gtest/gtest.h>

namespace agentauri::chain {
namespace {

using namespace std::chrono_literals;

RpcProvider provider_at(const std::string& url, Metrics& metrics) {
  return RpcProvider(*net::parse_url(url), "ethereumMainnet", {}, metrics);
}

TEST(RpcProvider, ShowsItsHostAndNeverItsKey) {
  Metrics metrics;
  const auto provider = provider_at("https://eth-mainnet.g.alchemy.com/v2/SeCrEtKey123?token=another-secret", metrics);
  EXPECT_EQ(provider.label, "eth-mainnet.g.alchemy.com");
  EXPECT_EQ(provider.scrub("no access for SeCrEtKey123 (SeCrEtKey123), token another-secret, path /v2/SeCrEtKey123"),
            "no access for *** (***), token ***, path /v2/***");
  EXPECT_EQ(provider.scrub("v2 is not a secret"), "v2 is not a secret");
  EXPECT_LE(provider.scrub(std::string(10'000, 'x')).size(), 400U);
  const std::string exposed = metrics.expose();
  EXPECT_NE(exposed.find("provider=\"eth-mainnet.g.alchemy.com\""), std::string::npos);
  EXPECT_EQ(exposed.find("SeCrEtKey123"), std::string::npos);
}

TEST(RpcProvider, LatencyIsSmoothed) {
  Metrics metrics;
  auto provider = provider_at("http://127.0.0.1:8545", metrics);
  EXPECT_EQ(provider.label, "127.0.0.1:8545");
  provider.took(100ms);
  EXPECT_DOUBLE_EQ(provider.latency.value(), 100);
  provider.took(200ms);
  EXPECT_DOUBLE_EQ(provider.latency.value(), 110);
}

TEST(ProviderRates, KnownServicesHaveTheirOwnAndLocalNodesNone) {
  const auto rates = default_provider_rates();
  EXPECT_EQ(rate_of("eth-mainnet.g.alchemy.com", rates, 50), 25);
  EXPECT_EQ(rate_of("mainnet.infura.io", rates, 50), 20);
  EXPECT_EQ(rate_of("words.base-mainnet.quiknode.pro", rates, 50), 25);
  EXPECT_EQ(rate_of("rpc.ankr.com", rates, 50), 30);
  EXPECT_EQ(rate_of("ethereum-rpc.publicnode.com", rates, 50), 5);
  EXPECT_EQ(rate_of("eth.llamarpc.com", rates, 50), 5);
  EXPECT_EQ(rate_of("node.example", rates, 50), 50);
  for (const char* host : {"localhost", "127.0.0.1", "127.9.9.9", "::1"})
    EXPECT_EQ(rate_of(host, rates, 50), 0) << host;
}

TEST(WantedPause, UnderstandsBothKindsOfHeaders) {
  const auto pause = [](std::initializer_list<std::pair<const char*, const char*>> fields) {
    net::Headers headers;
    for (const auto& [name, value] : fields) headers.add(name, value);
    return wanted_pause(headers, 1'700'000'000s);
  };
  EXPECT_EQ(pause({}), std::nullopt);
  EXPECT_EQ(pause({{"Retry-After", "7"}}), 7s);
  EXPECT_EQ(pause({{"retry-after", "100000"}}), 600s);
  for (const char* bad : {"", "soon", "-1", "7s", "Wed, 21 Oct 2026 07:28:00 GMT", "99999999999999999999"}) {
    EXPECT_EQ(pause({{"Retry-After", bad}}), std::nullopt) << bad;
  }
  EXPECT_EQ(pause({{"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", "30"}}), 30s);
  EXPECT_EQ(pause({{"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", "1700000042"}}), 42s);
  EXPECT_EQ(pause({{"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", "1600000000"}}), 0s);
  EXPECT_EQ(pause({{"X-RateLimit-Remaining", "1"}, {"X-RateLimit-Reset", "30"}}), std::nullopt);
}

}   // namespace
}   // namespace agentauri::chain
