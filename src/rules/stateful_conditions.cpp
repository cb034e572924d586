#include "rules/stateful_conditions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/json/json.hpp"
#include "rules/comparison.hpp"

namespace agentauri::rules {
namespace {

constexpr std::int64_t kMaxWindow = 100'000;
constexpr std::int64_t kMaxSeconds = 30LL * 24 * 3600;
constexpr std::size_t kMaxTimestamps = 10'000;
constexpr int128 kScale = 1'000'000'000'000'000'000;

Result<json::Object> parse_config(const domain::Condition& condition) {
  if (!condition.config) return json::Object();
  auto parsed = json::parse(*condition.config);
  if (!parsed || !parsed->is_object()) return fail(Code::invalid, "config", "must be a JSON object");
  return std::move(parsed->get_object());
}

Result<bool> parse_partition(const json::Object& config) {
  auto by = json::optional_string(config, "partition_by");
  if (!by || (*by && **by != "agent_id")) return fail(Code::invalid, "config.partition_by", "must be \"agent_id\" or absent");
  return by->has_value();
}

std::string key_of(const domain::Event& event, bool by_agent) {
  return by_agent && event.agent_id ? to_string(*event.agent_id) : std::string();
}

Verdict verdict(bool passed, bool explain, auto describe) {
  return {passed ? Verdict::Result::passed : Verdict::Result::failed, explain ? describe() : std::string()};
}

// --- moving average --------------------------------------------------------------------------------------------------

class EmaThreshold final : public CompiledCondition {
 public:
  EmaThreshold(Operator op, Decimal threshold, std::int64_t window, bool by_agent) : op_(op), threshold_(threshold), window_(window), by_agent_(by_agent) {}
  bool is_stateful() const override { return true; }
  std::string state_key(const domain::Event& event) const override { return key_of(event, by_agent_); }

  Verdict test(const domain::Event& event, Statement* state, bool explain) const override {
    if (!event.score) return {Verdict::Result::failed, explain ? "score is absent" : ""};
    int128 ema = static_cast<int128>(*event.score) * kScale;
    std::int64_t count = 1;
    if (state->before) {
      const auto stored = json::parse(*state->before);
      const auto* object = stored ? stored->if_object() : nullptr;
      const auto* fixed = object != nullptr ? json::find(*object, "ema") : nullptr;
      const auto* seen = object != nullptr ? json::find(*object, "count") : nullptr;
      const auto known = fixed != nullptr && fixed->is_string() ? parse_int128(json::view(fixed->get_string())) : std::nullopt;
      if (!known || seen == nullptr || !seen->is_int64()) return {Verdict::Result::error, "the stored moving average cannot be read"};
      ema = next_ema(*known, *event.score, window_);
      count = seen->get_int64() + 1;
    }
    state->after = fmt::format(R"({{"ema":"{}","count":{},"last_updated":{}}})", to_string(ema), count, to_unix_seconds(event.block_time));
    const Decimal average{ema, kEmaDecimals};
    state->ema = rules_text(average);
    return verdict(holds(op_, compare(average, threshold_)), explain, [&] {
      return fmt::format("moving average {} {} {} (window {}, event {})", rules_text(average), symbol(op_), agentauri::to_string(threshold_), window_, count);
    });
  }

 private:
  // Without the zeros that nobody needs.
  static std::string rules_text(const Decimal& number) {
    std::string out = agentauri::to_string(number);
    while (out.ends_with('0')) out.pop_back();
    if (out.ends_with('.')) out.pop_back();
    return out;
  }

  Operator op_;
  Decimal threshold_;
  std::int64_t window_;
  bool by_agent_;
};

// --- rate window -----------------------------------------------------------------------------------------------------

Result<std::int64_t> parse_duration(const json::Object& config) {
  const auto wrong = [] { return fail(Code::invalid, "config.time_window", "must be a whole number with s, m, h or d, from 1s to 30d"); };
  auto text = json::optional_string(config, "time_window");
  if (!text || !*text || (*text)->size() < 2) return wrong();
  const std::string& window = **text;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(window.data(), window.data() + window.size() - 1, number);
  if (error != std::errc{} || end != window.data() + window.size() - 1 || number < 1 || number > kMaxSeconds) return wrong();
  const char unit = window.back();
  const std::int64_t seconds = unit == 's' ? 1 : unit == 'm' ? 60 : unit == 'h' ? 3600 : unit == 'd' ? 86'400 : 0;
  if (seconds == 0 || number > kMaxSeconds / seconds) return wrong();
  return number * seconds;
}

std::string window_state(const std::vector<std::int64_t>& times) {
  std::string out = "[";
  for (const auto time : times) {
    if (out.size() > 1) out += ',';
    out += std::to_string(time);
  }
  return out + ']';
}

class RateLimit final : public CompiledCondition {
 public:
  RateLimit(Operator op, std::int64_t count, std::int64_t window, bool reset, bool by_agent)
      : op_(op), count_(count), window_(window), reset_(reset), by_agent_(by_agent) {}
  bool is_stateful() const override { return true; }
  std::string state_key(const domain::Event& event) const override { return key_of(event, by_agent_); }

  Verdict test(const domain::Event& event, Statement* state, bool explain) const override {
    std::vector<std::int64_t> times;
    if (state->before) {
      const auto stored = json::parse(*state->before);
      if (!stored || !stored->is_array()) return {Verdict::Result::error, "the stored rate window cannot be read"};
      for (const auto& time : stored->get_array()) {
        if (!time.is_int64()) return {Verdict::Result::error, "the stored rate window cannot be read"};
        times.push_back(time.get_int64());
      }
    }
    const std::int64_t now = to_unix_seconds(event.block_time);
    std::erase_if(times, [cutoff = now - window_](std::int64_t time) { return time < cutoff; });
    times.push_back(now);
    if (times.size() > kMaxTimestamps) times.erase(times.begin(), times.end() - static_cast<std::ptrdiff_t>(kMaxTimestamps));
    const auto count = static_cast<std::int64_t>(times.size());
    state->after = window_state(times);
    // The list is emptied by the alert, not by this comparison: when a later condition stops the trigger, nothing fired.
    if (reset_) state->after_match = "[]";
    state->event_count = static_cast<std::uint64_t>(count);
    return verdict(holds(op_, count <=> count_), explain, [&] { return fmt::format("{} events within {} s {} {}", count, window_, symbol(op_), count_); });
  }

 private:
  Operator op_;
  std::int64_t count_, window_;
  bool reset_, by_agent_;
};

Result<void> need_stateful(const domain::Condition& condition, const CompileContext& context) {
  if (context.is_stateful) return {};
  return fail(Code::invalid, "condition_type", fmt::format("{} needs a trigger with is_stateful = true", condition.condition_type));
}

}  // namespace

int128 next_ema(int128 ema, std::int32_t score, std::int64_t window) {
  const int128 step = (static_cast<int128>(score) * kScale - ema) * 2;
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
  auto window = json::optional_int(*config, "window_size", 1, kMaxWindow);
  if (!window || !*window) return fail(Code::invalid, "config.window_size", fmt::format("must be a whole number from 1 to {}", kMaxWindow));
  auto by_agent = parse_partition(*config);
  if (!by_agent) return fail(by_agent);
  return std::make_shared<EmaThreshold>(*op, *threshold, **window, *by_agent);
}

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
  return std::make_shared<RateLimit>(*op, *count, *window, reset->value_or(false), *by_agent);
}

}  // namespace agentauri::rules
