// How far lists are counted.
#pragma once

#include <cstdint>

namespace agentauri::store {

inline constexpr std::int64_t kMaxTotal = 100'000;
// One more is looked for: whether there are more than the total says.
inline constexpr std::int64_t kMaxCounted = kMaxTotal + 1;

}   // namespace agentauri::store
