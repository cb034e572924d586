// Heartbeat and silence, and how long this process has reached the store without a gap. Value, not shared between
// threads.
//
// Others are dead when they have been silent for kSilence; but while nobody can reach the store, everybody is silent.
// Whoever is back first therefore waits as long again before it believes what the silence says.
#pragma once

#include <chrono>

#include "core/base/time.hpp"

namespace agentauri::store {

inline constexpr std::chrono::milliseconds kHeartbeat{1000};
inline constexpr std::chrono::milliseconds kSilence{3000};

class Reach {
 public:
  using Steady = std::chrono::steady_clock;

  // One that has reached the store for long, for tools and tests.
  static Reach long_since() {
    Reach out;
    out.ever_ = true;
    out.last_ = Steady::now();
    out.since_ = out.last_ - 2 * kSilence;
    return out;
  }
  // After each unit of work that succeeded; the owner makes one at least every second.
  void reached(Steady::time_point now = Steady::now()) {
    if (!ever_ || now - last_ > kSilence) since_ = now;
    ever_ = true;
    last_ = now;
  }
  // Asked inside the unit of work that uses the answer: the unit may have waited for the store.
  bool steady(Steady::time_point now = Steady::now()) const {
    return ever_ && now - last_ <= kSilence && now - since_ >= kSilence;
  }
  // Who was last heard before this is dead; the beginning of time when nobody can be said to be.
  Time silent_since(Time store_now, Steady::time_point now = Steady::now()) const {
    return steady(now) ? store_now - kSilence : Time{};
  }

 private:
  bool ever_ = false;
  Steady::time_point since_, last_;
};

}   // namespace agentauri::store
