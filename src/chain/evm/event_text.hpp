// How text and bytes of a log are kept (pipeline.md 3.5): valid UTF-8 without NUL, bounded. Pure.
//
// A value longer than kMaxInlineBytes keeps its beginning, cut between two characters, and then says what it was:
//   `<beginning>…[70000 bytes, keccak256 0x…]`
// with the length and the hash of the whole value as it stood in the log. That is a form, not a fault.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "core/base/bytes.hpp"

namespace agentauri::chain {

inline constexpr std::size_t kMaxInlineBytes = 64 * 1024;

struct StoredText {
  std::string text;
  bool replaced = false;   // bytes that are no UTF-8, or NUL, became U+FFFD each
};
StoredText stored_text(ByteView bytes);
// `0x` and digits; kMaxInlineBytes bounds the bytes, not the digits.
std::string stored_hex(ByteView bytes);
// Text of a bytes32 tag of the oldest shapes: trailing zeros are padding; hex when the rest is no text; nullopt when
// empty.
std::optional<std::string> text_of_word(const Hash32& word);

bool is_clean_text(ByteView bytes);

}   // namespace agentauri::chain
