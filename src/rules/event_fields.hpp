// The fields of an event by name, as conditions and templates call them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/number.hpp"
#include "domain/event.hpp"

namespace agentauri::rules {

// A number is compared as a number, text as text. monostate: the field exists but has no value in this event.
using FieldValue = std::variant<std::monostate, Decimal, Uint256, std::string>;

enum class FieldKind : std::uint8_t { number, agent_id, text };

struct EventField {
  std::string_view name;
  FieldKind kind;
  FieldValue (*read)(const domain::Event&);
};
const std::vector<EventField>& event_fields();
const EventField* find_event_field(std::string_view name);

// Event names as contracts emit them, and the older spellings that mean one of them (pipeline.md 3.4).
bool is_event_type(std::string_view name);
std::string_view resolve_event_type(std::string_view name);   // the name itself when it is no alias

}  // namespace agentauri::rules
