// When to ask for the next block: shortly after it is expected. Pure.
//
// Learns the interval between blocks and the phase: found at the first look, the next look comes a little earlier; not
// there yet, a little later. So most blocks cost one look, and are seen within a few milliseconds of their arrival.
#pragma once

#include <algorithm>
#include <chrono>

namespace agentauri::chain {

class PollTimer {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::microseconds;
  struct Settings {
    Duration min_interval{std::chrono::milliseconds(20)};   // between two looks for the same block
    Duration max_interval{std::chrono::seconds(15)};
    Duration first_interval{std::chrono::milliseconds(250)};   // until the rhythm is known
  };

  explicit PollTimer(Settings settings) : settings_(settings), interval_(settings.first_interval) {}

  // A look found `blocks` new ones (0: none yet). Returns how long to wait before the next.
  Duration next(Time now, unsigned blocks) {
    if (blocks == 0) {
      ++misses_;
      // The first misses are tried again soon; a chain that stands still is looked at less and less.
      const Duration soon = std::clamp<Duration>(interval_ / 12, settings_.min_interval, settings_.max_interval);
      const unsigned doublings = misses_ > 12 ? std::min(misses_ - 12, 10U) : 0;
      return std::min<Duration>(soon * (1U << doublings), std::max<Duration>(interval_, settings_.first_interval));
    }
    if (seen_) {
      const auto gap = std::chrono::duration_cast<Duration>(now - last_) / blocks;
      // Single gaps jump with the look's own delay; a slow average follows the rhythm.
      interval_ = known_ ? Duration((interval_.count() * 7 + gap.count()) / 8) : gap;
      interval_ = std::clamp(interval_, settings_.min_interval, settings_.max_interval);
      known_ = true;
      const Duration step = std::max<Duration>(interval_ / 100, std::chrono::microseconds(500));
      // One miss in about eight looks is the price of not being late on the others.
      if (misses_ == 0) lead_ = std::min<Duration>(lead_ + step, interval_ / 2);
      else lead_ = std::max<Duration>(lead_ - step * 7, -interval_ / 2);
    }
    misses_ = 0;
    seen_ = true;
    last_ = now;
    if (!known_) return settings_.min_interval;
    return std::max<Duration>(interval_ - lead_, settings_.min_interval / 4);
  }

  Duration interval() const { return interval_; }

 private:
  Settings settings_;
  Duration interval_;
  Duration lead_{0};      // how much before "one interval after the last sight" to look
  Time last_{};
  unsigned misses_ = 0;
  bool seen_ = false, known_ = false;
};

}  // namespace agentauri::chain
