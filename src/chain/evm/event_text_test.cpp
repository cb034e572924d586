#include "chain/evm/event_text.hpp"

#include <gtest/gtest.h>

#include "core/crypto/crypto.hpp"

namespace agentauri::chain {
namespace {

constexpr const char* kBad = "\xef\xbf\xbd";

StoredText stored(std::string_view text) {
  return stored_text(as_bytes(text));
}

TEST(StoredText, KeepsWellFormedTextAsItIs) {
  for (const std::string text :
       {"", "plain", "h\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\xa4\x96", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf", "\x01\x7f"}) {
    EXPECT_EQ(stored(text).text, text);
    EXPECT_FALSE(stored(text).replaced);
  }
}

TEST(StoredText, ReplacesEachByteThatBreaksTheRule) {
  const std::string two = std::string(kBad) + kBad;
  const std::pair<std::string, std::string> cases[] = {
      {std::string("a\0b", 3), std::string("a") + kBad + "b"},
      {"\xff", kBad},
      {"\x80", kBad},                    // a tail without a lead
      {"\xc3", kBad},                    // a lead without a tail
      {"\xc0\xaf", two},                 // an overlong slash
      {"\xe0\x80\x80", two + kBad},      // an overlong NUL
      {"\xed\xa0\x80", two + kBad},      // a surrogate
      {"\xf4\x90\x80\x80", two + two},   // above U+10FFFF
      {"\xf0\x9f\xa4", two + kBad},      // cut short
      {"\xe2\x82"
       "a",
       two + "a"},
  };
  for (const auto& [bytes, text] : cases) {
    EXPECT_EQ(stored(bytes).text, text) << to_hex(as_bytes(bytes));
    EXPECT_TRUE(stored(bytes).replaced);
    EXPECT_FALSE(is_clean_text(as_bytes(bytes)));
    EXPECT_TRUE(is_clean_text(as_bytes(stored(bytes).text)));
  }
}

// Whoever registers an agent writes this text: it must not be read past its end.
TEST(StoredText, EveryLeadMayBeTheLastByte) {
  for (int lead = 0x80; lead <= 0xff; ++lead) {
    const std::string bytes{'a', static_cast<char>(lead)};
    EXPECT_EQ(stored(bytes).text, std::string("a") + kBad) << lead;
    EXPECT_FALSE(is_clean_text(as_bytes(bytes)));
    Hash32 word;
    word.data.fill('a');
    word.data.back() = static_cast<std::uint8_t>(lead);
    EXPECT_EQ(text_of_word(word), to_hex_0x(word));
  }
}

TEST(StoredText, LongTextKeepsItsBeginningLengthAndHash) {
  const std::string fits(kMaxInlineBytes, 'a');
  EXPECT_EQ(stored(fits).text, fits);
  const std::string longer = fits + "b";
  const std::string mark = "…[65537 bytes, keccak256 " + to_hex_0x(crypto::keccak256(as_bytes(longer))) + "]";
  EXPECT_EQ(stored(longer).text, fits + mark);
  EXPECT_FALSE(stored(longer).replaced);
}

TEST(StoredText, IsCutBetweenCharactersAndBoundedAfterReplacement) {
  const std::string euro = "\xe2\x82\xac";
  std::string text(kMaxInlineBytes - 2, 'a');
  text += euro;   // would straddle the bound
  const auto cut = stored(text);
  EXPECT_TRUE(is_clean_text(as_bytes(cut.text)));
  EXPECT_FALSE(cut.replaced);
  EXPECT_TRUE(cut.text.starts_with(std::string(kMaxInlineBytes - 2, 'a') + "…["));
  // Replacement makes three bytes of one.
  const auto grown = stored(std::string(kMaxInlineBytes, '\xff'));
  EXPECT_TRUE(grown.replaced);
  EXPECT_LT(grown.text.size(), kMaxInlineBytes + 200);
}

TEST(StoredHex, BoundsTheBytes) {
  EXPECT_EQ(stored_hex({}), "0x");
  EXPECT_EQ(stored_hex(as_bytes("\x01\xff")), "0x01ff");
  EXPECT_EQ(stored_hex(Bytes(kMaxInlineBytes)).size(), 2 + 2 * kMaxInlineBytes);
  const auto longer = stored_hex(Bytes(kMaxInlineBytes + 1));
  EXPECT_TRUE(longer.ends_with("]"));
  EXPECT_NE(longer.find("…[65537 bytes, keccak256 0x"), std::string::npos);
}

TEST(TextOfWord, StripsPaddingAndFallsBackToHex) {
  const auto of = [](std::string_view text) {
    Hash32 word;
    std::copy(text.begin(), text.end(), word.data.begin());
    return text_of_word(word);
  };
  EXPECT_EQ(of(""), std::nullopt);
  EXPECT_EQ(of("quality"), "quality");
  EXPECT_EQ(of("h\xc3\xa9"), "h\xc3\xa9");
  EXPECT_EQ(of(std::string(32, 'x')), std::string(32, 'x'));
  EXPECT_EQ(of("\xff"), "0xff" + std::string(62, '0'));
  EXPECT_EQ(of(std::string_view("a\0b", 3)), "0x610062" + std::string(58, '0'));   // NUL inside is no padding
}

}   // namespace
}   // namespace agentauri::chain
