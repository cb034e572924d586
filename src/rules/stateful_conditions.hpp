// What the conditions that remember share (pipeline.md 6.5): the moving average's arithmetic, partition and stored
// text. Their state is short JSON; equal states have equal bytes. Time is block time.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "rules/condition_types.hpp"

namespace agentauri::rules {

inline constexpr std::uint8_t kEmaDecimals = 18;
inline constexpr std::int64_t kMaxEmaWindow = 100'000;
inline constexpr std::int64_t kMaxRateWindowSeconds = 30LL * 24 * 3600;
inline constexpr std::size_t kMaxRateTimestamps = 10'000;
inline constexpr std::int64_t kLastStateSecond = 253'402'300'799;   // of the year 9999, the last that RFC 3339 writes

// The next moving average at 10^-18, rounded half away from zero: ema + (score - ema) * 2 / (window + 1).
int128 next_ema(int128 ema, std::int32_t score, std::int64_t window);

// The double next to a decimal text: averages on the wire.
double nearest_double(std::string_view decimal_text);

// Code::invalid with field `condition_type` when the trigger is not stateful.
Result<void> need_stateful(const domain::Condition& condition, const CompileContext& context);
// Whether `partition_by` is "agent_id".
Result<bool> parse_partition(const json::Object& config);
// The agent id when partitioned by it and the event has one, else "".
std::string partition_key(const domain::Event& event, bool by_agent);

// Block time as states keep it, in seconds: what a node says beyond 1970 to 9999 is brought near, so that every state
// that was written can be read and shown.
std::int64_t state_second(const domain::Event& event);
inline bool is_state_second(std::int64_t second) {
  return second >= 0 && second <= kLastStateSecond;
}

// Reads state texts piece by piece. They are ours, so anything but the exact spelling is damage.
class StateText {
 public:
  explicit StateText(std::string_view text) : rest_(text) {}

  bool take(std::string_view literal) {
    if (!rest_.starts_with(literal)) return false;
    rest_.remove_prefix(literal.size());
    return true;
  }
  template <std::integral Number>
  bool take(Number& number) {
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
    if (error != std::errc{}) return false;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return true;
  }
  bool at_end() const { return rest_.empty(); }
  std::size_t left() const { return rest_.size(); }

 private:
  std::string_view rest_;
};

}   // namespace agentauri::rules
