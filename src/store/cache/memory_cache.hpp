// The cache of one process: nobody else counts with it, and it is gone when the process ends.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "store/cache/cache.hpp"

namespace agentauri::store {

inline constexpr std::size_t kMaxWindowKeys = 100'000;   // least recently used go first

class MemoryCache final : public Cache {
 public:
  explicit MemoryCache(std::size_t max_keys = kMaxWindowKeys);

  Task<Quota> take(LimitCheck check) override;
  Task<Quota> peek(LimitCheck check) override;
  Task<void> refund(LimitCheck check) override;
  State state() const override { return State::local; }
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
  Quota decide(const LimitCheck& check, bool counts);

  std::size_t max_keys_per_shard_;
  std::array<Shard, kShards> shards_;
};

}   // namespace agentauri::store
