#include "rules/condition_types.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/json/json.hpp"
#include "rules/comparison.hpp"
#include "rules/event_fields.hpp"
#include "rules/stateful_conditions.hpp"

namespace agentauri::rules {
namespace {

using domain::Condition;
using domain::Event;

constexpr std::size_t kShownChars = 60;   // of a text value in an explanation

Verdict verdict(bool passed, bool explain, auto describe) {
  return {passed ? Verdict::Result::passed : Verdict::Result::failed, explain ? describe() : std::string()};
}
Verdict absent(std::string_view field, bool explain) {
  return {Verdict::Result::failed, explain ? fmt::format("{} is absent", field) : ""};
}
std::string shown(std::string_view text) {
  if (text.size() <= kShownChars) return fmt::format("\"{}\"", text);
  std::size_t end = kShownChars;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return fmt::format("\"{}…\"", text.substr(0, end));
}

void narrow_score(Selector& selector, Operator op, const Decimal& bound) {
  const auto below = [&](bool inclusive) {
    if (selector.score_below && compare(*selector.score_below, bound) < 0) return;
    selector.score_below = bound;
    selector.below_inclusive = inclusive;
  };
  const auto above = [&](bool inclusive) {
    if (selector.score_above && compare(*selector.score_above, bound) > 0) return;
    selector.score_above = bound;
    selector.above_inclusive = inclusive;
  };
  if (op == Operator::lt || op == Operator::le) below(op == Operator::le);
  if (op == Operator::gt || op == Operator::ge) above(op == Operator::ge);
  if (op == Operator::eq) {
    below(true);
    above(true);
  }
}

// --- agent id --------------------------------------------------------------------------------------------------------

class AgentIdEquals final : public CompiledCondition {
 public:
  explicit AgentIdEquals(Uint256 agent) : agent_(agent) {}
  Verdict test(const Event& event, Statement*, bool explain) const override {
    if (!event.agent_id) return absent("agent_id", explain);
    const bool same = *event.agent_id == agent_;
    return verdict(same, explain, [&] { return fmt::format("agent_id {} {} {}", to_string(*event.agent_id), same ? "=" : "is not", to_string(agent_)); });
  }
  void select(Selector& selector) const override { selector.agent_id = agent_; }

 private:
  Uint256 agent_;
};

Result<CompiledPtr> compile_agent_id(const Condition& condition, const CompileContext&) {
  const auto agent = parse_uint256(condition.value);
  if (!agent) return fail(Code::invalid, "value", "must be an agent id: a whole number from 0 to 2^256 - 1");
  return std::make_shared<AgentIdEquals>(*agent);
}

// --- integers --------------------------------------------------------------------------------------------------------

class IntegerThreshold final : public CompiledCondition {
 public:
  IntegerThreshold(std::string_view field, std::optional<std::int32_t> Event::*member, Operator op, std::int64_t bound) : field_(field), member_(member), op_(op), bound_(bound) {}
  Verdict test(const Event& event, Statement*, bool explain) const override {
    const auto& value = event.*member_;
    if (!value) return absent(field_, explain);
    return verdict(holds(op_, std::int64_t{*value} <=> bound_), explain, [&] { return fmt::format("{} {} {} {}", field_, *value, symbol(op_), bound_); });
  }
  void select(Selector& selector) const override {
    if (field_ == "score") narrow_score(selector, op_, {bound_, 0});
  }

