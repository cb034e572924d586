// field_comparison, field_match, event_filter and validator_whitelist: any field of the record (pipeline.md 6.4).
#include <algorithm>
#include <type_traits>

#include "rules/condition_compilers.hpp"
#include "rules/condition_parts.hpp"
#include "rules/event_fields.hpp"

namespace agentauri::rules {
namespace {

using domain::Condition;
using domain::Event;

// What a field is compared with; as FieldValue, but it owns its text.
using Wanted = std::variant<Decimal, Uint256, std::string>;

class FieldComparison final : public CompiledCondition {
 public:
  // `wanted` has one element unless the operator is `in`.
  FieldComparison(const EventField& field, Operator op, std::vector<Wanted> wanted)
      : field_(field), op_(op), wanted_(std::move(wanted)) {}

  Verdict test(const Event& event, Statement*, bool explain) const override {
    std::string scratch;
    const FieldValue actual = field_.read(event, scratch);
    if (std::holds_alternative<std::monostate>(actual)) return absent(field_.name, explain);
    const bool passed = passes(actual);
    return verdict(passed, explain, [&] {
      return fmt::format("{} {} {} {}", field_.name, print(actual), phrase(op_, passed),
                         op_ == Operator::in ? fmt::format("a list of {}", wanted_.size()) : print(wanted_[0]));
    });
  }
  void select(Selector& selector) const override {
    if (field_.kind == FieldKind::agent_id && op_ == Operator::eq) selector.agent_id = std::get<Uint256>(wanted_[0]);
    if (field_.name == "score" && is_numeric(op_)) narrow_score(selector, op_, std::get<Decimal>(wanted_[0]));
  }

 private:
  bool passes(const FieldValue& actual) const {
    if (const auto* number = std::get_if<Decimal>(&actual)) {
      return compares([number](const Wanted& w) { return order(*number, std::get<Decimal>(w)); });
    }
    if (const auto* agent = std::get_if<Uint256>(&actual)) {
      return compares([agent](const Wanted& w) { return *agent <=> std::get<Uint256>(w); });
    }
    return passes_text(std::get<std::string_view>(actual));
  }
  template <class Order>
  bool compares(Order order_to) const {
    if (op_ != Operator::in) return holds(op_, order_to(wanted_[0]));
    return std::any_of(wanted_.begin(), wanted_.end(), [&](const Wanted& w) { return order_to(w) == 0; });
  }
  bool passes_text(std::string_view text) const {
    const bool fold = field_.kind == FieldKind::hex;
    const auto same = [fold](std::string_view a, std::string_view b) {
      return fold ? equal_ignoring_case(a, b) : a == b;
    };
    const std::string_view part = std::get<std::string>(wanted_[0]);
    switch (op_) {
      case Operator::eq:
        return same(text, part);
      case Operator::ne:
        return !same(text, part);
      case Operator::in:
        return std::any_of(wanted_.begin(), wanted_.end(),
                           [&](const Wanted& w) { return same(text, std::get<std::string>(w)); });
      case Operator::contains:
        return fold ? contains_ignoring_case(text, part) : text.contains(part);
      case Operator::starts_with:
        return same(text.substr(0, part.size()), part);
      case Operator::ends_with:
        return text.size() >= part.size() && same(text.substr(text.size() - part.size()), part);
      default:
        return false;
    }
  }
  template <class Value>
  static std::string print(const Value& value) {
    using Text = std::conditional_t<std::is_same_v<Value, FieldValue>, std::string_view, std::string>;
    if (const auto* number = std::get_if<Decimal>(&value)) return agentauri::to_string(*number);
    if (const auto* agent = std::get_if<Uint256>(&value)) return agentauri::to_string(*agent);
    return shown(std::get<Text>(value));
  }

