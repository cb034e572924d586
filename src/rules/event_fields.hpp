// The fields of an event by name, as conditions call them, and the names of event types.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/number.hpp"
#include "domain/event.hpp"

namespace agentauri::rules {

// Numbers are compared as numbers, text as text. monostate: the field has no value in this event. Text belongs to the
// event or to the scratch string of the reader.
using FieldValue = std::variant<std::monostate, Decimal, Uint256, std::string_view>;

// hex: addresses, hashes and bytes as `0x` text, compared without case. text: compared letter by letter.
enum class FieldKind : std::uint8_t { number, agent_id, hex, text };

struct EventField {
  std::string_view name;
  FieldKind kind;
  // `scratch` holds text that the event does not hold itself (hashes).
  FieldValue (*read)(const domain::Event&, std::string& scratch);
};
// Every field of the record (pipeline.md 3.2), under its name there.
const std::vector<EventField>& event_fields();
const EventField* find_event_field(std::string_view name);

// Event names as contracts emit them, and the older spellings that mean one of them (pipeline.md 3.4).
bool is_event_type(std::string_view name);
std::string_view resolve_event_type(std::string_view name);   // the name itself when it is no alias
// Events about the contract rather than about an agent, and logs that did not decode: stored, but matched only by
// triggers that name them (pipeline.md 3.3).
bool is_housekeeping_event(std::string_view name);

}   // namespace agentauri::rules
