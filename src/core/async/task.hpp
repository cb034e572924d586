// Coroutines of this program, and the few ways to start and wait. Only core/async and net include Asio headers.
//
// Lifetime: a task that is awaited at once may take references. A task that is spawned or stored takes values, because
// a dead local inside a living coroutine frame is a fault that no sanitizer reports.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "core/base/result.hpp"

namespace agentauri {

template <class T>
using Task = boost::asio::awaitable<T>;
using Executor = boost::asio::any_io_executor;

// The executor that runs the calling coroutine.
Task<Executor> this_executor();

// Whether this coroutine was asked to end. Cancellation never throws; every later wait ends at once, so loops that
// check the result of their wait end by themselves.
Task<bool> cancelled();

// false when the wait was cancelled.
Task<bool> sleep_for(std::chrono::microseconds wait);

// Runs `body` on another executor and comes back to the calling one when it has ended; an exception comes with it. Used
// at borders between threads. A cancellation of the caller does not reach `body`, which runs to its end: Asio would
// hand it over by a pointer into the caller's frame, and the frame may be gone when the other thread gets to it.
Task<void> run_on(Executor executor, std::function<Task<void>()> body);

// Children of a component. All members must be called on the group's executor.
class TaskGroup {
 public:
  explicit TaskGroup(Executor executor);
  ~TaskGroup();   // ENSUREs that every child has ended
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // `name` appears in the log when the child ends with an exception.
  void spawn(std::string name, std::function<Task<void>()> body);
  // Cancels what every child waits for now (sleep_for, sockets, Signal::wait_for); children see it as an ordinary
  // result. A child whose wait has just completed loses nothing but the interruption: cancelled() tells it, and our own
  // waits end at once from then on, but an Asio operation that it begins next runs its course. Hence:
  void cancel();
  // Cancels, again and again, until no child is left.
  Task<void> cancel_and_wait();
  std::size_t size() const;
  // Until no child is left.
  Task<void> wait();
  // The same with an end; false when children are left.
  Task<bool> wait_for(std::chrono::microseconds limit);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// A wake-up hint: notify() from any thread ends one wait, or the next one when nobody waits (hints collapse into one).
// One waiter at a time, on the executor given.
class Signal {
 public:
  explicit Signal(Executor executor);
  ~Signal();
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  void notify();
  // true: notified; false: the limit passed or the caller was cancelled.
  Task<bool> wait_for(std::chrono::microseconds limit);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// A thread with one event loop. stop() ends the loop and joins; everything spawned on it must have ended before.
class IoThread {
 public:
  explicit IoThread(std::string name);
  ~IoThread();
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  Executor executor() const;
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Runs one coroutine to its end on a private event loop: command-line tools and tests.
void run_blocking(std::function<Task<void>()> body);

// A coroutine waits here for an answer that another thread gives: the one bridge between threads and coroutines.
// Must be awaited from the executor given to the constructor; complete() may come before or after, from any thread.
class Completion {
 public:
  explicit Completion(Executor executor);
  // Wakes the waiter. Only the first call counts.
  void complete();
  // Until complete(), also when the coroutine is cancelled meanwhile (whoever completes may still use our memory).
  Task<void> wait();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}   // namespace agentauri