 private:
  std::string_view field_;
  std::optional<std::int32_t> Event::*member_;
  Operator op_;
  std::int64_t bound_;
};

Result<CompiledPtr> compile_integer(const Condition& condition, std::string_view field, std::optional<std::int32_t> Event::*member) {
  auto bound = integer_value(condition.value, INT32_MIN, INT32_MAX);
  if (!bound) return fail(bound);
  auto op = numeric_operator(condition.op);
  if (!op) return fail(op);
  return std::make_shared<IntegerThreshold>(field, member, *op, *bound);
}
Result<CompiledPtr> compile_score(const Condition& c, const CompileContext&) { return compile_integer(c, "score", &Event::score); }
Result<CompiledPtr> compile_response(const Condition& c, const CompileContext&) { return compile_integer(c, "response", &Event::response); }

// --- exact value -----------------------------------------------------------------------------------------------------

class ValueThreshold final : public CompiledCondition {
 public:
  ValueThreshold(Operator op, Decimal bound, std::optional<std::string> tag1) : op_(op), bound_(bound), tag1_(std::move(tag1)) {}
  Verdict test(const Event& event, Statement*, bool explain) const override {
    if (tag1_ && event.tag1 != tag1_) return {Verdict::Result::failed, explain ? fmt::format("tag1 is not {}", shown(*tag1_)) : ""};
    if (!event.value || !event.value_decimals) return absent("value", explain);
    const Decimal value{*event.value, *event.value_decimals};
    return verdict(holds(op_, compare(value, bound_)), explain, [&] { return fmt::format("value {} {} {}", agentauri::to_string(value), symbol(op_), agentauri::to_string(bound_)); });
  }

 private:
  Operator op_;
  Decimal bound_;
  std::optional<std::string> tag1_;
};

Result<CompiledPtr> compile_value(const Condition& condition, const CompileContext&) {
  auto bound = decimal_value(condition.value);
  if (!bound) return fail(bound);
  auto op = numeric_operator(condition.op);
  if (!op) return fail(op);
  std::optional<std::string> tag1;
  if (condition.config) {
    const auto config = json::parse(*condition.config);
    if (!config || !config->is_object()) return fail(Code::invalid, "config", "must be a JSON object");
    auto tag = json::optional_string(config->get_object(), "tag1");
    if (!tag) return fail(Code::invalid, "config.tag1", "must be a string");
    tag1 = std::move(*tag);
  }
  return std::make_shared<ValueThreshold>(*op, *bound, std::move(tag1));
}

// --- tags and event types --------------------------------------------------------------------------------------------

class TagEquals final : public CompiledCondition {
 public:
  TagEquals(bool second, std::string tag) : second_(second), tag_(std::move(tag)) {}
  Verdict test(const Event& event, Statement*, bool explain) const override {
    const auto& value = second_ ? event.tag2 : event.tag1;
    const std::string_view field = second_ ? "tag2" : "tag1";
    if (!value) return absent(field, explain);
    const bool same = *value == tag_;
    return verdict(same, explain, [&] { return fmt::format("{} {} {} {}", field, shown(*value), same ? "=" : "is not", shown(tag_)); });
  }

 private:
  bool second_;
  std::string tag_;
};

Result<CompiledPtr> compile_tag(const Condition& condition, const CompileContext&) {
  if (condition.field != "tag1" && condition.field != "tag2") return fail(Code::invalid, "field", "must be tag1 or tag2");
  return std::make_shared<TagEquals>(condition.field == "tag2", condition.value);
}

class EventTypeIn final : public CompiledCondition {
 public:
  EventTypeIn(std::vector<std::string> types, bool negated) : types_(std::move(types)), negated_(negated) {}
  Verdict test(const Event& event, Statement*, bool explain) const override {
    const bool listed = std::find(types_.begin(), types_.end(), event.event_type) != types_.end();
    return verdict(listed != negated_, explain, [&] {
      return types_.size() == 1 ? fmt::format("event_type {} {} {}", event.event_type, listed ? "=" : "is not", types_[0]) : fmt::format("event_type {} is {}in the list", event.event_type, listed ? "" : "not ");
    });
  }
  void select(Selector& selector) const override {
    if (negated_) return;
    if (!selector.event_types) {
      selector.event_types = types_;
      return;
    }
    std::erase_if(*selector.event_types, [this](const std::string& type) { return std::find(types_.begin(), types_.end(), type) == types_.end(); });
  }

