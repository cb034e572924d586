// How far lists are counted.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace agentauri::store {

inline constexpr std::int64_t kMaxTotal = 100'000;
// One more is looked for: whether there are more than the total says.
inline constexpr std::int64_t kMaxCounted = kMaxTotal + 1;

// The total of a list that a page says by itself: one that is not full is the last. nullopt: it must be counted.
inline std::optional<std::int64_t> total_of_last_page(std::size_t rows, std::int64_t limit, std::int64_t offset) {
  const auto found = static_cast<std::int64_t>(rows);
  if (found >= limit || (found == 0 && offset > 0)) return std::nullopt;
  return std::min(kMaxCounted, offset + found);
}

}   // namespace agentauri::store
