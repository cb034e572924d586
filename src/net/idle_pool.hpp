// Connections between two exchanges, by endpoint. Knows no socket: what is idle too long is handed to destruction, and
// when a bound is met the oldest goes, so that endpoints nobody asks again cannot hold the places.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace agentauri::net {

template <class Item>
class IdlePool {
 public:
  using Time = std::chrono::steady_clock::time_point;

  IdlePool(std::size_t per_key, std::size_t total, std::chrono::milliseconds idle_time)
      : per_key_(per_key), total_(total), idle_time_(idle_time) {}

  // The one used last; null when there is none that is young enough.
  std::unique_ptr<Item> take(const std::string& key, Time now) {
    drop_expired(now);
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return nullptr;
    return remove(found->second.back());
  }

  void put(const std::string& key, std::unique_ptr<Item> item, Time now) {
    drop_expired(now);
    if (per_key_ == 0 || total_ == 0) return;
    if (const auto found = by_key_.find(key); found != by_key_.end() && found->second.size() >= per_key_)
      remove(found->second.front());
    if (entries_.size() >= total_) remove(entries_.begin());
    entries_.push_back(Entry{key, std::move(item), now});
    by_key_[key].push_back(std::prev(entries_.end()));
  }

  // Returns when the next one will be too old; nothing when the pool is empty.
  std::optional<Time> drop_expired(Time now) {
    while (!entries_.empty() && entries_.front().since + idle_time_ <= now) remove(entries_.begin());
    if (entries_.empty()) return std::nullopt;
    return entries_.front().since + idle_time_;
  }

  void clear() {
    by_key_.clear();
    entries_.clear();
  }
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string key;
    std::unique_ptr<Item> item;
    Time since;
  };
  using Link = typename std::list<Entry>::iterator;

  std::unique_ptr<Item> remove(Link link) {
    const auto found = by_key_.find(link->key);
    std::erase(found->second, link);
    if (found->second.empty()) by_key_.erase(found);
    auto item = std::move(link->item);
    entries_.erase(link);
    return item;
  }

  std::size_t per_key_, total_;
  std::chrono::milliseconds idle_time_;
  std::list<Entry> entries_;   // oldest first
  std::unordered_map<std::string, std::vector<Link>> by_key_;
};

}   // namespace agentauri::net
