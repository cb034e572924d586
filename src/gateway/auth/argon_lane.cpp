#include "gateway/auth/argon_lane.hpp"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "core/crypto/crypto.hpp"

namespace agentauri::gateway {
namespace {

constexpr int kNiceness = 10;
constexpr std::chrono::seconds kKeepMemory{10};   // of a hash, after the last one

}   // namespace

ArgonLane::ArgonLane(unsigned threads, std::size_t max_queued) : max_queued_(max_queued) {
  if (threads == 0) threads = std::max(1U, std::thread::hardware_concurrency() / 2);
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { loop(); });
}

ArgonLane::~ArgonLane() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void ArgonLane::loop() {
  pthread_setname_np(pthread_self(), "argon2");
  // On Linux this is the thread's own niceness. Failure only means that it stays at the usual priority.
  (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNiceness);
  std::unique_lock lock(mutex_);
  while (true) {
    const auto has_work = [this] { return stopping_ || !queue_.empty(); };
    if (!wake_.wait_for(lock, kKeepMemory, has_work)) {
      crypto::release_password_memory();
      wake_.wait(lock, has_work);
    }
    if (queue_.empty()) return;
    Work work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    work();
    lock.lock();
  }
}

bool ArgonLane::is_full() const {
  const std::lock_guard lock(mutex_);
  return queue_.size() >= max_queued_;
}

Task<Result<void>> ArgonLane::run(Work work) {
  const auto done = std::make_shared<Completion>(co_await this_executor());
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= max_queued_) co_return fail(Code::busy, "too many passwords are being checked");
    queue_.push_back([work = std::move(work), done] {
      work();
      done->complete();
    });
  }
  wake_.notify_one();
  co_await done->wait();
  co_return Result<void>();
}

Task<Result<std::string>> ArgonLane::hash(std::string password) {
  const auto out = std::make_shared<Result<std::string>>();
  auto ran = co_await run([out, password = std::move(password)] { *out = crypto::hash_password(password); });
  if (!ran) co_return fail(ran);
  co_return std::move(*out);
}

Task<Result<bool>> ArgonLane::verify(std::string phc, std::string password) {
  const auto out = std::make_shared<Result<bool>>(false);
  auto ran = co_await run(
      [out, phc = std::move(phc), password = std::move(password)] { *out = crypto::verify_password(phc, password); });
  if (!ran) co_return fail(ran);
  co_return std::move(*out);
}

Task<Result<bool>> ArgonLane::verify_nobody(std::string password) {
  const auto out = std::make_shared<Result<bool>>(false);
  auto ran = co_await run([this, out, password = std::move(password)] {
    std::string phc;
    {
      const std::lock_guard lock(nobody_mutex_);
      if (nobody_.empty()) nobody_ = crypto::hash_password(to_hex(crypto::random_bytes(16))).value_or("");
      phc = nobody_;
    }
    if (phc.empty())
      *out = fail(Code::busy, "there is no memory to check a password");
    else
      *out = crypto::verify_password(phc, password);
  });
  if (!ran) co_return fail(ran);
  co_return std::move(*out);
}

}   // namespace agentauri::gateway
