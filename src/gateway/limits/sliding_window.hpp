// Sliding windows of 60 buckets in this process (http-api.md 4.1): 60 s of seconds, or an hour of minutes.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/time.hpp"

namespace agentauri::gateway {

inline constexpr std::size_t kMaxWindowKeys = 100'000;   // least recently used go first
inline constexpr std::int64_t kBuckets = 60;

enum class Window : std::uint8_t { minute, hour };
constexpr std::int64_t window_seconds(Window window) {
  return window == Window::minute ? 60 : 3600;
}

struct Quota {
  bool allowed = true;
  std::int64_t limit = 0;
  std::int64_t remaining = 0;
  std::int64_t reset = 0;           // Unix seconds
  std::int64_t retry_after_s = 0;   // of a rejection, 1..60 or 1..window
  std::int64_t window_s = 60;
};

// Thread-safe. Keys carry their class: `user:<id>:read`.
class SlidingWindows {
 public:
  explicit SlidingWindows(std::size_t max_keys = kMaxWindowKeys);

  // Counts `cost` when it still fits.
  Quota take(std::string_view key, Window window, std::int64_t limit, std::int64_t cost, Time now);
  // What take() would say of a cost of nothing.
  Quota peek(std::string_view key, Window window, std::int64_t limit, Time now);
  // Gives back what take() counted at `taken_at`.
  void refund(std::string_view key, Window window, std::int64_t cost, Time taken_at);
  std::size_t size() const;

 private:
  struct Entry {
    std::vector<std::pair<std::int64_t, std::int64_t>> buckets;   // (number, count), ascending
    std::list<std::string>::iterator use;
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<std::string, Entry> entries;
    std::list<std::string> by_use;   // most recent first
  };
  static constexpr std::size_t kShards = 16;
  Shard& shard_of(std::string_view key);
  Quota decide(std::string_view key, Window window, std::int64_t limit, std::int64_t cost, Time now, bool counts);

  std::size_t max_keys_per_shard_;
  std::array<Shard, kShards> shards_;
};

}   // namespace agentauri::gateway
