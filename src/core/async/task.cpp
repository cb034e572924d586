#include "core/async/task.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <pthread.h>

#include <atomic>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include "core/telemetry/log.hpp"

namespace agentauri {
namespace asio = boost::asio;
namespace {

// A timer is also the way to wait for something without a file descriptor: whoever notifies cancels it.
constexpr auto kForever = std::chrono::hours{24 * 365 * 10};
constexpr auto kCancelAgain = std::chrono::milliseconds{50};

asio::steady_timer::duration bounded(std::chrono::microseconds wait) {
  return std::chrono::duration_cast<asio::steady_timer::duration>(std::min<std::chrono::microseconds>(wait, kForever));
}

void report(std::string_view name, const std::exception_ptr& error) {
  if (!error) return;
  static const Log log("task");
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    log.error("a task ended with an exception", {{"task", name}, {"what", e.what()}});
  } catch (...) {
    log.error("a task ended with an exception of unknown type", {{"task", name}});
  }
}

// A cancellation is an ordinary result here, never an exception: what is left to do (waiting for children, writing a
// last result) must still be possible. It stays visible in cancelled(), and every later wait of ours ends at once.
std::function<Task<void>()> rooted(std::function<Task<void>()> body) {
  return [body = std::move(body)]() -> Task<void> {
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await body();
  };
}

// Where others find the timer of a wait while it lasts.
class Enlisted {
 public:
  Enlisted(asio::steady_timer*& place, asio::steady_timer& timer) : place_(place) { place_ = &timer; }
  ~Enlisted() { place_ = nullptr; }
  Enlisted(const Enlisted&) = delete;
  Enlisted& operator=(const Enlisted&) = delete;

 private:
  asio::steady_timer*& place_;
};

}   // namespace

Task<bool> cancelled() {
  const auto state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() != asio::cancellation_type::none;
}

Task<Executor> this_executor() {
  co_return co_await asio::this_coro::executor;
}

Task<bool> sleep_for(std::chrono::microseconds wait) {
  if (co_await cancelled()) co_return false;
  asio::steady_timer timer(co_await asio::this_coro::executor, bounded(wait));
  boost::system::error_code error;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
  co_return !error;
}

Task<void> run_on(Executor executor, std::function<Task<void>()> body) {
  // An empty slot: nothing of the caller's cancellation is handed over.
  co_await asio::co_spawn(executor, rooted(std::move(body)),
                          asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable));
}

// --- TaskGroup -------------------------------------------------------------------------------------------------------

struct TaskGroup::State {
  explicit State(Executor ex) : executor(std::move(ex)), emptied(executor) { emptied.expires_after(kForever); }

  struct Child {
    std::string name;
    asio::cancellation_signal cancel;
  };

  Executor executor;
  std::list<Child> children;
  asio::steady_timer emptied;   // cancelled whenever a child ends
};

TaskGroup::TaskGroup(Executor executor) : state_(std::make_shared<State>(std::move(executor))) {}

TaskGroup::~TaskGroup() {
  ENSURE(state_->children.empty(), "a TaskGroup was destroyed before its children ended");
}

void TaskGroup::spawn(std::string name, std::function<Task<void>()> body) {
  auto& state = state_;
  state->children.emplace_back();
  const auto child = std::prev(state->children.end());
  child->name = std::move(name);
  auto ended = [state, child](const std::exception_ptr& error) {
    report(child->name, error);
    // The cancellation slot must not die inside its own emission, so the child is dropped from the loop.
    asio::post(state->executor, [state, child] {
      state->children.erase(child);
      state->emptied.cancel();
    });
  };
  try {
    asio::co_spawn(state->executor, rooted(std::move(body)),
                   asio::bind_cancellation_slot(child->cancel.slot(), std::move(ended)));
  } catch (...) {   // out of memory: nobody will report the end of a child that never began
    state->children.erase(child);
    throw;
  }
}

void TaskGroup::cancel() {
  std::vector<asio::cancellation_signal*> signals;
  for (auto& child : state_->children) signals.push_back(&child.cancel);
  for (auto* signal : signals) signal->emit(asio::cancellation_type::all);
}

