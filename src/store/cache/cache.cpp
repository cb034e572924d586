#include "store/cache/cache.hpp"

#include <algorithm>

namespace agentauri::store {

Quota make_quota(const LimitCheck& check, bool allowed, std::int64_t used, std::int64_t free_at) {
  const std::int64_t at = to_unix_seconds(check.now), width = bucket_seconds(check.window);
  Quota out;
  out.limit = check.limit;
  out.window_s = window_seconds(check.window);
  out.allowed = allowed;
  if (allowed) {
    out.remaining = std::max<std::int64_t>(0, check.limit - used);
    out.reset = at / width * width + out.window_s;
  } else {
    out.retry_after_s = std::max<std::int64_t>(1, free_at - at);
    out.reset = at + out.retry_after_s;
  }
  return out;
}

}   // namespace agentauri::store
