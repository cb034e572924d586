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
#include <unordered_map>

namespace agentauri::net {
namespace {

constexpr std::size_t kMaxRemembered = 2048;   // answers, and slow names

using SteadyClock = std::chrono::steady_clock;

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
  // One name that is asked for, by all who wait for it. The signals live in the waiting coroutines and are reached only
  // under the mutex while they are listed here, so that a late answer touches neither a coroutine nor its event loop.
  struct Lookup {
    std::string host;
    bool slow = false;   // its name is a slow one
    std::vector<Signal*> waiting;
    std::optional<Answer> answer;
  };
  using LookupPtr = std::shared_ptr<Lookup>;
  struct Kept {
    Answer answer;
    SteadyClock::time_point until;
  };

  void work();
  // The rest under the mutex.
  LookupPtr take();
  void finish(Lookup& lookup, Answer answer, SteadyClock::duration took);
  const Answer* kept(const std::string& host);
  LookupPtr join(const std::string& host);
  void drop_abandoned();
  bool is_slow(const std::string& host);

  std::function<Answer(const std::string&)> look_up;
  std::size_t bound = 0;
  Times times;
  std::size_t slow_at_once = 1;
  std::mutex mutex;
  std::condition_variable wanted;
  std::deque<LookupPtr> queue;
  std::unordered_map<std::string, LookupPtr> in_flight;   // queued or running
  std::unordered_map<std::string, Kept> answers;
  std::unordered_map<std::string, SteadyClock::time_point> slow_names;   // until when
  std::size_t slow_running = 0;
  bool stopping = false;
  std::vector<std::thread> threads;
};

namespace {

// Makes room for one more: what is over first, else what would be over next.
template <class Map, class Until>
void make_room(Map& map, Until until) {
  if (map.size() < kMaxRemembered) return;
  const auto now = SteadyClock::now();
  std::erase_if(map, [&](const auto& entry) { return until(entry.second) <= now; });
  if (map.size() < kMaxRemembered) return;
  map.erase(std::min_element(map.begin(), map.end(),
                             [&](const auto& a, const auto& b) { return until(a.second) < until(b.second); }));
}

}   // namespace

bool Resolver::State::is_slow(const std::string& host) {
  const auto found = slow_names.find(host);
  if (found == slow_names.end()) return false;
  if (found->second > SteadyClock::now()) return true;
  slow_names.erase(found);
  return false;
}

const Resolver::Answer* Resolver::State::kept(const std::string& host) {
  const auto found = answers.find(host);
  if (found == answers.end()) return nullptr;
  if (found->second.until > SteadyClock::now()) return &found->second.answer;
  answers.erase(found);
  return nullptr;
}

// Behind a name server that is silent, those who gave up must not hold the places.
void Resolver::State::drop_abandoned() {
  std::erase_if(queue, [this](const LookupPtr& lookup) {
    if (!lookup->waiting.empty()) return false;
    in_flight.erase(lookup->host);
    return true;
  });
}

// The lookup of this name that is under way, or a new one; null when the queue is full.
Resolver::State::LookupPtr Resolver::State::join(const std::string& host) {
  if (const auto found = in_flight.find(host); found != in_flight.end()) return found->second;
  const bool slow = is_slow(host);
  const auto full = [this, slow] {
    const auto slow_ones = std::count_if(queue.begin(), queue.end(), [](const LookupPtr& l) { return l->slow; });
    return queue.size() >= bound ||
           (slow && static_cast<std::size_t>(slow_ones) >= std::max<std::size_t>(bound / 2, 1));
  };
  if (full()) drop_abandoned();
  if (full()) return nullptr;
  auto lookup = std::make_shared<Lookup>();
  lookup->host = host;
  lookup->slow = slow;
  queue.push_back(lookup);
  in_flight.emplace(host, lookup);
  wanted.notify_one();
  return lookup;
}

// The next that may run now; null when there is none.
Resolver::State::LookupPtr Resolver::State::take() {
  drop_abandoned();   // no need to ask
  const auto next = std::find_if(queue.begin(), queue.end(), [this](const LookupPtr& lookup) {
    return !lookup->slow || slow_running < slow_at_once;
  });
  if (next == queue.end()) return nullptr;
  LookupPtr lookup = std::move(*next);
  queue.erase(next);
  if (lookup->slow) ++slow_running;
  return lookup;
}

void Resolver::State::finish(Lookup& lookup, Answer answer, SteadyClock::duration took) {
  const auto now = SteadyClock::now();
  if (lookup.slow) {
    --slow_running;
    wanted.notify_one();   // a slow one that waits may have its turn
  }
  if (took > times.slow) {
    make_room(slow_names, [](auto until) { return until; });
    slow_names[lookup.host] = now + times.suspicion;
  } else {
    slow_names.erase(lookup.host);
  }
  const auto keep = answer ? times.answers : times.failures;
  if (keep.count() > 0) {
    make_room(answers, [](const Kept& entry) { return entry.until; });
    answers.insert_or_assign(lookup.host, Kept{answer, now + keep});
  }
  in_flight.erase(lookup.host);
  lookup.answer = std::move(answer);
  for (Signal* signal : lookup.waiting) signal->notify();
}

void Resolver::State::work() {
  pthread_setname_np(pthread_self(), "resolver");
  std::unique_lock lock(mutex);
  while (!stopping) {
    const LookupPtr lookup = take();
    if (!lookup) {
      wanted.wait(lock);
      continue;
    }
    lock.unlock();
    const auto begun = SteadyClock::now();
    auto answer = look_up(lookup->host);
    const auto took = SteadyClock::now() - begun;
    lock.lock();
    finish(*lookup, std::move(answer), took);
  }
}

// A coroutine's place among those who wait for a lookup. Made and destroyed under no lock.
class Resolver::Waiting {
 public:
  Waiting(State& state, Executor executor) : state_(state), signal_(std::move(executor)) {}
  ~Waiting() {
    const std::lock_guard lock(state_.mutex);
    if (lookup_) std::erase(lookup_->waiting, &signal_);
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

  // With the mutex held.
  void join(State::LookupPtr lookup) {
    lookup_ = std::move(lookup);
    lookup_->waiting.push_back(&signal_);
  }
  Task<bool> wait_for(std::chrono::milliseconds limit) { return signal_.wait_for(limit); }
  // Nothing yet: try again.
  Answer answer() const {
    const std::lock_guard lock(state_.mutex);
    return lookup_->answer.value_or(std::unexpected(Failure::try_again));
  }

 private:
  State& state_;
  Signal signal_;
  State::LookupPtr lookup_;
};

Resolver::Resolver(unsigned threads, std::size_t queue_bound, std::function<Answer(const std::string&)> look_up,
                   Times times)
    : state_(std::make_unique<State>()) {
  state_->look_up = look_up ? std::move(look_up) : ask_system;
  state_->bound = queue_bound;
  state_->times = times;
  state_->slow_at_once = std::max<std::size_t>(threads / 2, 1);
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
  Waiting waiting(*state_, co_await this_executor());
  {
    const std::lock_guard lock(state_->mutex);
    if (const Answer* known = state_->kept(host)) co_return *known;
    auto lookup = state_->join(host);
    if (!lookup) co_return std::unexpected(Failure::try_again);
    waiting.join(std::move(lookup));
  }
  co_await waiting.wait_for(limit);
  co_return waiting.answer();
}

// Never destroyed, both of them: a name server that does not answer must not hold up the end of the process.
Resolver& resolver_for_users() {
  static Resolver& resolver = *new Resolver();
  return resolver;
}
Resolver& resolver_for_operator() {
  static Resolver& resolver = *new Resolver(2);
  return resolver;
}

}   // namespace agentauri::net
