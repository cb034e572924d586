// Name resolution on a bounded pool of threads of its own: getaddrinfo blocks and cannot be cancelled.
#pragma once

#include <chrono>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "core/async/task.hpp"
#include "net/address_guard.hpp"

namespace agentauri::net {

class Resolver {
 public:
  enum class Failure : std::uint8_t { no_such_host, try_again };

  explicit Resolver(unsigned threads = 4, std::size_t queue_bound = 256);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Literal addresses are answered at once. try_again also when the queue is full or the limit passed.
  Task<std::expected<std::vector<IpAddress>, Failure>> resolve(std::string host, std::chrono::milliseconds limit);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace agentauri::net
