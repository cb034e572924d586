// Where passwords are hashed: a few threads of low priority behind a short queue, so that logins cannot starve the
// rest.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/async/task.hpp"
#include "core/base/result.hpp"

namespace agentauri::gateway {

inline constexpr std::size_t kMaxQueuedHashes = 64;

// Made and owned by the gateway. The destructor finishes what is queued and joins. Calls may come from any executor.
class ArgonLane {
 public:
  // 0 threads: half of the cores, at least one.
  explicit ArgonLane(unsigned threads = 0, std::size_t max_queued = kMaxQueuedHashes);
  ~ArgonLane();
  ArgonLane(const ArgonLane&) = delete;
  ArgonLane& operator=(const ArgonLane&) = delete;

  // Whether one more would be refused now: to be asked before any other work is done for it.
  bool is_full() const;
  // Code::busy when the queue is full or the memory for a hash cannot be had.
  Task<Result<std::string>> hash(std::string password);
  Task<Result<bool>> verify(std::string phc, std::string password);
  // Costs what verify() costs and is never true: for users who do not exist or have no password.
  Task<Result<bool>> verify_nobody(std::string password);

 private:
  using Work = std::function<void()>;
  // `work` owns what it touches: the waiting coroutine may be gone before it runs.
  Task<Result<void>> run(Work work);
  void loop();

  const std::size_t max_queued_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Work> queue_;
  bool stopping_ = false;
  std::mutex nobody_mutex_;
  std::string nobody_;   // hash of a password that nobody knows; empty until it could be made
  std::vector<std::thread> threads_;
};

}   // namespace agentauri::gateway
