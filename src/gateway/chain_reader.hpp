// What the gateway asks a chain: whose signature a contract accepts, and who owns an agent. The gateway does not know
// how chains are reached: src/app implements this over the RPC pools, in every process that has the gateway role.
#pragma once

#include <chrono>
#include <optional>

#include "core/async/task.hpp"
#include "core/base/bytes.hpp"
#include "core/base/result.hpp"
#include "domain/ids.hpp"

namespace agentauri::gateway {

// A call that changes nothing, on the state of the newest block.
struct ChainCall {
  std::optional<Address> to;   // nullopt: `data` is a program, run as creation code
  Bytes data;
};
struct ChainAnswer {
  bool reverted = false;   // the program failed: `data` is the reason that it gave, or empty
  Bytes data;
};

// Used from any thread. Every method ends at the deadline at the latest, and never throws. An error is a trouble of the
// node or of the way to it (or Code::unsupported: no such chain), and says nothing about the contract.
class ChainReader {
 public:
  using Deadline = std::chrono::steady_clock::time_point;

  virtual ~ChainReader() = default;
  virtual bool serves(domain::ChainId chain) const = 0;
  // nullopt: no such chain, or no identity registry on it.
  virtual std::optional<Address> identity_registry(domain::ChainId chain) const = 0;
  // Empty: nobody deployed anything there.
  virtual Task<Result<Bytes>> code_at(domain::ChainId chain, Address address, Deadline deadline) = 0;
  virtual Task<Result<ChainAnswer>> call(domain::ChainId chain, ChainCall call, Deadline deadline) = 0;
};

}   // namespace agentauri::gateway
