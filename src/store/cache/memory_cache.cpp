#include "store/cache/memory_cache.hpp"

#include <algorithm>
#include <functional>

namespace agentauri::store {
MemoryCache::MemoryCache(std::size_t max_keys) : max_keys_per_shard_(std::max<std::size_t>(1, max_keys / kShards)) {}

MemoryCache::Shard& MemoryCache::shard_of(std::string_view key) {
  return shards_[std::hash<std::string_view>{}(key) % kShards];
}

Quota MemoryCache::decide(const LimitCheck& check, bool counts) {
  const auto& [key, window, limit, wanted, now] = check;
  const std::int64_t cost = counts ? wanted : 0;
  const std::int64_t width = bucket_seconds(window);
  const std::int64_t current = to_unix_seconds(now) / width;
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);

  auto found = shard.entries.find(key);
  std::int64_t used = 0;
  if (found != shard.entries.end()) {
    std::erase_if(found->second.buckets, [&](const auto& bucket) { return bucket.first <= current - kBuckets; });
    for (const auto& [number, count] : found->second.buckets) used += count;
  }
  if (used + cost > limit) {
    // When enough of what was counted has left the window.
    std::int64_t free_at = (current + 1) * width, left = used;
    if (found != shard.entries.end()) {
      for (const auto& [number, count] : found->second.buckets) {
        left -= count;
        free_at = (number + kBuckets) * width;
        if (left + cost <= limit) break;
      }
    }
    return make_quota(check, false, used, free_at);
  }
  if (counts) {
    if (found == shard.entries.end()) {
      if (shard.entries.size() >= max_keys_per_shard_) {
        shard.entries.erase(shard.by_use.back());
        shard.by_use.pop_back();
      }
      shard.by_use.emplace_front(key);
      found = shard.entries.emplace(key, Entry{{}, shard.by_use.begin()}).first;
    }
    auto& entry = found->second;
    shard.by_use.splice(shard.by_use.begin(), shard.by_use, entry.use);
    if (entry.buckets.empty() || entry.buckets.back().first < current) entry.buckets.emplace_back(current, 0);
    entry.buckets.back().second += cost;
    used += cost;
  }
  return make_quota(check, true, used, 0);
}

Task<Quota> MemoryCache::take(LimitCheck check) {
  co_return decide(check, true);
}
Task<Quota> MemoryCache::peek(LimitCheck check) {
  co_return decide(check, false);
}

Task<void> MemoryCache::refund(LimitCheck check) {
  const auto& [key, window, limit, cost, taken_at] = check;
  const std::int64_t number = to_unix_seconds(taken_at) / bucket_seconds(window);
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.entries.find(key);
  if (found == shard.entries.end()) co_return;
  for (auto& [bucket, count] : found->second.buckets) {
    if (bucket == number) count = std::max<std::int64_t>(0, count - cost);
  }
}

std::size_t MemoryCache::size() const {
  std::size_t out = 0;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    out += shard.entries.size();
  }
  return out;
}

}   // namespace agentauri::store
