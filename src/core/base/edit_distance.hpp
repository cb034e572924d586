// How far apart two names are: for "did you mean".
#pragma once

#include <cstddef>
#include <string_view>

namespace agentauri {

// The Levenshtein distance in bytes. Time grows with the product of the sizes: callers bound them.
std::size_t edit_distance(std::string_view a, std::string_view b);

}   // namespace agentauri
