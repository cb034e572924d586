#include "chain/evm/abi.hpp"

#include <gtest/gtest.h>

#include "chain/fake/abi_writer.hpp"

namespace agentauri::chain {
namespace {

Hash32 word(std::string_view digits) {
  Hash32 out;
  const auto bytes = from_hex(std::string(64 - digits.size(), '0') + std::string(digits));
  std::copy(bytes->begin(), bytes->end(), out.data.begin());
  return out;
}
Hash32 ones() {
  Hash32 out;
  out.data.fill(0xff);
  return out;
}

TEST(AbiWord, IntegersMustFitTheirType) {
  const struct {
    AbiType type;
    Hash32 word;
    bool fits;
  } cases[] = {
      {AbiType::uint8, word("ff"), true},
      {AbiType::uint8, word("100"), false},
      {AbiType::uint64, word("ffffffffffffffff"), true},
      {AbiType::uint64, word("10000000000000000"), false},
      {AbiType::uint256, ones(), true},
      {AbiType::int256, ones(), true},
      {AbiType::int128, word("7fffffffffffffffffffffffffffffff"), true},
      {AbiType::int128, word("80000000000000000000000000000000"), false},   // positive, but the sign bit is set
      {AbiType::int128, ones(), true},                                      // -1
      {AbiType::int128, word("ffffffffffffffffffffffffffffffff"), false},   // -1 without sign extension
      {AbiType::boolean, word("0"), true},
      {AbiType::boolean, word("1"), true},
      {AbiType::boolean, word("2"), false},
      {AbiType::address, word("ffffffffffffffffffffffffffffffffffffffff"), true},
      {AbiType::address, word("1ffffffffffffffffffffffffffffffffffffffff"), false},
      {AbiType::bytes32, ones(), true},
  };
  for (const auto& c : cases) {
    const auto value = read_word(c.type, c.word);
    EXPECT_EQ(value.has_value(), c.fits) << to_string(c.type) << " " << to_hex(c.word.view());
    if (!value) EXPECT_EQ(value.error().code, Code::protocol);
  }
}

TEST(AbiWord, ReadsIntegersExactlyAtTheirEnds) {
  Hash32 lowest = ones();
  std::fill(lowest.data.begin() + 16, lowest.data.end(), 0);
  lowest.data[16] = 0x80;
  EXPECT_EQ(read_word(AbiType::int128, lowest)->decimal(), "-170141183460469231731687303715884105728");
  EXPECT_EQ(*read_word(AbiType::int128, lowest)->as_int128(), static_cast<int128>(1) << 127);
  EXPECT_EQ(read_word(AbiType::int128, ones())->decimal(), "-1");
  EXPECT_EQ(read_word(AbiType::uint256, ones())->decimal(),
            "115792089237316195423570985008687907853269984665640564039457584007913129639935");
  EXPECT_EQ(read_word(AbiType::int256, word("10"))->decimal(), "16");
  EXPECT_EQ(read_word(AbiType::uint64, word("ffffffffffffffff"))->as_u64(), UINT64_MAX);
}

TEST(AbiWord, WiderIntegersFit128BitsOrSaySo) {
  const Hash32 too_big = word("80000000000000000000000000000000");
  EXPECT_EQ(read_word(AbiType::uint256, too_big)->as_int128(), std::nullopt);
  EXPECT_EQ(read_word(AbiType::int256, too_big)->as_int128(), std::nullopt);
  EXPECT_EQ(read_word(AbiType::uint256, ones())->as_int128(), std::nullopt);   // not -1
  EXPECT_EQ(*read_word(AbiType::int256, ones())->as_int128(), static_cast<int128>(-1));
  EXPECT_EQ(*read_word(AbiType::uint256, word("2a"))->as_int128(), static_cast<int128>(42));
}

TEST(AbiData, ReadsStaticAndDynamicValues) {
  const std::string text("a\0\xff", 3);
  const Bytes data = AbiWriter().number(7).text(text).text("").text(std::string(33, 'x')).finish();
  EXPECT_EQ(read_value(AbiType::uint64, data, 0)->as_u64(), 7U);
  EXPECT_EQ(as_text(read_value(AbiType::string, data, 1)->bytes), text);
  EXPECT_TRUE(read_value(AbiType::bytes, data, 2)->bytes.empty());
  EXPECT_EQ(read_value(AbiType::string, data, 3)->bytes.size(), 33U);
  EXPECT_FALSE(read_value(AbiType::uint64, data, data.size() / 32));
  EXPECT_FALSE(read_value(AbiType::uint64, data, SIZE_MAX));
}

TEST(AbiData, TheLastByteMustBeThere) {
  Bytes data = AbiWriter().text("abc").finish();
  data.resize(32 + 32 + 3);   // without padding: the value is whole
  EXPECT_EQ(as_text(read_value(AbiType::string, data, 0)->bytes), "abc");
  data.pop_back();
  EXPECT_FALSE(read_value(AbiType::string, data, 0));
}

TEST(AbiData, OffsetsAndLengthsStayInside) {
  const auto with_offset = [](const Hash32& offset) {
    Bytes data = AbiWriter().text("abc").finish();
    std::copy(offset.data.begin(), offset.data.end(), data.begin());
    return read_value(AbiType::string, data, 0);
  };
  EXPECT_TRUE(with_offset(word("20")));
  EXPECT_FALSE(with_offset(word("41")));   // the length word would end one byte behind the data
  EXPECT_FALSE(with_offset(word("ffffffff")));
  EXPECT_FALSE(with_offset(word("100000020")));   // 0x20 when the high half is ignored
  EXPECT_FALSE(with_offset(word("ffffffffffffffe0")));
  EXPECT_FALSE(with_offset(ones()));

  const auto with_length = [](const Hash32& length) {
    Bytes data = AbiWriter().text("abc").finish();
    std::copy(length.data.begin(), length.data.end(), data.begin() + 32);
    return read_value(AbiType::string, data, 0);
  };
  EXPECT_TRUE(with_length(word("20")));
  EXPECT_FALSE(with_length(word("21")));
  EXPECT_FALSE(with_length(word("ffffffffffffffff")));
  EXPECT_FALSE(with_length(ones()));
}

TEST(AbiData, TailsMayBeSharedAndPaddingIsNotLookedAt) {
  Bytes data;
  const auto put = [&data](const Hash32& w) { data.insert(data.end(), w.data.begin(), w.data.end()); };
  put(word("40"));
  put(word("40"));
  put(word("1"));
  put(ones());   // one byte of content, then dirt
  EXPECT_EQ(read_value(AbiType::bytes, data, 0)->bytes.size(), 1U);
  EXPECT_EQ(read_value(AbiType::bytes, data, 1)->bytes[0], 0xff);
}

}   // namespace
}   // namespace agentauri::chain
