#include "core/base/bytes.hpp"

#include "core/base/text.hpp"

namespace agentauri {
namespace {

constexpr char kDigits[] = "0123456789abcdef";

void append_hex(std::string& out, ByteView bytes) {
  for (const std::uint8_t b : bytes) {
    out.push_back(kDigits[b >> 4]);
    out.push_back(kDigits[b & 15]);
  }
}

}   // namespace

std::string to_hex(ByteView bytes) {
  std::string out;
  out.reserve(2 * bytes.size());
  append_hex(out, bytes);
  return out;
}

std::string to_hex_0x(ByteView bytes) {
  std::string out;
  out.reserve(2 + 2 * bytes.size());
  out = "0x";
  append_hex(out, bytes);
  return out;
}

std::optional<Bytes> from_hex(std::string_view digits) {
  if (digits.size() % 2 != 0) return std::nullopt;
  Bytes out(digits.size() / 2);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = hex_value(digits[2 * i]);
    const int low = hex_value(digits[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return out;
}

std::optional<Bytes> from_hex_0x(std::string_view text) {
  if (!text.starts_with("0x")) return std::nullopt;
  return from_hex(text.substr(2));
}

}   // namespace agentauri
