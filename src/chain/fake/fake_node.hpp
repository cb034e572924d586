// A FakeChain behind JSON-RPC over HTTP, on loopback: what the demo follows, and what tests of the whole program meet.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "chain/fake/fake_chain.hpp"
#include "core/async/task.hpp"
#include "core/base/result.hpp"

namespace agentauri::chain {

class FakeNode {
 public:
  // `max_range`: larger eth_getLogs are refused; 0: no limit. `latency`: of every answer.
  FakeNode(Executor executor, FakeChain& chain, std::uint64_t max_range = 0, std::chrono::milliseconds latency = {});
  ~FakeNode();
  Result<void> start();
  Task<void> stop();
  std::string url() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace agentauri::chain
