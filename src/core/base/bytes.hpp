// Byte strings, fixed and growing, and their hexadecimal form.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"

namespace agentauri {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <std::size_t N>
struct FixedBytes {
  std::array<std::uint8_t, N> data{};

  auto operator<=>(const FixedBytes&) const = default;
  ByteView view() const { return data; }
  bool is_zero() const {
    return std::all_of(data.begin(), data.end(), [](std::uint8_t b) { return b == 0; });
  }
  static std::optional<FixedBytes> from(ByteView bytes) {
    if (bytes.size() != N) return std::nullopt;
    FixedBytes out;
    std::copy(bytes.begin(), bytes.end(), out.data.begin());
    return out;
  }
};

using Hash32 = FixedBytes<32>;    // keccak-256 and SHA-256 digests, block and transaction hashes
using Address = FixedBytes<20>;   // an EVM account

// Lower-case digits without prefix.
std::string to_hex(ByteView bytes);
// With the `0x` that Ethereum tooling writes.
std::string to_hex_0x(ByteView bytes);
// Either case, an even number of digits, no prefix; nullopt on anything else.
std::optional<Bytes> from_hex(std::string_view digits);
// `0x` and an even number of digits.
std::optional<Bytes> from_hex_0x(std::string_view text);

template <std::size_t N>
std::string to_hex_0x(const FixedBytes<N>& bytes) {
  return to_hex_0x(bytes.view());
}
template <std::size_t N>
std::optional<FixedBytes<N>> fixed_from_hex_0x(std::string_view text) {
  if (text.size() != 2 + 2 * N) return std::nullopt;
  const auto bytes = from_hex_0x(text);
  if (!bytes) return std::nullopt;
  return FixedBytes<N>::from(*bytes);
}
inline std::optional<Address> parse_address(std::string_view text) {
  return fixed_from_hex_0x<20>(text);
}
inline std::optional<Hash32> parse_hash(std::string_view text) {
  return fixed_from_hex_0x<32>(text);
}

}   // namespace agentauri

template <std::size_t N>
struct std::hash<agentauri::FixedBytes<N>> {
  std::size_t operator()(const agentauri::FixedBytes<N>& bytes) const noexcept {
    return std::hash<std::string_view>{}({reinterpret_cast<const char*>(bytes.data.data()), N});
  }
};
