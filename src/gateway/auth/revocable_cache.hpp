// What was loaded lately of things that can be revoked (sessions, API keys), less what was revoked since.
//
// While the sequence `revocations` is followed too slowly, nothing cached is believed and everything is asked for, so
// that what is revoked is refused everywhere within a second.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "core/base/uuid.hpp"

namespace agentauri::gateway {

inline constexpr std::chrono::milliseconds kMaxStaleness{1000};
inline constexpr std::chrono::seconds kCacheAge{60};   // then it is read again: a renamed user, another plan
inline constexpr std::size_t kMaxCached = 50'000;      // least recently used go first
inline constexpr std::size_t kMaxRevoked = 100'000;    // beyond it everything cached is dropped

using SteadyTime = std::chrono::steady_clock::time_point;

// What the follower of the sequence tells.
class Revocable {
 public:
  virtual ~Revocable() = default;
  virtual void revoke(const Uuid& id) = 0;
  // The sequence is followed from here on: what was read until now may have been revoked unseen.
  virtual void restart() = 0;
  // Everything that was revoked before `asked_at` has been told.
  virtual void followed(SteadyTime asked_at) = 0;
};

// `View` by `Key`; each has the id under which it is revoked. Thread-safe.
template <class Key, class View>
class RevocableCache : public Revocable {
 public:
  std::optional<View> find(const Key& key);
  // `asked_at`: when the store was asked for it, which must not be later.
  void remember(const Key& key, const Uuid& id, const View& view, SteadyTime asked_at);

  void revoke(const Uuid& id) override;
  void restart() override;
  void followed(SteadyTime asked_at) override;

 private:
  struct Entry {
    Uuid id;
    View view;
    SteadyTime loaded;
    typename std::list<Key>::iterator use;
  };
  void forget(const Key& key);
  void drop_all();

  std::mutex mutex_;
  std::unordered_map<Key, Entry> entries_;
  std::unordered_map<Uuid, Key> by_id_;
  std::list<Key> by_use_;   // most recent first
  // When a revocation was noticed: a view that was asked for before that moment may not be cached.
  std::unordered_map<Uuid, SteadyTime> revoked_;
  SteadyTime not_before_{};   // the same for all
  std::optional<SteadyTime> followed_at_;
};

template <class Key, class View>
std::optional<View> RevocableCache<Key, View>::find(const Key& key) {
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  if (!followed_at_ || now - *followed_at_ > kMaxStaleness) return std::nullopt;
  const auto found = entries_.find(key);
  if (found == entries_.end() || now - found->second.loaded > kCacheAge) return std::nullopt;
  by_use_.splice(by_use_.begin(), by_use_, found->second.use);
  return found->second.view;
}

template <class Key, class View>
void RevocableCache<Key, View>::remember(const Key& key, const Uuid& id, const View& view, SteadyTime asked_at) {
  const std::lock_guard lock(mutex_);
  const auto revoked = revoked_.find(id);
  if (asked_at <= not_before_ || (revoked != revoked_.end() && asked_at <= revoked->second)) return;
  forget(key);
  by_use_.push_front(key);
  entries_.emplace(key, Entry{id, view, asked_at, by_use_.begin()});
  by_id_.insert_or_assign(id, key);
  if (entries_.size() > kMaxCached) forget(by_use_.back());
}

template <class Key, class View>
void RevocableCache<Key, View>::revoke(const Uuid& id) {
  const std::lock_guard lock(mutex_);
  if (const auto found = by_id_.find(id); found != by_id_.end()) {
    const Key key = found->second;
    forget(key);
  }
  if (revoked_.size() >= kMaxRevoked) drop_all();   // too many to remember one by one
  revoked_[id] = std::chrono::steady_clock::now();
}

template <class Key, class View>
void RevocableCache<Key, View>::restart() {
  const std::lock_guard lock(mutex_);
  drop_all();
}

template <class Key, class View>
void RevocableCache<Key, View>::followed(SteadyTime asked_at) {
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  followed_at_ = asked_at;
  // A read never takes this long: nothing that was asked for before these can still arrive.
  std::erase_if(revoked_, [now](const auto& entry) { return now - entry.second > kCacheAge * 2; });
}

template <class Key, class View>
void RevocableCache<Key, View>::forget(const Key& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  by_id_.erase(found->second.id);
  by_use_.erase(found->second.use);
  entries_.erase(found);
}

template <class Key, class View>
void RevocableCache<Key, View>::drop_all() {
  revoked_.clear();
  entries_.clear();
  by_id_.clear();
  by_use_.clear();
  not_before_ = std::chrono::steady_clock::now();
}

}   // namespace agentauri::gateway
