// The RPC providers of one chain as one: who is asked, how often, and who next. What the questions are is
// json_rpc_source.cpp's. Used on the executor of its client.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string_view>
#include <vector>

#include "chain/evm/json_rpc_settings.hpp"
#include "chain/evm/rpc_batch.hpp"
#include "chain/evm/rpc_provider.hpp"
#include "core/async/task.hpp"
#include "core/telemetry/log.hpp"
#include "core/telemetry/metrics.hpp"
#include "net/http_client.hpp"

namespace agentauri::chain {

class RpcPool {
 public:
  using Answers = std::vector<json::Value>;
  // Takes the results of a question apart and keeps them; Code::protocol when they make no sense.
  using Reader = std::function<Result<void>(Answers&)>;

  RpcPool(net::HttpClient& client, JsonRpcSettings settings, Metrics& metrics);

  // One question to whoever can answer it, or to `provider` alone. All its calls are answered by one provider, in one
  // batch as far as that one takes batches, and in the order given. `answered_by` is set on success.
  Task<Result<void>> ask(std::vector<RpcCall> calls, Reader read, std::optional<std::size_t> provider = std::nullopt,
                         std::size_t* answered_by = nullptr);

  std::size_t size() const { return providers_.size(); }
  const JsonRpcSettings& settings() const { return settings_; }
  RpcProvider& provider(std::size_t index) { return providers_[index]; }

 private:
  // What the rounds of one question have in common.
  struct Round {
    std::vector<char> counted;   // by provider: its failure counts once for a question, however often it is retried
    bool worth_a_retry = false;
    std::size_t answered_by = 0;
  };

  Task<Result<void>> ask_round(std::vector<std::size_t> indices, std::vector<RpcCall> calls, Reader read, Round& round);
  Task<Result<void>> ask_provider(std::size_t index, std::vector<RpcCall> calls, Reader read, bool& counted);
  Task<Result<void>> check_chain(std::size_t index, bool& counted);
  Task<Result<void>> exchange(RpcProvider& provider, std::vector<RpcCall> calls, Reader read,
                              std::chrono::milliseconds timeout);
  Task<Result<Answers>> post_in_batches(RpcProvider& provider, std::vector<RpcCall> calls,
                                        std::chrono::milliseconds timeout);
  Task<Result<Answers>> post(RpcProvider& provider, std::vector<RpcCall> calls, std::chrono::milliseconds timeout);
  Result<json::Value> body_of(RpcProvider& provider, const net::ClientResponse& response);
  void account(RpcProvider& provider, const Result<void>& outcome, bool& counted);
  void note_calls(const std::vector<RpcCall>& calls);
  std::vector<std::size_t> order() const;
  double random() { return std::uniform_real_distribution<double>(0, 1)(random_); }

  net::HttpClient& client_;
  JsonRpcSettings settings_;
  Metrics& metrics_;
  Log log_{"rpc"};
  std::vector<RpcProvider> providers_;   // never changes after construction
  std::map<std::string_view, Counter> calls_by_method_;
  std::mt19937_64 random_{std::random_device{}()};
};

}   // namespace agentauri::chain
