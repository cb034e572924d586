#include "core/base/utf8.hpp"

#include <gtest/gtest.h>

#include <string>

namespace agentauri {
namespace {

TEST(Utf8, KnowsACharacterAndWhatIsNone) {
  struct Good {
    std::string text;
    char32_t character;
  };
  for (const auto& [text, character] :
       {Good{"a", 'a'}, Good{std::string(1, '\0'), 0}, Good{"\x7F", 0x7F}, Good{"\u0080", 0x80}, Good{"\u07FF", 0x7FF},
        Good{"\u0800", 0x800}, Good{"\uD7FF", 0xD7FF}, Good{"\uE000", 0xE000}, Good{"\uFFFF", 0xFFFF},
        Good{"\U00010000", 0x10000}, Good{"\U0010FFFF", 0x10FFFF}}) {
    EXPECT_EQ(utf8_length(text + "rest"), text.size()) << text;
    EXPECT_EQ(utf8_character(text), character) << text;
  }
  for (const char* bad :
       {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2(", "\xE0\x9F\xBF", "\xE2\x82", "\xED\xA0\x80",
        "\xF0\x8F\xBF\xBF", "\xF0\x9F\x98", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"})
    EXPECT_EQ(utf8_length(bad), 0U) << bad;
}

}   // namespace
}   // namespace agentauri
