// A store that can be away for a while: units of work fail as they do when the database cannot be reached, or are done
// and their answers are lost.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "store/database.hpp"

namespace agentauri::delivery::testing {

class FlakyDatabase final : public store::Database {
 public:
  explicit FlakyDatabase(store::Database& inner) : inner_(inner), thread_([this] { work(); }) {}
  ~FlakyDatabase() override { stop(); }

  void go_away() { away_ = true; }
  void come_back() { away_ = false; }
  int refused() const { return refused_; }
  // The nth interactive write from now on is committed, and nobody learns of it.
  void lose_commit(int n) { until_lost_ = n; }
  bool lost() const { return until_lost_ == 0; }

  std::string_view engine() const override { return inner_.engine(); }
  Task<store::Health> check_health() override { return inner_.check_health(); }
  void on_notify(std::string, std::function<void()>) override {}
  void notify(std::string_view) override {}
  // The inner one is its owner's.
  void stop() override {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      stopping_ = true;
    }
    came_.notify_all();
    thread_.join();
  }

 protected:
  void submit(Mode mode, store::Priority priority, Body body, Done done) override {
    auto unit = [this, mode, priority, body = std::move(body), done = std::move(done)]() mutable {
      if (away_) {
        ++refused_;
        return done(fail(Code::unavailable, "the store is away"));
      }
      if (mode == Mode::write) {
        auto written = inner_.transact_blocking<void>(priority, std::move(body));
        if (written && priority == store::Priority::interactive && until_lost_ > 0 && --until_lost_ == 0) {
          written = fail(Code::commit_unknown, "the connection was lost during COMMIT");
        }
        return done(std::move(written));
      }
      auto read = inner_.snapshot_blocking<bool>([&body](store::Tx& tx) -> Result<bool> {
        if (auto ran = body(tx); !ran) return fail(ran);
        return true;
      });
      done(read ? Result<void>{} : Result<void>(fail(read)));
    };
    {
      const std::lock_guard lock(mutex_);
      units_.emplace_back(std::move(unit));
    }
    came_.notify_all();
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    while (!stopping_ || !units_.empty()) {
      came_.wait(lock, [this] { return stopping_ || !units_.empty(); });
      if (units_.empty()) continue;
      auto unit = std::move(units_.front());
      units_.pop_front();
      lock.unlock();
      unit();
      lock.lock();
    }
  }

  store::Database& inner_;
  std::atomic<bool> away_{false};
  std::atomic<int> refused_{0}, until_lost_{0};
  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<std::move_only_function<void()>> units_;
  bool stopping_ = false;
  std::thread thread_;
};

}   // namespace agentauri::delivery::testing
