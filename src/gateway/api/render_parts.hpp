// Values as the API writes them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/base/time.hpp"
#include "core/json/json.hpp"

namespace agentauri::gateway::render_parts {

inline json::Value text(std::string_view value) {
  return json::String(value);
}
inline json::Value text(const std::string& value) {
  return json::String(value);
}
inline json::Value text(const std::optional<std::string>& value) {
  return value ? text(*value) : json::Value();
}
inline json::Value time(Time value) {
  return text(to_rfc3339(value));
}
inline json::Value time(const std::optional<Time>& value) {
  return value ? time(*value) : json::Value();
}
template <class T>
json::Value number(const std::optional<T>& value) {
  return value ? json::Value(static_cast<std::int64_t>(*value)) : json::Value();
}

}   // namespace agentauri::gateway::render_parts
