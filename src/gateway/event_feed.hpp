// Tells open event streams that the block log has grown: by the hint of whoever wrote it, and by looking four times a
// second while a stream is open. One look serves all streams of the process.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "core/async/task.hpp"
#include "core/telemetry/log.hpp"
#include "domain/ids.hpp"
#include "store/database.hpp"

namespace agentauri::gateway {

inline constexpr std::chrono::milliseconds kEventFeedPoll{250};

class EventFeed {
 public:
  explicit EventFeed(store::Database& db);

  // Notified, on `executor`, when there may be something new, for as long as the caller keeps it. Any thread.
  std::shared_ptr<Signal> listen(Executor executor);
  // Until it is cancelled.
  Task<void> run();

 private:
  // Outlives the feed in the store's hook, which cannot be taken back.
  struct Listeners {
    std::mutex mutex;
    std::vector<std::weak_ptr<Signal>> signals;

    void wake();
    bool any();
  };
  Task<Result<bool>> has_grown();

  store::Database& db_;
  const std::shared_ptr<Listeners> listeners_ = std::make_shared<Listeners>();
  std::map<domain::ChainId, std::int64_t> seen_;   // the last sequence number of each chain
  Log log_{"gateway"};
  bool reads_ = true;
};

}   // namespace agentauri::gateway
