// Chains that say what a test wants.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <set>

#include "gateway/chain_reader.hpp"

namespace agentauri::gateway::testing {

// Set up before the gateway is asked; counts may be read at any time.
class FakeChains final : public ChainReader {
 public:
  struct Chain {
    std::optional<Address> registry;
    std::map<Address, Bytes> code;
  };
  std::map<domain::ChainId, Chain> chains;
  // Of eth_call; unset: an empty answer.
  std::function<Result<ChainAnswer>(domain::ChainId, const ChainCall&)> answers;
  std::atomic<bool> down = false;
  std::atomic<int> asked = 0;

  bool serves(domain::ChainId chain) const override { return chains.contains(chain); }
  std::optional<Address> identity_registry(domain::ChainId chain) const override {
    const auto found = chains.find(chain);
    return found == chains.end() ? std::nullopt : found->second.registry;
  }
  Task<Result<Bytes>> code_at(domain::ChainId chain, Address address, Deadline) override {
    ++asked;
    if (down) co_return fail(Code::unavailable, "the node is away");
    const auto& code = chains.at(chain).code;
    const auto found = code.find(address);
    co_return found == code.end() ? Bytes() : found->second;
  }
  Task<Result<ChainAnswer>> call(domain::ChainId chain, ChainCall call, Deadline) override {
    ++asked;
    if (down) co_return fail(Code::unavailable, "the node is away");
    co_return answers ? answers(chain, call) : ChainAnswer();
  }
};

}   // namespace agentauri::gateway::testing
