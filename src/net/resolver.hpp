// Name resolution on a bounded pool of threads of its own: getaddrinfo blocks and cannot be cancelled.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/async/task.hpp"
#include "net/address_guard.hpp"

namespace agentauri::net {

class Resolver {
 public:
  enum class Failure : std::uint8_t { no_such_host, try_again };
  using Answer = std::expected<std::vector<IpAddress>, Failure>;

  // `look_up` runs on the threads and may block; by default the system's resolver.
  explicit Resolver(unsigned threads = 4, std::size_t queue_bound = 256,
                    std::function<Answer(const std::string&)> look_up = {});
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Literal addresses are answered at once. try_again also when the queue is full, the limit passed or the caller was
  // cancelled. The resolver must outlive the call; the caller's event loop need not outlive a late answer.
  Task<Answer> resolve(std::string host, std::chrono::milliseconds limit);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The one of this process.
Resolver& shared_resolver();

}   // namespace agentauri::net
