// What is a character in a text of bytes.
#pragma once

#include <cstddef>
#include <string_view>

namespace agentauri {

// Length of the well-formed UTF-8 sequence at the front (Unicode, table 3-7); 0 when there is none. `text` is not
// empty.
std::size_t utf8_length(std::string_view text);
// The character of such a sequence, whole.
char32_t utf8_character(std::string_view sequence);

}   // namespace agentauri
