// Passwords that are tried first because so many people have them.
#pragma once

#include <string_view>

namespace agentauri::gateway {

// `folded`: in lower case. One that stands in the list or holds one of its long entries; or one of at most 16 bytes
// that only walks along the alphabet, the digits or a row of keys, or repeats one short piece.
bool is_common_password(std::string_view folded);

}   // namespace agentauri::gateway