 private:
  std::vector<std::string> types_;
  bool negated_;
};

Result<CompiledPtr> make_event_types(std::vector<std::string> names, bool negated, const CompileContext& context) {
  for (auto& name : names) {
    name = std::string(resolve_event_type(name));
    if (!is_event_type(name) && context.warnings != nullptr) {
      context.warnings->push_back({"value", "unknown_event_type", fmt::format("no registry emits an event named {}: this condition never passes", shown(name))});
    }
  }
  return std::make_shared<EventTypeIn>(std::move(names), negated);
}

Result<CompiledPtr> compile_event_type(const Condition& condition, const CompileContext& context) { return make_event_types({condition.value}, false, context); }

// --- any field -------------------------------------------------------------------------------------------------------

class FieldComparison final : public CompiledCondition {
 public:
  FieldComparison(const EventField& field, Operator op, FieldValue value, std::vector<FieldValue> list) : field_(field), op_(op), value_(std::move(value)), list_(std::move(list)) {}
  Verdict test(const Event& event, Statement*, bool explain) const override {
    const FieldValue actual = field_.read(event);
    if (std::holds_alternative<std::monostate>(actual)) return absent(field_.name, explain);
    const bool passed = op_ == Operator::in ? std::any_of(list_.begin(), list_.end(), [&](const FieldValue& item) { return order(actual, item) == 0; }) : test_one(actual);
    return verdict(passed, explain, [&] { return fmt::format("{} {} {} {}", field_.name, print(actual), symbol(op_), op_ == Operator::in ? fmt::format("a list of {}", list_.size()) : print(value_)); });
  }
  void select(Selector& selector) const override {
    if (field_.name == "agent_id" && op_ == Operator::eq) selector.agent_id = std::get<Uint256>(value_);
    if (field_.name == "score" && is_numeric(op_)) narrow_score(selector, op_, std::get<Decimal>(value_));
  }

 private:
  bool test_one(const FieldValue& actual) const {
    if (is_numeric(op_)) return holds(op_, order(actual, value_));
    const auto& text = std::get<std::string>(actual);
    const auto& part = std::get<std::string>(value_);
    if (op_ == Operator::contains) return text.find(part) != std::string::npos;
    return op_ == Operator::starts_with ? text.starts_with(part) : text.ends_with(part);
  }
  static std::strong_ordering order(const FieldValue& a, const FieldValue& b) {
    if (const auto* number = std::get_if<Decimal>(&a)) return compare(*number, std::get<Decimal>(b));
    if (const auto* agent = std::get_if<Uint256>(&a)) return *agent <=> std::get<Uint256>(b);
    return std::get<std::string>(a) <=> std::get<std::string>(b);
  }
  static std::string print(const FieldValue& value) {
    if (const auto* number = std::get_if<Decimal>(&value)) return agentauri::to_string(*number);
    if (const auto* agent = std::get_if<Uint256>(&value)) return agentauri::to_string(*agent);
    return shown(std::get<std::string>(value));
  }

