#include "app/rpc_chain_reader.hpp"

#include <algorithm>

#include "app/chain_roles.hpp"
#include "chain/evm/eth_call.hpp"

namespace agentauri::app {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Of one request to one provider, so that another one has its turn within the time of a whole verification.
constexpr std::chrono::milliseconds kRequestTime{8'000};
constexpr unsigned kRetries = 1;
// How soon a question under way notices that the program stops.
constexpr std::chrono::milliseconds kLook{100};

}   // namespace

RpcChainReader::RpcChainReader(Executor executor, net::HttpClient& client, const std::vector<ChainSetting>& chains,
                               Metrics& metrics)
    : executor_(std::move(executor)) {
  for (const auto& setting : chains) {
    chain::JsonRpcSettings rpc;
    rpc.chain_id = setting.id;
    rpc.chain_name = chain_key(setting.id) + "/gateway";
    rpc.urls = setting.rpc_urls;
    rpc.timeout = kRequestTime;
    rpc.max_answer_bytes = kMaxChainAnswer;
    rpc.retries = kRetries;
    Chain& entry = chains_[setting.id];
    entry.identity = contracts_of(setting).identity;
    if (entry.identity && entry.identity->is_zero()) entry.identity.reset();
    entry.pool = std::make_unique<chain::RpcPool>(client, std::move(rpc), metrics);
  }
}
RpcChainReader::~RpcChainReader() = default;

bool RpcChainReader::serves(domain::ChainId chain) const {
  return chains_.contains(chain);
}
std::optional<Address> RpcChainReader::identity_registry(domain::ChainId chain) const {
  const auto found = chains_.find(chain);
  return found == chains_.end() ? std::nullopt : found->second.identity;
}

Task<void> RpcChainReader::ask_here(chain::RpcPool& pool, chain::RpcCall call, Deadline deadline,
                                    std::shared_ptr<Result<json::Value>> out) {
  TaskGroup asking(executor_);
  asking.spawn("chain question", [&pool, call = std::move(call), out]() -> Task<void> {
    std::vector<chain::RpcCall> calls;
    calls.push_back(call);
    json::Value answer;
    auto asked = co_await pool.ask(std::move(calls), [&answer](chain::RpcPool::Answers& answers) -> Result<void> {
      answer = std::move(answers.front());
      return {};
    });
    if (asked)
      *out = std::move(answer);
    else
      *out = fail(asked);
  });
  for (;;) {
    const auto left = std::min(deadline, stop_by_.load()) - SteadyClock::now();
    if (left <= SteadyClock::duration::zero()) break;
    const auto wait = std::min<std::chrono::microseconds>(kLook, std::chrono::ceil<std::chrono::microseconds>(left));
    if (co_await asking.wait_for(wait)) co_return;
  }
  co_await asking.cancel_and_wait();
  *out = fail(Code::timed_out, "no answer within the time of this request");
}

Task<Result<json::Value>> RpcChainReader::ask(domain::ChainId chain, chain::RpcCall call, Deadline deadline) {
  const auto found = chains_.find(chain);
  if (found == chains_.end()) co_return fail(Code::unsupported, "the chain is not configured");
  if (++waiting_ > kMaxChainQuestions) {
    --waiting_;
    co_return fail(Code::busy, "too many questions to chains at this moment");
  }
  auto out = std::make_shared<Result<json::Value>>(fail(Code::cancelled, "stopping"));
  co_await run_on(executor_,
                  [this, &pool = *found->second.pool, call = std::move(call), deadline, out]() -> Task<void> {
                    co_await ask_here(pool, call, deadline, out);
                  });
  --waiting_;
  co_return std::move(*out);
}

Task<Result<Bytes>> RpcChainReader::code_at(domain::ChainId chain, Address address, Deadline deadline) {
  auto answer = co_await ask(chain, chain::eth_get_code(address), deadline);
  if (!answer) co_return fail(answer);
  co_return chain::parse_code(*answer);
}

Task<Result<gateway::ChainAnswer>> RpcChainReader::call(domain::ChainId chain, gateway::ChainCall call,
                                                        Deadline deadline) {
  auto answer = co_await ask(chain, chain::eth_call(call.to, call.data), deadline);
  if (!answer) co_return fail(answer);
  auto result = chain::parse_call_result(*answer);
  if (!result) co_return fail(result);
  co_return gateway::ChainAnswer{result->reverted, std::move(result->data)};
}

}   // namespace agentauri::app
