// Name resolution on a bounded pool of threads of its own: getaddrinfo blocks and cannot be cancelled. Lookups of the
// same name are merged, answers kept for a short time, and names that were slow get no more than half of the threads:
// whoever owns a dead name server must not hold up the others.
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

struct ResolverTimes {
  std::chrono::milliseconds answers{30'000};      // for so long an answer is given again
  std::chrono::milliseconds failures{5'000};      // the same for a failure
  std::chrono::milliseconds slow{1'500};          // a lookup that takes longer makes its name a slow one
  std::chrono::milliseconds suspicion{600'000};   // for so long, or until it was quick once
};

class Resolver {
 public:
  enum class Failure : std::uint8_t { no_such_host, try_again };
  using Answer = std::expected<std::vector<IpAddress>, Failure>;

  using Times = ResolverTimes;

  // `look_up` runs on the threads and may block; by default the system's resolver. `queue_bound` counts names that wait
  // for a thread, of which slow ones may be half.
  explicit Resolver(unsigned threads = 8, std::size_t queue_bound = 256,
                    std::function<Answer(const std::string&)> look_up = {}, Times times = {});
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Literal addresses are answered at once. try_again also when the queue is full, the limit passed or the caller was
  // cancelled. The resolver must outlive the call; the caller's event loop need not outlive a late answer.
  Task<Answer> resolve(std::string host, std::chrono::milliseconds limit);

 private:
  struct State;
  class Waiting;
  std::unique_ptr<State> state_;
};

// The two of this process. Names that users give are never asked for where the operator's are, so that whatever the
// former do, RPC endpoints can be found.
Resolver& resolver_for_users();
Resolver& resolver_for_operator();

}   // namespace agentauri::net
