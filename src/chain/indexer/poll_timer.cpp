#include "chain/indexer/poll_timer.hpp"

#include <algorithm>

namespace agentauri::chain {
namespace {

constexpr int kHitsForAMiss = 11;       // so many looks may succeed at once before one is too early
constexpr unsigned kWindow = 64;        // blocks that the average runs over
constexpr unsigned kQuickMisses = 20;   // then the chain stands still, and is looked at less and less
constexpr unsigned kMaxDoublings = 16;
constexpr int kMaxUnsteady = 16;   // from half of it on, no rhythm is assumed

}   // namespace

PollTimer::Duration PollTimer::next(Time now, unsigned blocks) {
  if (blocks == 0) return after_miss(now);
  const Duration step = std::max<Duration>(interval_ / 1000, std::chrono::microseconds(250));
  const auto expected = anchor_ + interval_;
  Time arrival = now;
  if (blocks > 1) {
    // Busy elsewhere or a burst: says nothing about the phase.
    margin_ = Duration(0);
    unsteady_ = std::min(unsteady_ + 1, kMaxUnsteady);
  } else if (misses_ == 0) {
    // It came some time before the look: nothing measured but that the look was late enough.
    if (known_ && expected <= now) arrival = expected;
    margin_ = std::max(margin_ - step, -interval_ / 8);
  } else {
    arrival = last_miss_ + (now - last_miss_) / 2;
    const auto error = std::chrono::duration_cast<Duration>(arrival - expected);
    // Single arrivals jitter; the anchor follows them slowly unless the rhythm has changed altogether.
    const bool steady = error < interval_ / 4 && error > -interval_ / 4;
    if (known_ && steady) arrival = expected + error / 4;
    unsteady_ = steady ? std::max(unsteady_ - 1, 0) : std::min(unsteady_ + 2, kMaxUnsteady);
    margin_ = std::min(margin_ + step * kHitsForAMiss, interval_ / 4);
  }
  learn_interval(misses_ == 0 && blocks == 1 && known_ ? arrival : now, blocks);
  misses_ = 0;
  seen_ = true;
  anchor_ = arrival;
  if (!known_) return settings_.min_interval;
  // Without a rhythm there is nothing to wait for but time.
  if (unsteady_ >= kMaxUnsteady / 2) return std::max<Duration>(interval_ / 8, settings_.min_interval);
  if (blocks > 1) return interval_ / 2;
  const auto wait = std::chrono::duration_cast<Duration>(anchor_ + interval_ + margin_ - now);
  return std::clamp<Duration>(wait, settings_.min_interval, settings_.max_interval);
}

PollTimer::Duration PollTimer::after_miss(Time now) {
  last_miss_ = now;
  ++misses_;
  // The first look was only just too early, most often: again soon, then in growing steps.
  const Duration widest = std::max<Duration>(interval_ / 12, settings_.min_interval);
  const Duration first = std::clamp<Duration>(interval_ / 50, settings_.min_interval, std::chrono::milliseconds(250));
  Duration wait = std::min<Duration>(first * (1U << std::min(misses_ - 1, 10U)), widest);
  if (misses_ > kQuickMisses) wait *= 1U << std::min(misses_ - kQuickMisses, kMaxDoublings);
  const Duration slowest = std::clamp<Duration>(std::max(interval_, settings_.first_interval), settings_.min_interval,
                                                settings_.max_interval);
  return std::min(wait, slowest);
}

void PollTimer::learn_interval(Time arrival, unsigned blocks) {
  if (!seen_) {
    window_start_ = arrival;
    return;
  }
  window_blocks_ += blocks;
  const auto average = std::chrono::duration_cast<Duration>((arrival - window_start_) / window_blocks_);
  // A rhythm that has changed is learnt anew instead of being averaged in.
  const auto latest = std::chrono::duration_cast<Duration>((arrival - anchor_) / blocks);
  interval_ = std::clamp<Duration>(average, settings_.min_interval, settings_.max_interval);
  known_ = true;
  const bool changed = window_blocks_ >= 4 && (latest > interval_ * 3 / 2 || latest < interval_ * 2 / 3);
  if (changed || window_blocks_ >= kWindow) {
    // Half of the window is kept in effect: the average so far counts as its first blocks.
    const unsigned kept = changed ? 1 : kWindow / 2;
    const Duration base = changed ? latest : interval_;
    interval_ = std::clamp<Duration>(base, settings_.min_interval, settings_.max_interval);
    window_start_ = arrival - interval_ * kept;
    window_blocks_ = kept;
  }
}

}   // namespace agentauri::chain
