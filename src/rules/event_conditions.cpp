// agent_id_equals, tag_equals, event_type_equals and file_uri_exists: what an event is about (pipeline.md 6.4).
#include <algorithm>

#include "rules/condition_compilers.hpp"
#include "rules/condition_parts.hpp"
#include "rules/event_fields.hpp"

namespace agentauri::rules {
namespace {

using domain::Condition;
using domain::Event;

// These types ignore the operator; one that means something else was hardly written on purpose. `in` is among them: the
// value is compared as a whole.
void check_ignored_operator(const Condition& condition, const CompileContext& context) {
  if (parse_operator(condition.op) != Operator::eq) warn_of_operator(condition, "=", context);
}

class AgentIdEquals final : public CompiledCondition {
 public:
  explicit AgentIdEquals(Uint256 agent) : agent_(agent) {}

  Verdict test(const Event& event, Statement*, bool explain) const override {
    if (!event.agent_id) return absent("agent_id", explain);
    const bool same = *event.agent_id == agent_;
    return verdict(same, explain, [&] {
      return fmt::format("agent_id {} {} {}", to_string(*event.agent_id), phrase(Operator::eq, same),
                         to_string(agent_));
    });
  }
  void select(Selector& selector) const override { selector.agent_id = agent_; }

 private:
  Uint256 agent_;
};

class TagEquals final : public CompiledCondition {
 public:
  TagEquals(std::string_view field, std::optional<std::string> Event::* member, std::string tag)
      : field_(field), member_(member), tag_(std::move(tag)) {}

  Verdict test(const Event& event, Statement*, bool explain) const override {
    const auto& value = event.*member_;
    if (!value) return absent(field_, explain);
    const bool same = *value == tag_;
    return verdict(same, explain, [&] {
      return fmt::format("{} {} {} {}", field_, shown(*value), phrase(Operator::eq, same), shown(tag_));
    });
  }

 private:
  std::string_view field_;
  std::optional<std::string> Event::* member_;
  std::string tag_;
};

class EventTypeIn final : public CompiledCondition {
 public:
  EventTypeIn(std::vector<std::string> types, bool negated) : types_(std::move(types)), negated_(negated) {}

  Verdict test(const Event& event, Statement*, bool explain) const override {
    const bool listed = names(event.event_type);
    return verdict(listed != negated_, explain, [&] {
      if (types_.size() != 1)
        return fmt::format("event_type {} is {}in the list", event.event_type, listed ? "" : "not ");
      return fmt::format("event_type {} {} {}", event.event_type, phrase(Operator::eq, listed), types_[0]);
    });
  }
  void select(Selector& selector) const override {
    if (negated_) return;
    if (!selector.event_types) {
      selector.event_types = types_;
      return;
    }
    std::erase_if(*selector.event_types, [this](const std::string& type) { return !names(type); });
  }

 private:
  bool names(std::string_view type) const { return std::find(types_.begin(), types_.end(), type) != types_.end(); }

  std::vector<std::string> types_;
  bool negated_;
};

class FileUriExists final : public CompiledCondition {
 public:
  Verdict test(const Event& event, Statement*, bool explain) const override {
    const bool there = event.file_uri && !event.file_uri->empty();
    return verdict(there, explain, [there] { return there ? "file_uri is there" : "file_uri is absent"; });
  }
};

}   // namespace

CompiledPtr make_event_type_condition(std::vector<std::string> names, bool negated, const CompileContext& context) {
  for (auto& name : names) {
    name = std::string(resolve_event_type(name));
    if (is_event_type(name) || context.warnings == nullptr) continue;
    context.warnings->push_back({"value", "unknown_event_type",
                                 fmt::format("no registry emits an event named {}: it never occurs", shown(name))});
  }
  return std::make_shared<EventTypeIn>(std::move(names), negated);
}

Result<CompiledPtr> compile_agent_id_equals(const Condition& condition, const CompileContext& context) {
  auto agent = agent_id_value(condition.value);
  if (!agent) return fail(agent);
  check_ignored_operator(condition, context);
  return std::make_shared<AgentIdEquals>(*agent);
}

Result<CompiledPtr> compile_tag_equals(const Condition& condition, const CompileContext& context) {
  const bool is_first = condition.field == "tag1";
  if (!is_first && condition.field != "tag2") return fail(Code::invalid, "field", "must be tag1 or tag2");
  check_ignored_operator(condition, context);
  return is_first ? std::make_shared<TagEquals>("tag1", &Event::tag1, condition.value)
                  : std::make_shared<TagEquals>("tag2", &Event::tag2, condition.value);
}

Result<CompiledPtr> compile_event_type_equals(const Condition& condition, const CompileContext& context) {
  check_ignored_operator(condition, context);
  return make_event_type_condition({condition.value}, false, context);
}

Result<CompiledPtr> compile_file_uri_exists(const Condition& condition, const CompileContext& context) {
  const std::string op = lower_case(condition.op);
  // The one reading that would turn the condition around.
  if (op == "is null") {
    return fail(Code::invalid, "operator", "file_uri_exists asks whether there is a file: the operator is IS NOT NULL");
  }
  if (op != "is not null") warn_of_operator(condition, "IS NOT NULL", context);
  return std::make_shared<FileUriExists>();
}

}   // namespace agentauri::rules
