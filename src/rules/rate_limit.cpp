// rate_limit: how many events happened within a time (pipeline.md 6.5).
#include <algorithm>

#include "rules/condition_compilers.hpp"
#include "rules/condition_parts.hpp"
#include "rules/stateful_conditions.hpp"

namespace agentauri::rules {
namespace {

// Kept as {"last":1700000540,"count":3,"gaps":[360,180]}: the newest block time and, oldest first, the steps that lead
// there. A full list of 10,000 is then 20 to 60 KB instead of 110, and it is written anew at every event.
struct Window {
  std::int64_t last = 0;             // of the newest event that was counted, also after the list was emptied
  std::vector<std::int64_t> times;   // seconds of block time, in the order of the events
};

std::string write_state(const Window& window) {
  fmt::memory_buffer out;
  fmt::format_to(fmt::appender(out), R"({{"last":{},"count":{},"gaps":[)", window.last, window.times.size());
  for (std::size_t i = 1; i < window.times.size(); ++i) {
    if (i > 1) out.push_back(',');
    fmt::format_to(fmt::appender(out), FMT_STRING("{}"), window.times[i] - window.times[i - 1]);
  }
  out.append(std::string_view("]}"));
  return fmt::to_string(out);
}

std::optional<Window> read_state(std::string_view stored) {
  Window out;
  std::uint64_t count = 0;
  StateText text(stored);
  if (!text.take(R"({"last":)") || !text.take(out.last) || !text.take(R"(,"count":)") || !text.take(count) ||
      !text.take(R"(,"gaps":[)") || count > kMaxRateTimestamps) {
    return std::nullopt;
  }
  std::int64_t from_first = 0;   // seconds since the oldest
  if (count > 0) out.times.push_back(0);
  while (out.times.size() < count) {
    std::int64_t gap = 0;
    if ((out.times.size() > 1 && !text.take(",")) || !text.take(gap)) return std::nullopt;
    if (__builtin_add_overflow(from_first, gap, &from_first)) return std::nullopt;
    out.times.push_back(from_first);
  }
  if (!text.take("]}") || !text.at_end() || !is_state_second(out.last)) return std::nullopt;
  std::int64_t first = 0;
  if (__builtin_sub_overflow(out.last, from_first, &first)) return std::nullopt;
  for (auto& time : out.times) {
    if (__builtin_add_overflow(time, first, &time) || !is_state_second(time)) return std::nullopt;
  }
  return out;
}

class RateLimit final : public CompiledCondition {
 public:
  struct Settings {
    std::int64_t count = 0;
    std::int64_t window_seconds = 0;
    bool reset_on_trigger = false;
    bool by_agent = false;
  };
  RateLimit(Operator op, Settings settings) : op_(op), settings_(settings) {}

  bool is_stateful() const override { return true; }
  std::string state_key(const domain::Event& event) const override { return partition_key(event, settings_.by_agent); }

  Verdict test(const domain::Event& event, Statement* state, bool explain) const override {
    Window window;
    if (state->before) {
      auto known = read_state(*state->before);
      if (!known) return {Verdict::Result::error, "the stored rate window cannot be read"};
      window = std::move(*known);
    }
    window.last = state_second(event);
    const std::int64_t cutoff = window.last - settings_.window_seconds;
    std::erase_if(window.times, [cutoff](std::int64_t time) { return time < cutoff; });
    window.times.push_back(window.last);
    if (window.times.size() > kMaxRateTimestamps) {
      window.times.erase(window.times.begin(), window.times.end() - std::ptrdiff_t{kMaxRateTimestamps});
    }
    const auto count = static_cast<std::int64_t>(window.times.size());
    const bool passed = holds(op_, count <=> settings_.count);
    state->event_count = static_cast<std::uint64_t>(count);
    state->after = write_state(window);
    // "On trigger" is the alert, not this comparison: pipeline.md 6.5 resets "when matched", and a match is what the
    // whole trigger does. A condition behind this one that is false therefore leaves the list as it is: nothing fired,
    // and forgetting the burst would lose the alert that the next event may raise. In 11.5, where this condition is
    // the last, both readings give the same.
    if (settings_.reset_on_trigger) state->after_match = write_state({window.last, {}});
    return verdict(passed, explain, [&] {
      return fmt::format("{} {} within {} s {} {}", count, count == 1 ? "event" : "events", settings_.window_seconds,
                         phrase(op_, passed), settings_.count);
    });
  }

  std::optional<json::Object> state_view(std::string_view stored) const override {
    const auto window = read_state(stored);
    if (!window) return std::nullopt;
    json::Array times(window->times.begin(), window->times.end());
    return json::Object{{"window_start", to_rfc3339(from_unix_seconds(window->last - settings_.window_seconds))},
                        {"count", window->times.size()},
                        {"recent_timestamps", std::move(times)}};
  }

 private:
  Operator op_;
  Settings settings_;
};

// `<integer><unit>` with s, m, h or d, in seconds.
Result<std::int64_t> parse_duration(const json::Object& config) {
  const auto wrong =
      fail(Code::invalid, "config.time_window", "must be a whole number with s, m, h or d, from 1s to 30d");
  const auto text = json::optional_string(config, "time_window");
  if (!text || !*text) return wrong;
  std::int64_t number = 0;
  StateText reader(**text);
  if (!reader.take(number) || number < 1 || number > kMaxRateWindowSeconds || reader.left() != 1) return wrong;
  const char unit = (*text)->back();
  const std::int64_t seconds = unit == 's' ? 1 : unit == 'm' ? 60 : unit == 'h' ? 3600 : unit == 'd' ? 86'400 : 0;
  if (seconds == 0 || number > kMaxRateWindowSeconds / seconds) return wrong;
  return number * seconds;
}

// Only so many events are counted, so some bounds are never passed.
void warn_of_bound(Operator op, std::int64_t count, const CompileContext& context) {
  constexpr auto kMost = static_cast<std::int64_t>(kMaxRateTimestamps);
  const bool is_lower = op == Operator::gt || op == Operator::ge || op == Operator::eq;
  if (context.warnings == nullptr || !is_lower || count < kMost || (count == kMost && op != Operator::gt)) return;
  context.warnings->push_back(
      {"value", "never_reached", fmt::format("at most {} events are counted: this condition is never true", kMost)});
}

}   // namespace

Result<CompiledPtr> compile_rate_limit(const domain::Condition& condition, const CompileContext& context) {
  if (auto stateful = need_stateful(condition, context); !stateful) return fail(stateful);
  auto op = numeric_operator(condition.op);
  if (!op) return fail(op);
  auto count = integer_value(condition.value, 0, UINT32_MAX);
  if (!count) return fail(count);
  auto config = parse_config(condition);
  if (!config) return fail(config);
  auto window = parse_duration(*config);
  if (!window) return fail(window);
  auto reset = json::optional_bool(*config, "reset_on_trigger");
  if (!reset) return fail(Code::invalid, "config.reset_on_trigger", "must be true or false");
  auto by_agent = parse_partition(*config);
  if (!by_agent) return fail(by_agent);
  warn_of_bound(*op, *count, context);
  return std::make_shared<RateLimit>(*op, RateLimit::Settings{*count, *window, reset->value_or(false), *by_agent});
}

}   // namespace agentauri::rules