Task<void> TaskGroup::cancel_and_wait() {
  do {
    cancel();
  } while (!co_await wait_for(kCancelAgain));
}

std::size_t TaskGroup::size() const {
  return state_->children.size();
}

Task<void> TaskGroup::wait() {
  const auto state = state_;
  while (!state->children.empty()) {
    boost::system::error_code ignored;
    co_await state->emptied.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

Task<bool> TaskGroup::wait_for(std::chrono::microseconds limit) {
  const auto state = state_;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!state->children.empty() && std::chrono::steady_clock::now() < deadline) {
    boost::system::error_code ignored;
    state->emptied.expires_at(deadline);
    co_await state->emptied.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  state->emptied.expires_after(kForever);
  co_return state->children.empty();
}

// --- Signal ----------------------------------------------------------------------------------------------------------

// Others may hold this longer than the event loop lives, so nothing of the loop is in it but its handle: the timer
// stays in the waiter's frame.
struct Signal::State {
  explicit State(Executor ex) : executor(std::move(ex)) {}
  Executor executor;
  std::atomic<bool> notified{false};
  std::atomic<bool> scheduled{false};     // a wake-up is on its way: further hints collapse into it
  asio::steady_timer* waiter = nullptr;   // touched on the executor only
};

Signal::Signal(Executor executor) : state_(std::make_shared<State>(std::move(executor))) {}
Signal::~Signal() = default;

void Signal::notify() {
  state_->notified = true;
  if (state_->scheduled.exchange(true)) return;
  asio::post(state_->executor, [state = state_] {
    state->scheduled = false;
    if (state->waiter != nullptr) state->waiter->cancel();
  });
}

Task<bool> Signal::wait_for(std::chrono::microseconds limit) {
  const auto state = state_;
  asio::steady_timer timer(state->executor, bounded(limit));
  const Enlisted enlisted(state->waiter, timer);
  if (state->notified.exchange(false)) co_return true;
  if (co_await cancelled()) co_return false;
  do {
    boost::system::error_code ignored;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    if (state->notified.exchange(false)) co_return true;
    // The wake-up of a hint that was taken before may come late, and is none.
  } while (timer.expiry() > std::chrono::steady_clock::now() && !co_await cancelled());
  co_return false;
}

// --- threads ---------------------------------------------------------------------------------------------------------

struct IoThread::State {
  State() : work(asio::make_work_guard(context)) {}
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work;
  std::thread thread;
};

IoThread::IoThread(std::string name) : state_(std::make_unique<State>()) {
  state_->thread = std::thread([&context = state_->context, name = std::move(name)] {
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    context.run();
  });
}

IoThread::~IoThread() {
  stop();
}

Executor IoThread::executor() const {
  return state_->context.get_executor();
}

void IoThread::stop() {
  if (!state_->thread.joinable()) return;
  state_->work.reset();
  state_->context.stop();
  state_->thread.join();
}

void run_blocking(std::function<Task<void>()> body) {
  asio::io_context context{1};
  std::exception_ptr failure;
  asio::co_spawn(context, rooted(std::move(body)), [&failure](const std::exception_ptr& error) { failure = error; });
  context.run();
  if (failure) std::rethrow_exception(failure);
}

// --- Completion ------------------------------------------------------------------------------------------------------

// As of Signal: no more of the loop than its handle.
struct Completion::State {
  explicit State(Executor ex) : executor(std::move(ex)) {}
  Executor executor;
  std::atomic<bool> called{false};
  // The rest is touched on the executor only.
  bool done = false;
  asio::steady_timer* waiter = nullptr;
};

Completion::Completion(Executor executor) : state_(std::make_shared<State>(std::move(executor))) {}

void Completion::complete() {
  if (state_->called.exchange(true)) return;
  asio::post(state_->executor, [state = state_] {
    state->done = true;
    if (state->waiter != nullptr) state->waiter->cancel();
  });
}

Task<void> Completion::wait() {
  const auto state = state_;
  asio::steady_timer timer(state->executor, kForever);
  const Enlisted enlisted(state->waiter, timer);
  // Whoever completes may still use the caller's memory, so a cancellation does not end this wait.
  while (!state->done) {
    boost::system::error_code ignored;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

}   // namespace agentauri
