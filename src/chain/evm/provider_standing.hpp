// How one RPC provider is doing: circuit breaker, pause after a rate limit, token bucket, demotion
// (pipeline.md 4.4-4.6). Pure: time comes in. Used on one executor.
//
// A failed call demotes: others are asked first, for a time that doubles with each failure; then the provider is due
// for a probe, and one success puts it back into its place. The breaker is stricter: while it is open nothing is sent
// at all.
#pragma once

#include <chrono>
#include <cstdint>

namespace agentauri::chain {

class ProviderStanding {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Settings {
    int failures_to_open = 5;                           // in a row
    std::chrono::milliseconds reset{60'000};            // until an open breaker lets something through again
    int successes_to_close = 3;                         // in a row, while half open
    int requests_per_second = 200;                      // also the burst; 0: no limit
    std::chrono::milliseconds first_demotion{10'000};   // doubles up to max_demotion
    std::chrono::milliseconds max_demotion{300'000};
    // One that lags must not come back before the heads may be compared again.
    std::chrono::milliseconds shortest_lag_demotion{0};
  };
  enum class State : std::uint8_t { closed, half_open, open };

  explicit ProviderStanding(Settings settings) : settings_(settings), tokens_(settings.requests_per_second) {}

  // Whether a request may go out now; an open breaker becomes half-open when its time has passed.
  bool available(Time now);
  // Others come first.
  bool demoted(Time now) const { return now < demoted_until_ || now < behind_until_; }
  // Failed last, and its demotion is over: to be tried with something small.
  bool wants_probe(Time now) const { return demotions_ > 0 && now >= demoted_until_; }
  // Takes a token; how long to wait for it.
  std::chrono::milliseconds reserve(Time now);

  void succeeded();
  // Counts for the breaker, and demotes.
  void failed(Time now);
  // It answers, but behind the others: demotes, however well it answers, until it was seen to keep up.
  void fell_behind(Time now);
  void kept_up();
  // Nothing is sent until then (Retry-After, another chain).
  void pause_until(Time until);

  State state() const { return state_; }
  // 0 closed, 1 half-open, 2 open.
  int state_number() const { return static_cast<int>(state_); }

 private:
  std::chrono::milliseconds demotion_of(unsigned times) const;

  Settings settings_;
  State state_ = State::closed;
  int failures_ = 0;
  int successes_ = 0;
  unsigned demotions_ = 0;
  unsigned times_behind_ = 0;
  Time opened_at_{};
  Time paused_until_{};
  Time demoted_until_{};
  Time behind_until_{};
  double tokens_;
  Time refilled_at_{};
};

// The wait before retry number `retry` (from 0): 125 ms doubling up to 8 s, ±20 % by `random` in 0..1
// (pipeline.md 4.4).
std::chrono::milliseconds retry_wait(unsigned retry, double random);

}   // namespace agentauri::chain
