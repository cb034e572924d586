// Tells open event streams that the block log has grown: by the hint of whoever wrote it, and by looking four times a
// second while a stream is open. One look serves all streams of the process.
#pragma once

#include <chrono>
#include <map>
#include <memory>

#include "core/async/task.hpp"
#include "core/telemetry/log.hpp"
#include "domain/ids.hpp"
#include "gateway/store_hint.hpp"
#include "store/database.hpp"

namespace agentauri::gateway {

inline constexpr std::chrono::milliseconds kEventFeedPoll{250};

class EventFeed {
 public:
  explicit EventFeed(store::Database& db);

  // Notified, on `executor`, when there may be something new, for as long as the caller keeps it. Any thread.
  std::shared_ptr<Signal> listen(Executor executor) { return hint_.listen(std::move(executor)); }
  // Until it is cancelled.
  Task<void> run();

 private:
  Task<Result<bool>> has_grown();

  store::Database& db_;
  StoreHint hint_;
  std::map<domain::ChainId, std::int64_t> seen_;   // the last sequence number of each chain
  Log log_{"gateway"};
  bool reads_ = true;
};

}   // namespace agentauri::gateway
