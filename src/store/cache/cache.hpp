// What the gateways of a deployment count together and may lose: how much of a limit is used up. In the process, or in
// Redis where several gateways share it; the same tests hold every implementation to this contract.
//
// Limits are sliding windows of 60 buckets (http-api.md 4.1): a minute of seconds, or an hour of minutes.
#pragma once

#include <cstdint>
#include <string>

#include "core/async/task.hpp"
#include "core/base/time.hpp"

namespace agentauri::store {

enum class Window : std::uint8_t { minute, hour };
constexpr std::int64_t window_seconds(Window window) {
  return window == Window::minute ? 60 : 3600;
}
inline constexpr std::int64_t kBuckets = 60;   // of a window
constexpr std::int64_t bucket_seconds(Window window) {
  return window_seconds(window) / kBuckets;
}

struct LimitCheck {
  std::string key;   // carries its class: `user:<id>:session-read`
  Window window = Window::minute;
  std::int64_t limit = 0;
  std::int64_t cost = 1;
  Time now;
};

struct Quota {
  bool allowed = true;
  std::int64_t limit = 0;
  std::int64_t remaining = 0;
  std::int64_t reset = 0;           // Unix seconds
  std::int64_t retry_after_s = 0;   // of a rejection, 1..60 or 1..window
  std::int64_t window_s = 60;
  bool degraded = false;   // counted by this process alone, although it should be shared
};
// Of a check, when `used` is what is counted after it; `free_at`: of a rejected one, when it fits.
Quota make_quota(const LimitCheck& check, bool allowed, std::int64_t used, std::int64_t free_at);

// Thread-safe; awaited from any executor. Nothing here fails: what is shared and cannot be reached is counted by the
// process alone meanwhile.
class Cache {
 public:
  // local: of this process, as it should be; alone: it should be shared and is not.
  enum class State : std::uint8_t { local, shared, alone };

  virtual ~Cache() = default;
  // Counts `cost` when it still fits: check and increment are one step.
  virtual Task<Quota> take(LimitCheck check) = 0;
  // What take() would say of a cost of nothing.
  virtual Task<Quota> peek(LimitCheck check) = 0;
  // Gives back what take() counted at `check.now`.
  virtual Task<void> refund(LimitCheck check) = 0;
  virtual State state() const = 0;
};

}   // namespace agentauri::store
