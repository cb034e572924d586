// When to ask for the next block: shortly after it is expected. Pure.
//
// Keeps where in time blocks appear (the anchor) and how late after it to look (the margin). A look that finds the
// block at once moves the next one a little earlier; one that comes too early is repeated within milliseconds, which
// measures the arrival, and moves the next one later. So about one look in twelve is too early, and blocks are seen
// within milliseconds of their arrival.
#pragma once

#include <chrono>

namespace agentauri::chain {

class PollTimer {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::microseconds;
  struct Settings {
    Duration min_interval{std::chrono::milliseconds(4)};       // between two looks for the same block
    Duration max_interval{std::chrono::seconds(15)};           // between looks while nothing comes
    Duration first_interval{std::chrono::milliseconds(250)};   // until the rhythm is known
  };

  explicit PollTimer(Settings settings) : settings_(settings), interval_(settings.first_interval) {}

  // A look that was answered at `seen` found `blocks` new ones (0: none yet), and handling them took until `now`.
  // Returns how long to wait before the next.
  Duration next(Time seen, unsigned blocks, Time now);

  // Between two blocks, as learnt.
  Duration interval() const { return interval_; }

 private:
  Duration after_miss(Time now);
  Duration usual_step() const;
  Duration hit_step() const;
  bool is_precise(Time seen) const;
  void learn_interval(Time arrival, bool measured);
  void restart_window(Time arrival, Duration interval, unsigned blocks);

  Settings settings_;
  Duration interval_;
  Duration margin_{0};   // how long after the expected arrival to look
  Time anchor_{};        // when the last block is thought to have arrived
  Time last_miss_{};
  Time measured_at_{};    // the last arrival that looks in vain have pinned down
  Time window_start_{};   // the interval is the average since then
  unsigned window_blocks_ = 0;
  unsigned blocks_since_ = 0;   // measured_at_
  unsigned misses_ = 0;
  int deviations_ = 0;   // gaps in a row that were much longer or shorter than usual
  int hits_ = 0;         // looks in a row that found the block at once
  int unsteady_ = 0;     // grows with arrivals far from where they were expected
  bool seen_ = false, known_ = false;
  bool searching_ = true;   // how late we are is not known
};

}   // namespace agentauri::chain
