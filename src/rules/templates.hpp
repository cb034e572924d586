// Templates (pipeline.md 8.1): `{{name}}`, `{{ name }}`, `{{data.name}}`, `{{raw:name}}`; single pass, values are never
// scanned again, escaping by context. `{{…}}` around anything but a name is literal text, as is an unclosed `{{`; how a
// text is taken apart is in template_pieces.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.hpp"
#include "core/json/json.hpp"

namespace agentauri::rules {

inline constexpr std::size_t kMaxTemplateBytes = 64 * 1024;   // of a text, and of a JSON template as a whole
inline constexpr std::size_t kMaxRenderedBytes = 64 * 1024;   // likewise

// Where the values go. `{{raw:…}}` switches it off, except that a header never takes control characters, and a URL
// nothing that it cannot hold.
enum class Escape : std::uint8_t { none, markdown_v2, html, url_component, http_header };

// Code::invalid naming the unknown placeholder or the bound; used on save.
Result<void> check_template(std::string_view text);
// The same for every string of a JSON template.
Result<void> check_json_template(const json::Value& value);

// Code::invalid as check_template. Names that `data` lacks, and null, are empty. Where the whole would be longer than
// `max_bytes`, long values are cut until it is not; Code::too_large when the template's own text is.
Result<std::string> render_text(std::string_view text, const json::Object& data, Escape escape,
                                std::size_t max_bytes = kMaxRenderedBytes);
// A string that is exactly one placeholder takes the value with its own type; anything else stays a string. Keys and
// numbers are not rendered. `legacy_coercion`: a rendered string that reads as a number, boolean or null becomes it,
// unless digits would be lost. Cut as render_text; `max_bytes` is of the document as text.
Result<json::Value> render_json(const json::Value& value, const json::Object& data, bool legacy_coercion,
                                std::size_t max_bytes = kMaxRenderedBytes);

// With `value` for each placeholder, as it is.
std::string fill_placeholders(std::string_view text, std::string_view value);

// Nothing but placeholders and what separates them: such a text holds no secret of its own.
bool is_only_placeholders(std::string_view text);

// Text of more than `limit` bytes ends in `...` before it, on a character boundary.
std::string cut_text(std::string text, std::size_t limit);

}   // namespace agentauri::rules
