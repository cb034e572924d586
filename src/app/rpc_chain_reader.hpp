// The gateway's questions to chains, over JSON-RPC: pools of their own on the thread of the other roles, in every
// process that has the gateway role, whether it follows chains or not.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/settings.hpp"
#include "chain/evm/rpc_pool.hpp"
#include "core/async/task.hpp"
#include "core/telemetry/metrics.hpp"
#include "gateway/chain_reader.hpp"
#include "net/http_client.hpp"

namespace agentauri::app {

// Of the JSON of one answer: code has at most 24 KiB, on some chains 64.
inline constexpr std::size_t kMaxChainAnswer = 256 * 1024;
// Questions that wait for a node at the same moment; a further one fails with Code::busy.
inline constexpr int kMaxChainQuestions = 64;

class RpcChainReader final : public gateway::ChainReader {
 public:
  // `client` is unguarded and works on `executor`. Metrics carry the chain's label with `/gateway` behind it, as these
  // pools judge providers for themselves.
  RpcChainReader(Executor executor, net::HttpClient& client, const std::vector<ChainSetting>& chains, Metrics& metrics);
  ~RpcChainReader() override;

  bool serves(domain::ChainId chain) const override;
  std::optional<Address> identity_registry(domain::ChainId chain) const override;
  Task<Result<Bytes>> code_at(domain::ChainId chain, Address address, Deadline deadline) override;
  Task<Result<gateway::ChainAnswer>> call(domain::ChainId chain, gateway::ChainCall call, Deadline deadline) override;

  // No question waits beyond this moment, those under way included. From any thread.
  void stop_by(Deadline moment) { stop_by_ = moment; }

 private:
  struct Chain {
    std::optional<Address> identity;
    std::unique_ptr<chain::RpcPool> pool;
  };
  Task<Result<json::Value>> ask(domain::ChainId chain, chain::RpcCall call, Deadline deadline);
  Task<void> ask_here(chain::RpcPool& pool, chain::RpcCall call, Deadline deadline,
                      std::shared_ptr<Result<json::Value>> out);

  Executor executor_;
  std::map<domain::ChainId, Chain> chains_;   // the map itself never changes
  std::atomic<int> waiting_ = 0;
  std::atomic<Deadline> stop_by_{Deadline::max()};
};

}   // namespace agentauri::app
