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

// Who waits for an answer. The signal lives in the waiting coroutine and is only reached under the mutex, so that an
// answer that comes too late touches neither the coroutine nor its event loop.
struct Waiter {
  std::mutex mutex;
  Signal* signal = nullptr;   // null: nobody waits any more
  std::optional<Resolver::Answer> answer;

  bool gave_up() {
    const std::lock_guard lock(mutex);
    return signal == nullptr;
  }
};

struct Waiting {
  explicit Waiting(Executor executor) : signal(std::move(executor)), waiter(std::make_shared<Waiter>()) {
    waiter->signal = &signal;
  }
  ~Waiting() {
    const std::lock_guard lock(waiter->mutex);
    waiter->signal = nullptr;
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

  Signal signal;
  std::shared_ptr<Waiter> waiter;
};

Resolver::Answer ask_system(const std::string& host) {
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

}   // namespace

struct Resolver::State {
  struct Job {
    std::string host;
    std::shared_ptr<Waiter> waiter;
  };

  void work();

  std::function<Answer(const std::string&)> look_up;
  std::size_t bound = 0;
  std::mutex mutex;
  std::condition_variable wanted;
  std::deque<Job> queue;
  bool stopping = false;
  std::vector<std::thread> threads;
};

void Resolver::State::work() {
  pthread_setname_np(pthread_self(), "resolver");
  for (;;) {
    std::unique_lock lock(mutex);
    wanted.wait(lock, [this] { return stopping || !queue.empty(); });
    if (stopping) return;
    const Job job = std::move(queue.front());
    queue.pop_front();
    lock.unlock();
    if (job.waiter->gave_up()) continue;   // no need to ask
    auto answer = look_up(job.host);
    const std::lock_guard guard(job.waiter->mutex);
    job.waiter->answer = std::move(answer);
    if (job.waiter->signal != nullptr) job.waiter->signal->notify();
  }
}

Resolver::Resolver(unsigned threads, std::size_t queue_bound, std::function<Answer(const std::string&)> look_up)
    : state_(std::make_unique<State>()) {
  state_->look_up = look_up ? std::move(look_up) : ask_system;
  state_->bound = queue_bound;
  for (unsigned i = 0; i < threads; ++i) state_->threads.emplace_back([state = state_.get()] { state->work(); });
}

Resolver::~Resolver() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    state_->wanted.notify_all();
  }
  for (auto& thread : state_->threads) thread.join();
}

Task<Resolver::Answer> Resolver::resolve(std::string host, std::chrono::milliseconds limit) {
  if (const auto literal = parse_ip(host)) co_return std::vector<IpAddress>{*literal};
  Waiting waiting(co_await this_executor());
  {
    const std::lock_guard lock(state_->mutex);
    // Behind a name server that is silent, those who gave up must not hold the places.
    if (state_->queue.size() >= state_->bound)
      std::erase_if(state_->queue, [](const State::Job& job) { return job.waiter->gave_up(); });
    if (state_->queue.size() >= state_->bound) co_return std::unexpected(Failure::try_again);
    state_->queue.push_back({std::move(host), waiting.waiter});
    state_->wanted.notify_one();
  }
  co_await waiting.signal.wait_for(limit);
  const std::lock_guard lock(waiting.waiter->mutex);
  if (!waiting.waiter->answer) co_return std::unexpected(Failure::try_again);
  co_return std::move(*waiting.waiter->answer);
}

Resolver& shared_resolver() {
  // Never destroyed: a name server that does not answer must not hold up the end of the process.
  static Resolver& resolver = *new Resolver();
  return resolver;
}

}   // namespace agentauri::net