  const EventField& field_;   // of the table, which lives as long as the program
  Operator op_;
  std::vector<Wanted> wanted_;
};

Result<Wanted> read_wanted(const EventField& field, const std::string& text) {
  switch (field.kind) {
    case FieldKind::number: {
      auto number = decimal_value(text);
      if (!number) return fail(number);
      return Wanted(*number);
    }
    case FieldKind::agent_id: {
      auto agent = agent_id_value(text);
      if (!agent) return fail(agent);
      return Wanted(*agent);
    }
    case FieldKind::hex:
    case FieldKind::text:
      break;
  }
  return Wanted(text);
}

Result<Operator> field_operator(const EventField& field, const std::string& text) {
  const auto wrong = [](std::string why) { return fail(Code::invalid, "operator", std::move(why)); };
  const auto op = parse_operator(text);
  if (!op && lower_case(text) == "is not null" && field.name == "file_uri") {
    return wrong("IS NOT NULL belongs to the condition type file_uri_exists");
  }
  if (!op)
    return wrong(fmt::format("{} is not one of {} in contains startsWith endsWith", shown(text), kNumericOperators));
  const bool is_number = field.kind == FieldKind::number || field.kind == FieldKind::agent_id;
  const bool is_equality = *op == Operator::eq || *op == Operator::ne || *op == Operator::in;
  if (is_number && !is_numeric(*op) && !is_equality) {
    return wrong(fmt::format("{} is a number: {} is for text", field.name, symbol(*op)));
  }
  if (!is_number && is_numeric(*op) && !is_equality) {
    return wrong(fmt::format("{} is text: {} is for numbers", field.name, symbol(*op)));
  }
  return *op;
}

}   // namespace

Result<CompiledPtr> compile_field_comparison(const Condition& condition, const CompileContext& context) {
  const EventField* field = find_event_field(condition.field);
  if (field == nullptr) {
    return fail(Code::invalid, "field", fmt::format("{} is not a field of an event", shown(condition.field)));
  }
  auto op = field_operator(*field, condition.op);
  if (!op) return fail(op);
  std::vector<std::string> texts{condition.value};
  if (*op == Operator::in) {
    auto list = list_value(condition.value);
    if (!list) return fail(list);
    texts = std::move(*list);
  }
  const bool is_equality = *op == Operator::eq || *op == Operator::ne || *op == Operator::in;
  if (field->name == "event_type" && is_equality) {
    return make_event_type_condition(std::move(texts), *op == Operator::ne, context);
  }
  std::vector<Wanted> wanted;
  for (const auto& text : texts) {
    auto value = read_wanted(*field, text);
    if (!value) return fail(value);
    wanted.push_back(std::move(*value));
  }
  return std::make_shared<FieldComparison>(*field, *op, std::move(wanted));
}

// event_type_equals by another name; the operators of field_comparison work too, others are read as `=`.
Result<CompiledPtr> compile_event_filter(const Condition& condition, const CompileContext& context) {
  if (condition.field != "event_type" || parse_operator(condition.op)) {
    return compile_field_comparison(condition, context);
  }
  warn_of_operator(condition, "=", context);
  return make_event_type_condition({condition.value}, false, context);
}

Result<CompiledPtr> compile_validator_whitelist(const Condition& condition, const CompileContext& context) {
  // NOT IN must not be read as IN.
  const auto op = parse_operator(condition.op);
  if (!op || (*op != Operator::in && *op != Operator::eq)) {
    return fail(Code::invalid, "operator", fmt::format("must be IN: {} is not known here", shown(condition.op)));
  }
  auto list = list_value(condition.value);
  if (!list) return fail(list);
  if (!std::all_of(list->begin(), list->end(), is_address_text)) {
    return fail(Code::invalid, "value", "must be a JSON array of addresses: 0x and 40 hex digits each");
  }
  Condition comparison = condition;
  comparison.field = "validator_address";
  comparison.op = "in";
  return compile_field_comparison(comparison, context);
}

}   // namespace agentauri::rules