  const EventField& field_;
  Operator op_;
  FieldValue value_;
  std::vector<FieldValue> list_;
};

Result<FieldValue> read_field_value(const EventField& field, const std::string& text) {
  switch (field.kind) {
    case FieldKind::number: {
      auto number = decimal_value(text);
      if (!number) return fail(number);
      return FieldValue(*number);
    }
    case FieldKind::agent_id: {
      const auto agent = parse_uint256(text);
      if (!agent) return fail(Code::invalid, "value", "must be an agent id: a whole number from 0 to 2^256 - 1");
      return FieldValue(*agent);
    }
    case FieldKind::text: break;
  }
  // Addresses and hashes are stored in lower case; a user may write them otherwise.
  return FieldValue(text.starts_with("0x") ? lower_case(text) : text);
}

Result<CompiledPtr> compile_field(const Condition& condition, const CompileContext& context) {
  const EventField* field = find_event_field(condition.field);
  if (field == nullptr) return fail(Code::invalid, "field", fmt::format("{} is not a field of an event", shown(condition.field)));
  if (field->name == "file_uri" && condition.op == "IS NOT NULL") return fail(Code::invalid, "condition_type", "IS NOT NULL belongs to file_uri_exists");
  const auto op = parse_operator(condition.op);
  if (!op) return fail(Code::invalid, "operator", fmt::format("{} is not one of < > = == <= >= != <> eq ne gt gte lt lte in contains startsWith endsWith", shown(condition.op)));
  if (field->kind != FieldKind::text && !is_numeric(*op) && *op != Operator::in) return fail(Code::invalid, "operator", fmt::format("{} is a number: {} is for text", field->name, symbol(*op)));
  if (field->kind == FieldKind::text && is_numeric(*op) && *op != Operator::eq && *op != Operator::ne) return fail(Code::invalid, "operator", fmt::format("{} is text: {} is for numbers", field->name, symbol(*op)));
  std::vector<std::string> texts{condition.value};
  if (*op == Operator::in) {
    auto list = list_value(condition.value);
    if (!list) return fail(list);
    texts = std::move(*list);
  }
  if (field->name == "event_type" && (*op == Operator::eq || *op == Operator::ne || *op == Operator::in)) return make_event_types(std::move(texts), *op == Operator::ne, context);
  std::vector<FieldValue> values;
  for (const auto& text : texts) {
    auto value = read_field_value(*field, text);
    if (!value) return fail(value);
    values.push_back(std::move(*value));
  }
  FieldValue single = *op == Operator::in ? FieldValue() : values[0];
  return std::make_shared<FieldComparison>(*field, *op, std::move(single), std::move(values));
}

Result<CompiledPtr> compile_event_filter(const Condition& condition, const CompileContext& context) {
  if (condition.field != "event_type") return compile_field(condition, context);
  Condition filter = condition;
  if (!parse_operator(filter.op)) filter.op = "=";
  return compile_field(filter, context);
}

// --- the rest --------------------------------------------------------------------------------------------------------

Result<CompiledPtr> compile_whitelist(const Condition& condition, const CompileContext& context) {
  auto list = list_value(condition.value);
  if (!list) return fail(list);
  if (!std::all_of(list->begin(), list->end(), is_address_text)) return fail(Code::invalid, "value", "must be a JSON array of addresses: 0x and 40 hex digits each");
  Condition field = condition;
  field.field = "validator_address";
  field.op = "in";
  return compile_field(field, context);
}

class FileUriExists final : public CompiledCondition {
 public:
  Verdict test(const Event& event, Statement*, bool explain) const override {
    const bool there = event.file_uri && !event.file_uri->empty();
    return verdict(there, explain, [&] { return there ? "file_uri is there" : "file_uri is absent"; });
  }
};
Result<CompiledPtr> compile_file_uri(const Condition&, const CompileContext&) { return std::make_shared<FileUriExists>(); }

}  // namespace

const std::vector<ConditionType>& condition_types() {
  static const std::vector<ConditionType> types{
      {"agent_id_equals", &compile_agent_id, "the event is about this agent"},
      {"score_threshold", &compile_score, "the score of a feedback passes a bound"},
      {"value_threshold", &compile_value, "the exact value of a feedback passes a bound"},
      {"response_threshold", &compile_response, "the response of a validation passes a bound"},
      {"tag_equals", &compile_tag, "tag1 or tag2 is this text"},
      {"event_type_equals", &compile_event_type, "the event has this type"},
      {"event_filter", &compile_event_filter, "the event has this type, or one of these"},
      {"field_match", &compile_field, "a field of the event has this value"},
      {"field_comparison", &compile_field, "a field of the event compares so"},
      {"validator_whitelist", &compile_whitelist, "the validator is one of these addresses"},
      {"file_uri_exists", &compile_file_uri, "a feedback names a file"},
      {"ema_threshold", &compile_ema_threshold, "a moving average of scores passes a bound"},
      {"rate_limit", &compile_rate_limit, "so many events happened within a time"},
  };
  return types;
}

}  // namespace agentauri::rules
