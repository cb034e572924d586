#include "chain/indexer/poll_timer.hpp"

#include <algorithm>

namespace agentauri::chain {
namespace {

// So many looks may succeed at once before one is too early. Where blocks are slow, looks are cheap.
constexpr int kHitsForAMiss = 11, kHitsForAMissSlow = 3;
constexpr auto kSlow = std::chrono::seconds(1);
constexpr unsigned kWindow = 64;        // blocks that the average runs over
constexpr int kNewRhythm = 3;           // gaps of another length in a row
constexpr unsigned kQuickMisses = 20;   // then the chain stands still, and is looked at less and less
constexpr unsigned kMaxDoublings = 16;
constexpr int kMaxUnsteady = 16;   // from half of it on, no rhythm is assumed

}   // namespace

PollTimer::Duration PollTimer::next(Time seen, unsigned blocks, Time now) {
  if (blocks == 0) return after_miss(seen);
  blocks_since_ += blocks;
  const int hits_for_a_miss = interval_ >= kSlow ? kHitsForAMissSlow : kHitsForAMiss;
  const auto expected = anchor_ + interval_;
  const bool measured = blocks == 1 && misses_ > 0 && is_precise(seen);
  Time arrival = seen;
  if (blocks > 1) {
    // Busy elsewhere or a burst: says nothing about the phase.
    margin_ = Duration(0);
    searching_ = true;
    unsteady_ = std::min(unsteady_ + 1, kMaxUnsteady);
  } else if (measured) {
    arrival = last_miss_ + (seen - last_miss_) / 2;
    const auto error = std::chrono::duration_cast<Duration>(arrival - expected);
    // Single arrivals jitter; the anchor follows them slowly unless the rhythm has changed altogether.
    const bool steady = error < interval_ / 4 && error > -interval_ / 4;
    if (known_ && steady) arrival = expected + error / 4;
    unsteady_ = steady ? std::max(unsteady_ - 1, 0) : std::min(unsteady_ + 2, kMaxUnsteady);
    margin_ = std::min(margin_ + usual_step() * hits_for_a_miss, interval_ / 4);
    searching_ = false;
    hits_ = 0;
  } else if (misses_ == 0) {
    // It came some time before the look: nothing measured but that the look was late enough.
    if (known_ && expected <= seen) arrival = expected;
    margin_ -= hit_step();
    if (margin_ < Duration(0)) {
      arrival += margin_;   // it must have come earlier than thought
      margin_ = Duration(0);
    }
    ++hits_;
  } else if (known_) {
    arrival = std::clamp(expected, last_miss_, seen);   // an answer that took long
  }
  learn_interval(measured ? last_miss_ + (seen - last_miss_) / 2 : seen, measured);
  misses_ = 0;
  anchor_ = arrival;
  if (!known_) return settings_.min_interval;
  // Without a rhythm there is nothing to wait for but time.
  if (unsteady_ >= kMaxUnsteady / 2) return std::max<Duration>(interval_ / 8, settings_.min_interval);
  if (blocks > 1) return interval_ / 2;
  const auto wait = std::chrono::duration_cast<Duration>(anchor_ + interval_ + margin_ - now);
  return std::clamp<Duration>(wait, settings_.min_interval, settings_.max_interval);
}

PollTimer::Duration PollTimer::usual_step() const {
  return std::max<Duration>(interval_ / (interval_ >= kSlow ? 200 : 1000), std::chrono::microseconds(250));
}

// By how much to look earlier after a hit. Long without a look that came too early we are late, by how much is not
// known: growing steps find out.
PollTimer::Duration PollTimer::hit_step() const {
  const bool lost = hits_ > 2 * kHitsForAMiss;
  if (!searching_ && !lost) return usual_step();
  const int doublings = lost ? 0 : interval_ >= kSlow ? 0 : std::min(hits_, 2);
  return std::max<Duration>(interval_ / 16 * (1 << doublings), usual_step());
}

// Whether the time between the last look in vain and this one pins the arrival down. A late answer does not.
bool PollTimer::is_precise(Time seen) const {
  const auto open = seen - last_miss_;
  if (open <= std::max<Duration>(interval_ / 8, settings_.min_interval * 2) || !seen_) return true;
  const auto gap = (seen - measured_at_) / blocks_since_;
  return gap > interval_ * 3 / 2 && open <= gap / 3;   // another rhythm, in which looks are rare so far
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

// What was not measured bounds the interval from above all the same: no block comes after it is seen. Measured ones
// alone make the average, so that a wrong interval cannot confirm itself.
void PollTimer::learn_interval(Time arrival, bool measured) {
  if (!seen_) {
    seen_ = true;
    window_start_ = measured_at_ = arrival;
    blocks_since_ = 0;
    return;
  }
  const auto latest = std::chrono::duration_cast<Duration>((arrival - measured_at_) / blocks_since_);
  const auto hop = std::chrono::duration_cast<Duration>(arrival - anchor_);
  if (!known_) {
    known_ = true;
    restart_window(arrival, latest, blocks_since_);
  } else if (!measured) {
    if (latest + interval_ / 10 < interval_) restart_window(arrival, latest, blocks_since_);
  } else if (hop > interval_ * 3 / 2 || hop < interval_ * 2 / 3) {
    // One gap of another length is a slot that was missed, or two blocks that came together: it does not count. Several
    // in a row are another rhythm, which is learnt anew.
    if (++deviations_ >= kNewRhythm) {
      deviations_ = 0;
      searching_ = true;
      restart_window(arrival, hop, 1);
    } else {
      window_start_ += arrival - measured_at_;
    }
  } else {
    deviations_ = 0;
    window_blocks_ += blocks_since_;
    const auto average = std::chrono::duration_cast<Duration>((arrival - window_start_) / window_blocks_);
    interval_ = std::clamp<Duration>(average, settings_.min_interval, settings_.max_interval);
    if (window_blocks_ >= kWindow) restart_window(arrival, interval_, kWindow / 2);
  }
  if (!measured) return;
  measured_at_ = arrival;
  blocks_since_ = 0;
}

// As if `blocks` had come before in the given rhythm.
void PollTimer::restart_window(Time arrival, Duration interval, unsigned blocks) {
  interval_ = std::clamp<Duration>(interval, settings_.min_interval, settings_.max_interval);
  window_start_ = arrival - interval_ * blocks;
  window_blocks_ = blocks;
}

}   // namespace agentauri::chain
