// Who wants to hear of which channel, in this process. Thread-safe.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"

namespace agentauri::store {

// What PostgreSQL takes as a name of 63 bytes without quoting rules getting in the way.
inline bool is_channel_name(std::string_view name) {
  const auto is_plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  return !name.empty() && name.size() <= 63 && std::all_of(name.begin(), name.end(), is_plain);
}

class Hooks {
 public:
  void add(std::string channel, std::function<void()> hook) {
    ENSURE(is_channel_name(channel), "a channel is named with a-z, 0-9 and _");
    const std::lock_guard lock(mutex_);
    hooks_.emplace(std::move(channel), std::make_shared<const std::function<void()>>(std::move(hook)));
  }
  // Outside the lock, so that a hook may use the store.
  void fire(std::string_view channel) const {
    std::vector<std::shared_ptr<const std::function<void()>>> found;
    {
      const std::lock_guard lock(mutex_);
      const auto [first, last] = hooks_.equal_range(channel);
      for (auto hook = first; hook != last; ++hook) found.push_back(hook->second);
    }
    for (const auto& hook : found) (*hook)();
  }
  std::vector<std::string> channels() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (const auto& [channel, hook] : hooks_) {
      if (out.empty() || out.back() != channel) out.push_back(channel);
    }
    return out;
  }

 private:
  mutable std::mutex mutex_;
  std::multimap<std::string, std::shared_ptr<const std::function<void()>>, std::less<>> hooks_;
};

}   // namespace agentauri::store
