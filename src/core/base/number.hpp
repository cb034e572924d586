// Exact numbers: 128-bit integers, uint256 and decimals. Nothing here goes through binary floating point.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/bytes.hpp"

namespace agentauri {

using int128 = __int128;
using uint128 = unsigned __int128;

std::string to_string(int128 value);
// Decimal digits with an optional leading minus; nullopt on anything else or when it does not fit.
std::optional<int128> parse_int128(std::string_view text);

// An EVM word read as an unsigned number: agent ids.
struct Uint256 {
  unsigned _BitInt(256) value = 0;

  Uint256() = default;
  Uint256(std::uint64_t small) : value(small) {}   // NOLINT(google-explicit-constructor): a small number is one

  std::strong_ordering operator<=>(const Uint256& other) const {
    if (value < other.value) return std::strong_ordering::less;
    return value == other.value ? std::strong_ordering::equal : std::strong_ordering::greater;
  }
  bool operator==(const Uint256& other) const { return value == other.value; }

  static Uint256 from_word(const Hash32& big_endian);
  Hash32 to_word() const;
  // nullopt when it does not fit.
  std::optional<std::uint64_t> to_u64() const;
};

std::string to_string(const Uint256& value);
// Decimal digits only; nullopt on anything else or above 2^256 - 1.
std::optional<Uint256> parse_uint256(std::string_view text);

// value ÷ 10^decimals, with decimals 0..18 as ERC-8004 allows (0..38 for what users write).
struct Decimal {
  int128 value = 0;
  std::uint8_t decimals = 0;
};

inline constexpr std::uint8_t kMaxDecimals = 38;

// Compares the numbers, not the spelling: 1.0 equals 1. Uses a 256-bit product, so it is exact for every input.
std::strong_ordering compare(const Decimal& a, const Decimal& b);
// `-32` with 1 decimal is "-3.2"; trailing zeros of the fraction are kept ("1.50").
std::string to_string(const Decimal& number);
// An optional minus, digits, an optional dot with digits, at most 38 of them; all digits as one number must fit 128
// bits. No exponent, no plus, no space.
std::optional<Decimal> parse_decimal(std::string_view text);
// The nearest integer, half away from zero.
int128 round_half_away(const Decimal& number);

}   // namespace agentauri

template <>
struct std::hash<agentauri::Uint256> {
  std::size_t operator()(const agentauri::Uint256& n) const noexcept {
    return std::hash<agentauri::Hash32>{}(n.to_word());
  }
};
