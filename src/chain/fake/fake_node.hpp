// A FakeChain behind JSON-RPC over HTTP, on loopback: what the demo follows, and what tests of the whole program meet.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "chain/fake/fake_chain.hpp"
#include "core/async/task.hpp"
#include "core/base/result.hpp"

namespace agentauri::chain {

// What the node does wrong. Asked on the node's executor.
struct NodeFaults {
  std::optional<domain::ChainId> wrong_chain;   // what it says it serves
  bool receipts = true;                         // whether eth_getBlockReceipts is offered
  bool empty_blooms = false;
  std::function<bool(std::string_view method)> fails;   // true: answered with an internal error
  std::function<bool(const Hash32& block)> omits;       // true: eth_getLogs leaves the block's logs out
};

class FakeNode {
 public:
  // `max_range`: larger eth_getLogs are refused; 0: no limit. `latency`: of every answer.
  FakeNode(Executor executor, FakeChain& chain, std::uint64_t max_range = 0, std::chrono::milliseconds latency = {});
  ~FakeNode();
  // Before start().
  void set_faults(NodeFaults faults);
  Result<void> start();
  Task<void> stop();
  std::string url() const;
  // Answered calls, each member of a batch for itself. Safe from any thread.
  std::uint64_t calls() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Mines a block every `interval` until it is cancelled, stamped with the time of day; `traffic` is called before each
// and adds what the block shall hold.
Task<void> mine_every(FakeChain& chain, std::chrono::microseconds interval, std::function<void()> traffic);

}   // namespace agentauri::chain
