#include "chain/evm/event_text.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/crypto/crypto.hpp"

namespace agentauri::chain {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";   // U+FFFD

// Length of the well-formed character (not NUL) that `bytes` begin with (Unicode, table 3-7); 0: there is none.
std::size_t character_length(ByteView bytes) {
  const std::uint8_t lead = bytes[0];
  const auto tail = [&bytes](std::size_t i) { return i < bytes.size() && (bytes[i] & 0xc0) == 0x80; };
  if (lead < 0x80) return lead == 0 ? 0 : 1;
  if (lead >= 0xc2 && lead <= 0xdf) return tail(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    if (!tail(1) || !tail(2) || (lead == 0xe0 && bytes[1] < 0xa0) || (lead == 0xed && bytes[1] > 0x9f)) return 0;
    return 3;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    return (lead == 0xf0 && bytes[1] < 0x90) || (lead == 0xf4 && bytes[1] > 0x8f) ? 0 : 4;
  }
  return 0;
}

bool is_plain_ascii(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b != 0 && b < 0x80; });
}

std::string rest_mark(ByteView whole) {
  return fmt::format("…[{} bytes, keccak256 {}]", whole.size(), to_hex_0x(crypto::keccak256(whole)));
}

}   // namespace

StoredText stored_text(ByteView bytes) {
  if (bytes.size() <= kMaxInlineBytes && is_plain_ascii(bytes)) return {std::string(as_text(bytes)), false};
  StoredText out;
  ByteView rest = bytes;
  while (!rest.empty()) {
    const std::size_t length = character_length(rest);
    const std::string_view piece = length == 0 ? kReplacement : as_text(rest.first(length));
    if (out.text.size() + piece.size() > kMaxInlineBytes) {
      out.text += rest_mark(bytes);
      break;
    }
    out.text += piece;
    out.replaced = out.replaced || length == 0;
    rest = rest.subspan(std::max<std::size_t>(length, 1));
  }
  return out;
}

std::string stored_hex(ByteView bytes) {
  if (bytes.size() <= kMaxInlineBytes) return to_hex_0x(bytes);
  return to_hex_0x(bytes.first(kMaxInlineBytes)) + rest_mark(bytes);
}

bool is_clean_text(ByteView bytes) {
  while (!bytes.empty()) {
    const std::size_t length = character_length(bytes);
    if (length == 0) return false;
    bytes = bytes.subspan(length);
  }
  return true;
}

std::optional<std::string> text_of_word(const Hash32& word) {
  ByteView bytes = word.view();
  while (!bytes.empty() && bytes.back() == 0) bytes = bytes.first(bytes.size() - 1);
  if (bytes.empty()) return std::nullopt;
  return is_clean_text(bytes) ? std::string(as_text(bytes)) : to_hex_0x(word);
}

}   // namespace agentauri::chain
