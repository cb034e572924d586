#include "gateway/limits/sliding_window.hpp"

#include <algorithm>
#include <functional>

namespace agentauri::gateway {
namespace {

std::int64_t bucket_width(Window window) {
  return window_seconds(window) / kBuckets;
}

}   // namespace

SlidingWindows::SlidingWindows(std::size_t max_keys)
    : max_keys_per_shard_(std::max<std::size_t>(1, max_keys / kShards)) {}

SlidingWindows::Shard& SlidingWindows::shard_of(std::string_view key) {
  return shards_[std::hash<std::string_view>{}(key) % kShards];
}

Quota SlidingWindows::decide(std::string_view key, Window window, std::int64_t limit, std::int64_t cost, Time now,
                             bool counts) {
  const std::int64_t at = to_unix_seconds(now);
  const std::int64_t width = bucket_width(window);
  const std::int64_t current = at / width;
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);

  auto found = shard.entries.find(std::string(key));
  std::int64_t used = 0;
  if (found != shard.entries.end()) {
    std::erase_if(found->second.buckets, [&](const auto& bucket) { return bucket.first <= current - kBuckets; });
    for (const auto& [number, count] : found->second.buckets) used += count;
  }
  Quota out;
  out.limit = limit;
  out.window_s = window_seconds(window);
  out.allowed = used + cost <= limit;
  if (!out.allowed) {
    // When enough of what was counted has left the window.
    std::int64_t free_at = current * width + width;
    std::int64_t left = used;
    if (found != shard.entries.end()) {
      for (const auto& [number, count] : found->second.buckets) {
        left -= count;
        free_at = (number + kBuckets) * width;
        if (left + cost <= limit) break;
      }
    }
    out.retry_after_s = std::max<std::int64_t>(1, free_at - at);
    out.reset = at + out.retry_after_s;
    return out;
  }
  if (counts) {
    if (found == shard.entries.end()) {
      if (shard.entries.size() >= max_keys_per_shard_) {
        shard.entries.erase(shard.by_use.back());
        shard.by_use.pop_back();
      }
      shard.by_use.emplace_front(key);
      found = shard.entries.emplace(std::string(key), Entry{{}, shard.by_use.begin()}).first;
    }
    auto& entry = found->second;
    shard.by_use.splice(shard.by_use.begin(), shard.by_use, entry.use);
    if (entry.buckets.empty() || entry.buckets.back().first < current) entry.buckets.emplace_back(current, 0);
    entry.buckets.back().second += cost;
    used += cost;
  }
  out.remaining = std::max<std::int64_t>(0, limit - used);
  out.reset = current * width + window_seconds(window);
  return out;
}

Quota SlidingWindows::take(std::string_view key, Window window, std::int64_t limit, std::int64_t cost, Time now) {
  return decide(key, window, limit, cost, now, true);
}
Quota SlidingWindows::peek(std::string_view key, Window window, std::int64_t limit, Time now) {
  return decide(key, window, limit, 0, now, false);
}

void SlidingWindows::refund(std::string_view key, Window window, std::int64_t cost, Time taken_at) {
  const std::int64_t number = to_unix_seconds(taken_at) / bucket_width(window);
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.entries.find(std::string(key));
  if (found == shard.entries.end()) return;
  for (auto& [bucket, count] : found->second.buckets) {
    if (bucket == number) count = std::max<std::int64_t>(0, count - cost);
  }
}

std::size_t SlidingWindows::size() const {
  std::size_t out = 0;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    out += shard.entries.size();
  }
  return out;
}

}   // namespace agentauri::gateway
