#include "core/base/text.hpp"

#include <gtest/gtest.h>

namespace agentauri {
namespace {

TEST(Text, KnowsAsciiAndNothingElse) {
  for (int c = 0; c < 256; ++c) {
    const char byte = static_cast<char>(c);
    EXPECT_EQ(is_digit(byte), std::string_view("0123456789").contains(byte)) << c;
    const std::size_t lower = std::string_view("0123456789abcdef").find(byte);
    const std::size_t upper = std::string_view("0123456789ABCDEF").find(byte);
    const std::size_t at = std::min(lower, upper);
    EXPECT_EQ(hex_value(byte), at == std::string_view::npos ? -1 : static_cast<int>(at)) << c;
    EXPECT_EQ(to_lower(byte), c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : byte) << c;
  }
  EXPECT_EQ(to_lower("HtTp\xc3\x84"), "http\xc3\x84");
}

TEST(Text, TrimsBothEndsOnly) {
  EXPECT_EQ(trim(" \ta b\t "), "a b");
  EXPECT_EQ(trim(""), "");
  EXPECT_EQ(trim(" \t "), "");
  EXPECT_EQ(trim("a\r"), "a\r");
  EXPECT_EQ(trim(" a\r", " \r"), "a");
}

}   // namespace
}   // namespace agentauri
