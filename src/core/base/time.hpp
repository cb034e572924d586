// Wall time in microseconds (what both stores keep), the clock as a dependency, and RFC 3339.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace agentauri {

using Micros = std::chrono::microseconds;
using Time = std::chrono::sys_time<Micros>;

inline std::int64_t to_micros(Time t) {
  return t.time_since_epoch().count();
}
inline Time from_micros(std::int64_t us) {
  return Time{Micros{us}};
}
inline std::int64_t to_unix_seconds(Time t) {
  return std::chrono::floor<std::chrono::seconds>(t).time_since_epoch().count();
}
inline Time from_unix_seconds(std::int64_t s) {
  return Time{std::chrono::seconds{s}};
}

// Time arrives through the constructor, so that tests and the simulation own it. Safe from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time now() const = 0;
};

class SystemClock final : public Clock {
 public:
  Time now() const override;
};

class FakeClock final : public Clock {
 public:
  explicit FakeClock(Time start) : us_(to_micros(start)) {}
  Time now() const override { return from_micros(us_.load()); }
  void advance(Micros step) { us_ += step.count(); }
  void set(Time t) { us_ = to_micros(t); }

 private:
  std::atomic<std::int64_t> us_;
};

// UTC with suffix Z; the fraction is left out when zero, else 3 or 6 digits (http-api.md 1.6).
std::string to_rfc3339(Time t);
// RFC 3339 with an offset or Z; nullopt on anything else, including dates that do not exist.
std::optional<Time> parse_rfc3339(std::string_view text);

}   // namespace agentauri
