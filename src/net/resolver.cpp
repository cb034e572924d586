#include "net/resolver.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

namespace agentauri::net {
namespace {

using Answer = std::expected<std::vector<IpAddress>, Resolver::Failure>;

Answer look_up(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  const int code = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (code != 0) {
    const bool unknown = code == EAI_NONAME || code == EAI_NODATA;
    return std::unexpected(unknown ? Resolver::Failure::no_such_host : Resolver::Failure::try_again);
  }
  std::vector<IpAddress> out;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    IpAddress address;
    if (entry->ai_family == AF_INET) {
      std::memcpy(address.bytes.data(), &reinterpret_cast<const sockaddr_in*>(entry->ai_addr)->sin_addr, 4);
    } else if (entry->ai_family == AF_INET6) {
      std::memcpy(address.bytes.data(), &reinterpret_cast<const sockaddr_in6*>(entry->ai_addr)->sin6_addr, 16);
      address.v6 = true;
    } else {
      continue;
    }
    if (std::find(out.begin(), out.end(), address) == out.end()) out.push_back(address);
  }
  ::freeaddrinfo(found);
  if (out.empty()) return std::unexpected(Resolver::Failure::no_such_host);
  return out;
}

struct Waiter {
  explicit Waiter(Executor executor) : answered(std::move(executor)) {}
  Signal answered;
  std::mutex mutex;
  std::optional<Answer> answer;
};

}  // namespace

struct Resolver::State {
  std::mutex mutex;
  std::condition_variable wanted;
  std::deque<std::pair<std::string, std::shared_ptr<Waiter>>> queue;
  std::size_t bound = 0;
  bool stopping = false;
  std::vector<std::thread> threads;
};

Resolver::Resolver(unsigned threads, std::size_t queue_bound) : state_(std::make_shared<State>()) {
  state_->bound = queue_bound;
  for (unsigned i = 0; i < threads; ++i) {
    state_->threads.emplace_back([state = state_.get()] {
      pthread_setname_np(pthread_self(), "resolver");
      for (;;) {
        std::unique_lock lock(state->mutex);
        state->wanted.wait(lock, [state] { return state->stopping || !state->queue.empty(); });
        if (state->stopping) return;
        auto [host, waiter] = std::move(state->queue.front());
        state->queue.pop_front();
        lock.unlock();
        auto answer = look_up(host);
        {
          const std::lock_guard guard(waiter->mutex);
          waiter->answer = std::move(answer);
        }
        waiter->answered.notify();
      }
    });
  }
}

Resolver::~Resolver() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    state_->wanted.notify_all();
  }
  for (auto& thread : state_->threads) thread.join();
}

Task<std::expected<std::vector<IpAddress>, Resolver::Failure>> Resolver::resolve(std::string host, std::chrono::milliseconds limit) {
  if (const auto literal = parse_ip(host)) co_return std::vector<IpAddress>{*literal};
  auto waiter = std::make_shared<Waiter>(co_await this_executor());
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->queue.size() >= state_->bound) co_return std::unexpected(Failure::try_again);
    state_->queue.emplace_back(std::move(host), waiter);
    state_->wanted.notify_one();
  }
  co_await waiter->answered.wait_for(limit);
  const std::lock_guard lock(waiter->mutex);
  if (!waiter->answer) co_return std::unexpected(Failure::try_again);
  co_return std::move(*waiter->answer);
}

}  // namespace agentauri::net
