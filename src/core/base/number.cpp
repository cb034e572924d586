#include "core/base/number.hpp"

#include <algorithm>
#include <charconv>

#include "core/base/text.hpp"

namespace agentauri {
namespace {

using Wide = signed _BitInt(256);

// 10^38 < 2^127, so a product with any int128 fits 255 bits.
Wide power_of_ten(unsigned exponent) {
  Wide power = 1;
  for (; exponent > 0; --exponent) power *= 10;
  return power;
}

}   // namespace

std::string to_string(int128 value) {
  char buffer[48];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return error == std::errc{} ? std::string(buffer, end) : std::string();
}

std::optional<int128> parse_int128(std::string_view text) {
  int128 value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Uint256 Uint256::from_word(const Hash32& big_endian) {
  Uint256 out;
  for (const std::uint8_t b : big_endian.data) out.value = out.value << 8 | b;
  return out;
}

Hash32 Uint256::to_word() const {
  Hash32 out;
  auto rest = value;
  for (std::size_t i = 32; i-- > 0; rest >>= 8) out.data[i] = static_cast<std::uint8_t>(rest & 0xff);
  return out;
}

std::optional<std::uint64_t> Uint256::to_u64() const {
  if (value >> 64 != 0) return std::nullopt;
  return static_cast<std::uint64_t>(value);
}

std::string to_string(const Uint256& number) {
  // Eighteen digits at a time: a 256-bit division is dear.
  constexpr std::uint64_t kChunk = 1'000'000'000'000'000'000;
  if (const auto small = number.to_u64()) return std::to_string(*small);
  auto rest = number.value;
  std::string reversed;
  while (rest != 0) {
    auto chunk = static_cast<std::uint64_t>(rest % kChunk);
    rest /= kChunk;
    for (int i = 0; i < 18 && (rest != 0 || chunk != 0); ++i, chunk /= 10) {
      reversed.push_back(static_cast<char>('0' + chunk % 10));
    }
  }
  std::reverse(reversed.begin(), reversed.end());
  return reversed;
}

std::optional<Uint256> parse_uint256(std::string_view text) {
  if (text.empty() || text.size() > 78) return std::nullopt;
  Uint256 out;
  for (const char c : text) {
    if (!is_digit(c)) return std::nullopt;
    const auto digit = static_cast<unsigned>(c - '0');
    const auto shifted = out.value * 10;
    const auto next = shifted + digit;
    if (shifted / 10 != out.value || next < shifted) return std::nullopt;   // wrapped
    out.value = next;
  }
  return out;
}

std::strong_ordering compare(const Decimal& a, const Decimal& b) {
  const unsigned shared = std::max(a.decimals, b.decimals);
  const Wide left = static_cast<Wide>(a.value) * power_of_ten(shared - a.decimals);
  const Wide right = static_cast<Wide>(b.value) * power_of_ten(shared - b.decimals);
  if (left < right) return std::strong_ordering::less;
  return left == right ? std::strong_ordering::equal : std::strong_ordering::greater;
}

std::string to_string(const Decimal& number) {
  std::string digits = to_string(number.value);
  if (number.decimals == 0) return digits;
  const std::size_t sign = digits[0] == '-' ? 1 : 0;
  const std::size_t wanted = std::size_t{number.decimals} + 1;
  if (digits.size() - sign < wanted) digits.insert(sign, wanted - (digits.size() - sign), '0');
  digits.insert(digits.size() - number.decimals, 1, '.');
  return digits;
}

std::optional<Decimal> parse_decimal(std::string_view text) {
  std::string digits;
  std::string_view rest = text;
  if (rest.starts_with('-')) {
    digits = "-";
    rest.remove_prefix(1);
  }
  const std::size_t dot = rest.find('.');
  const std::string_view whole = rest.substr(0, dot);
  const std::string_view fraction = dot == std::string_view::npos ? std::string_view{} : rest.substr(dot + 1);
  if (whole.empty() || !std::all_of(whole.begin(), whole.end(), is_digit)) return std::nullopt;
  if (dot != std::string_view::npos && fraction.empty()) return std::nullopt;
  if (!std::all_of(fraction.begin(), fraction.end(), is_digit)) return std::nullopt;
  if (fraction.size() > kMaxDecimals) return std::nullopt;
  digits.append(whole).append(fraction);
  const auto value = parse_int128(digits);
  if (!value) return std::nullopt;
  return Decimal{*value, static_cast<std::uint8_t>(fraction.size())};
}

int128 round_half_away(const Decimal& number) {
  const Wide divisor = power_of_ten(number.decimals);
  const Wide value = number.value;
  const Wide magnitude = value < 0 ? -value : value;
  const Wide rounded = (magnitude * 2 + divisor) / (divisor * 2);
  return static_cast<int128>(value < 0 ? -rounded : rounded);
}

}   // namespace agentauri
