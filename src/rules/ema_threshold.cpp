// ema_threshold: an exponential moving average of scores against a bound (pipeline.md 6.5).
#include "rules/condition_compilers.hpp"
#include "rules/condition_parts.hpp"
#include "rules/stateful_conditions.hpp"

namespace agentauri::rules {
namespace {

constexpr int128 kScale = 1'000'000'000'000'000'000;

// Kept as {"ema":"69752066115702479338","count":3,"last_updated":1700000000}: the average in units of 10^-18 as text,
// since JSON numbers of that size are not exact everywhere; seconds of block time.
struct Average {
  int128 ema = 0;
  std::int64_t count = 0;
  std::int64_t last_updated = 0;
};

std::string write_state(const Average& average) {
  return fmt::format(R"({{"ema":"{}","count":{},"last_updated":{}}})", to_string(average.ema), average.count,
                     average.last_updated);
}

std::optional<Average> read_state(std::string_view stored) {
  Average out;
  StateText text(stored);
  const bool read = text.take(R"({"ema":")") && text.take(out.ema) && text.take(R"(","count":)") &&
                    text.take(out.count) && text.take(R"(,"last_updated":)") && text.take(out.last_updated) &&
                    text.take("}") && text.at_end();
  // An average of 32-bit scores stays within their range.
  constexpr int128 kBound = (int128{1} << 31) * kScale;
  if (!read || out.count < 1 || out.count == INT64_MAX || !is_state_second(out.last_updated)) return std::nullopt;
  if (out.ema < -kBound || out.ema > kBound) return std::nullopt;
  return out;
}

// Without the zeros that nobody needs.
std::string decimal_text(int128 ema) {
  std::string out = agentauri::to_string(Decimal{ema, kEmaDecimals});
  while (out.ends_with('0')) out.pop_back();
  if (out.ends_with('.')) out.pop_back();
  return out;
}

class EmaThreshold final : public CompiledCondition {
 public:
  EmaThreshold(Operator op, Decimal threshold, std::int64_t window, bool by_agent)
      : op_(op), threshold_(threshold), window_(window), by_agent_(by_agent) {}

  bool is_stateful() const override { return true; }
  std::string state_key(const domain::Event& event) const override { return partition_key(event, by_agent_); }

  Verdict test(const domain::Event& event, Statement* state, bool explain) const override {
    if (!event.score) return absent("score", explain);
    Average average{int128{*event.score} * kScale, 0, 0};
    if (state->before) {
      const auto known = read_state(*state->before);
      if (!known) return {Verdict::Result::error, "the stored moving average cannot be read"};
      average = *known;
      average.ema = next_ema(known->ema, *event.score, window_);
    }
    ++average.count;
    average.last_updated = state_second(event);
    state->after = write_state(average);
    const bool passed = holds(op_, order({average.ema, kEmaDecimals}, threshold_));
    if (passed || explain) state->ema = decimal_text(average.ema);
    return verdict(passed, explain, [&] {
      return fmt::format("moving average {} {} {} (window {}, event {})", *state->ema, phrase(op_, passed),
                         agentauri::to_string(threshold_), window_, average.count);
    });
  }

  std::optional<json::Object> state_view(std::string_view stored) const override {
    const auto average = read_state(stored);
    if (!average) return std::nullopt;
    return json::Object{{"ema", nearest_double(decimal_text(average->ema))},
                        {"count", average->count},
                        {"last_updated", to_rfc3339(from_unix_seconds(average->last_updated))}};
  }

 private:
  Operator op_;
  Decimal threshold_;
  std::int64_t window_;
  bool by_agent_;
};

}   // namespace

int128 next_ema(int128 ema, std::int32_t score, std::int64_t window) {
  const int128 step = (int128{score} * kScale - ema) * 2;
  const int128 divisor = window + 1;
  const int128 magnitude = step < 0 ? -step : step;
  const int128 rounded = (magnitude * 2 + divisor) / (divisor * 2);
  return ema + (step < 0 ? -rounded : rounded);
}

Result<CompiledPtr> compile_ema_threshold(const domain::Condition& condition, const CompileContext& context) {
  if (auto stateful = need_stateful(condition, context); !stateful) return fail(stateful);
  auto op = numeric_operator(condition.op);
  if (!op) return fail(op);
  auto threshold = decimal_value(condition.value);
  if (!threshold) return fail(threshold);
  auto config = parse_config(condition);
  if (!config) return fail(config);
  auto window = json::optional_int(*config, "window_size", 1, kMaxEmaWindow);
  if (!window || !*window) {
    return fail(Code::invalid, "config.window_size", fmt::format("must be a whole number from 1 to {}", kMaxEmaWindow));
  }
  auto by_agent = parse_partition(*config);
  if (!by_agent) return fail(by_agent);
  return std::make_shared<EmaThreshold>(*op, *threshold, **window, *by_agent);
}

}   // namespace agentauri::rules
