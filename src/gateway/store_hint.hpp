// Passes a hint of the store on to whoever waits for it in this process, on any executor. A hint may be lost: every
// waiter also looks by itself from time to time.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/async/task.hpp"
#include "store/database.hpp"

namespace agentauri::gateway {

class StoreHint {
 public:
  // `channel`: of Database::notify().
  StoreHint(store::Database& db, std::string channel);

  // Notified, on `executor`, at each hint for as long as the caller keeps it. Any thread.
  std::shared_ptr<Signal> listen(Executor executor);
  // As the store would.
  void wake() { listeners_->wake(); }
  // Whether anybody waits.
  bool is_heard() { return listeners_->any(); }

 private:
  // Outlives this in the store's hook, which cannot be taken back.
  struct Listeners {
    std::mutex mutex;
    std::vector<std::weak_ptr<Signal>> signals;

    void wake();
    bool any();
  };
  const std::shared_ptr<Listeners> listeners_ = std::make_shared<Listeners>();
};

}   // namespace agentauri::gateway
