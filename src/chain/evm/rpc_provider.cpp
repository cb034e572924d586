#include "chain/evm/rpc_provider.hpp"

#include <algorithm>
#include <charconv>

#include "net/address_guard.hpp"

namespace agentauri::chain {
namespace {

constexpr std::size_t kShortestSecret = 6;   // shorter parts are words like `v3` and `rpc`
constexpr std::size_t kMaxText = 400;
constexpr std::int64_t kEpochFrom = 1'000'000'000;
constexpr std::chrono::seconds kLongestPause{600};
constexpr double kLatencyWeight = 0.1;   // of the newest sample

bool is_local(const std::string& host) {
  if (host == "localhost") return true;
  const auto ip = net::parse_ip(host);
  return ip && (ip->v6 ? net::to_string(*ip) == "::1" : ip->bytes[0] == 127);
}

std::optional<std::int64_t> number_of(const net::Headers& headers, std::string_view name) {
  const auto* text = headers.find(name);
  if (text == nullptr) return std::nullopt;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc{} || end != text->data() + text->size() || number < 0) return std::nullopt;
  return number;
}

}   // namespace

std::vector<ProviderRate> default_provider_rates() {
  return {{"alchemy.com", 25}, {"infura.io", 20},     {"quiknode.pro", 25}, {"quicknode", 25},
          {"ankr.com", 30},    {"publicnode.com", 5}, {"llamarpc.com", 5},  {"llamanodes", 5}};
}

int rate_of(const std::string& host, const std::vector<ProviderRate>& rates, int otherwise) {
  if (is_local(host)) return 0;
  for (const auto& rate : rates) {
    if (host.find(rate.host_part) != std::string::npos) return rate.requests_per_second;
  }
  return otherwise;
}

RpcProvider::RpcProvider(net::Url where, const std::string& chain_name, ProviderStanding::Settings settings,
                         Metrics& metrics)
    : url(std::move(where)),
      label(url.authority()),
      standing(settings),
      errors(metrics.counter("ponder_rpc_errors_total", "Failed RPC requests",
                             {{"chain", chain_name}, {"provider", label}})),
      latency(metrics.gauge("ponder_rpc_latency_ms", "Latency of RPC requests, smoothed",
                            {{"chain", chain_name}, {"provider", label}})),
      breaker(metrics.gauge("ponder_circuit_breaker_state", "0 closed, 1 half-open, 2 open",
                            {{"chain", chain_name}, {"provider", label}})) {
  std::string part;
  for (const char c : url.target + "/") {
    if (std::string_view("/?&=").find(c) == std::string_view::npos) {
      part += c;
      continue;
    }
    if (part.size() >= kShortestSecret) secrets_.push_back(part);
    part.clear();
  }
}

std::string RpcProvider::scrub(std::string_view text) const {
  std::string out(text.substr(0, kMaxText));
  for (const auto& secret : secrets_) {
    for (auto at = out.find(secret); at != std::string::npos; at = out.find(secret, at)) {
      out.replace(at, secret.size(), "***");
    }
  }
  return out;
}

void RpcProvider::took(std::chrono::duration<double, std::milli> time) {
  const double known = latency.value();
  latency.set(known == 0 ? time.count() : known * (1 - kLatencyWeight) + time.count() * kLatencyWeight);
}

std::optional<std::chrono::seconds> wanted_pause(const net::Headers& headers, std::chrono::seconds epoch_now) {
  auto seconds = number_of(headers, "Retry-After");
  if (!seconds && number_of(headers, "X-RateLimit-Remaining") == 0) {
    seconds = number_of(headers, "X-RateLimit-Reset");
    if (seconds && *seconds > kEpochFrom) seconds = std::max<std::int64_t>(*seconds - epoch_now.count(), 0);
  }
  if (!seconds) return std::nullopt;
  return std::min(std::chrono::seconds(*seconds), kLongestPause);
}

}   // namespace agentauri::chain
