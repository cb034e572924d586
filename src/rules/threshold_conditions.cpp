// score_threshold, response_threshold and value_threshold: numbers of an event against a bound (pipeline.md 6.4).
#include "rules/condition_compilers.hpp"
#include "rules/condition_parts.hpp"

namespace agentauri::rules {
namespace {

using domain::Condition;
using domain::Event;

using IntegerMember = std::optional<std::int32_t> Event::*;

class IntegerThreshold final : public CompiledCondition {
 public:
  IntegerThreshold(std::string_view field, IntegerMember member, Operator op, std::int64_t bound)
      : field_(field), member_(member), op_(op), bound_(bound) {}

  Verdict test(const Event& event, Statement*, bool explain) const override {
    const auto& value = event.*member_;
    if (!value) return absent(field_, explain);
    const bool passed = holds(op_, std::int64_t{*value} <=> bound_);
    return verdict(passed, explain,
                   [&] { return fmt::format("{} {} {} {}", field_, *value, phrase(op_, passed), bound_); });
  }
  void select(Selector& selector) const override {
    if (member_ == &Event::score) narrow_score(selector, op_, {bound_, 0});
  }

 private:
  std::string_view field_;
  IntegerMember member_;
  Operator op_;
  std::int64_t bound_;
};

// The value before the operator: a bound that cannot be read is an error for every event, an operator only for those
// that have the field.
Result<CompiledPtr> compile_integer(const Condition& condition, std::string_view field, IntegerMember member) {
  auto bound = integer_value(condition.value, INT32_MIN, INT32_MAX);
  if (!bound) return fail(bound);
  auto op = numeric_operator(condition.op);
  if (!op) return fail(op);
  return std::make_shared<IntegerThreshold>(field, member, *op, *bound);
}

class ValueThreshold final : public CompiledCondition {
 public:
  ValueThreshold(Operator op, Decimal bound, std::optional<std::string> tag1)
      : op_(op), bound_(bound), tag1_(std::move(tag1)) {}

  Verdict test(const Event& event, Statement*, bool explain) const override {
    if (tag1_ && event.tag1 != tag1_) {
      return verdict(false, explain, [&] { return fmt::format("tag1 is not {}", shown(*tag1_)); });
    }
    if (!event.value || !event.value_decimals) return absent("value", explain);
    const Decimal value{*event.value, *event.value_decimals};
    const bool passed = holds(op_, order(value, bound_));
    return verdict(passed, explain, [&] {
      return fmt::format("value {} {} {}", agentauri::to_string(value), phrase(op_, passed),
                         agentauri::to_string(bound_));
    });
  }

 private:
  Operator op_;
  Decimal bound_;
  std::optional<std::string> tag1_;
};

}   // namespace

Result<CompiledPtr> compile_score_threshold(const Condition& condition, const CompileContext&) {
  return compile_integer(condition, "score", &Event::score);
}

Result<CompiledPtr> compile_response_threshold(const Condition& condition, const CompileContext&) {
  return compile_integer(condition, "response", &Event::response);
}

Result<CompiledPtr> compile_value_threshold(const Condition& condition, const CompileContext&) {
  auto bound = decimal_value(condition.value);
  if (!bound) return fail(bound);
  auto config = parse_config(condition);
  if (!config) return fail(config);
  auto tag1 = json::optional_string(*config, "tag1");
  if (!tag1) return fail(Code::invalid, "config.tag1", "must be a string");
  auto op = numeric_operator(condition.op);
  if (!op) return fail(op);
  return std::make_shared<ValueThreshold>(*op, *bound, std::move(*tag1));
}

}   // namespace agentauri::rules
