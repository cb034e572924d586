// Templates (pipeline.md 8.1): `{{name}}`, `{{ name }}`, `{{data.name}}`, `{{raw:name}}`; single pass, values are never
// scanned again, escaping by context.
#pragma once

#include <string>
#include <string_view>

#include "core/base/result.hpp"
#include "core/json/json.hpp"

namespace agentauri::rules {

inline constexpr std::size_t kMaxTemplateBytes = 64 * 1024;
inline constexpr std::size_t kMaxRenderedBytes = 64 * 1024;

enum class Escape : std::uint8_t { none, markdown_v2, html, url_component, http_header };

// Code::invalid naming the unknown placeholder or the bound; used on save.
Result<void> check_template(std::string_view text);
// The same for every string of a JSON template.
Result<void> check_json_template(const json::Value& value);

Result<std::string> render_text(std::string_view text, const json::Object& data, Escape escape);
// A string that is exactly one placeholder takes the value with its own type; anything else stays a string. Keys and
// numbers are not rendered. `legacy_coercion`: a rendered string that reads as a number, boolean or null becomes it.
Result<json::Value> render_json(const json::Value& value, const json::Object& data, bool legacy_coercion);

}  // namespace agentauri::rules
