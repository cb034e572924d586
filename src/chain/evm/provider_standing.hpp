// How one RPC provider is doing: circuit breaker, pause after a rate limit, token bucket (pipeline.md 4.5, 4.6). Pure.
#pragma once

#include <chrono>
#include <cstdint>

namespace agentauri::chain {

class ProviderStanding {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Settings {
    int failures_to_open = 5;
    std::chrono::milliseconds reset{60'000};
    int successes_to_close = 3;
    int requests_per_second = 200;
  };
  enum class State : std::uint8_t { closed, half_open, open };

  explicit ProviderStanding(Settings settings) : settings_(settings), tokens_(settings.requests_per_second) {}

  // Whether a request may go out now; an open breaker becomes half-open when its time has passed.
  bool available(Time now);
  // Takes a token; how long to wait for it.
  std::chrono::milliseconds reserve(Time now);
  void succeeded();
  void failed(Time now);
  void pause_until(Time until) { paused_until_ = until; }

  State state() const { return state_; }
  // 0 closed, 1 half-open, 2 open.
  int state_number() const { return static_cast<int>(state_); }

 private:
  Settings settings_;
  State state_ = State::closed;
  int failures_ = 0;
  int successes_ = 0;
  Time opened_at_{};
  Time paused_until_{};
  double tokens_;
  Time refilled_at_{};
};

}   // namespace agentauri::chain
