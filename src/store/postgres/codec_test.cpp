// Statements rewritten for PostgreSQL, and values in its wire format.
#include "store/postgres/codec.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace agentauri::store::postgres {
namespace {

using ::testing::ElementsAre;

constexpr Oid kBool = 16, kInt8 = 20, kInt2 = 21, kInt4 = 23, kText = 25, kTimestamptz = 1184, kNumeric = 1700,
              kUuid = 2950, kJsonb = 3802;

TEST(NumberParameters, CountsByFirstAppearance) {
  std::vector<std::string> names;
  EXPECT_EQ(number_parameters("SELECT :b + :a WHERE x=:b AND y IN (:a,:long_name2)", names),
            "SELECT $1 + $2 WHERE x=$1 AND y IN ($2,$3)");
  EXPECT_THAT(names, ElementsAre("b", "a", "long_name2"));
}

TEST(NumberParameters, LeavesStringsNamesAndCommentsAlone) {
  std::vector<std::string> names;
  const std::string sql = "SELECT ':a it''s :b' AS \":c\" -- :d\n, /* :e */ 1 : 2, :f";
  EXPECT_EQ(number_parameters(sql, names), "SELECT ':a it''s :b' AS \":c\" -- :d\n, /* :e */ 1 : 2, $1");
  EXPECT_THAT(names, ElementsAre("f"));
}

TEST(NumberParameters, ComesToAnEndInWhatIsNotClosed) {
  std::vector<std::string> names;
  for (const char* sql : {"SELECT 'x", "SELECT \"x", "SELECT /* x", "SELECT -- x", ":", "a :"})
    EXPECT_EQ(number_parameters(sql, names), sql);
  EXPECT_TRUE(names.empty());
}

TEST(NumberParametersDeathTest, RefusesTheCastThatSqliteMisreads) {
  std::vector<std::string> names;
  EXPECT_DEATH(number_parameters("SELECT :a::bigint", names), "CAST");
}

Params::Param param(Params::Kind kind, Cell value) {
  return {"p", kind, std::move(value)};
}

TEST(EncodeCell, KnowsTheWidthOfIntegers) {
  using enum Params::Kind;
  EXPECT_EQ(encode_cell(param(i64, std::int64_t{-2}), kInt2)->bytes, std::string("\xff\xfe"));
  EXPECT_EQ(encode_cell(param(i64, std::int64_t{258}), kInt4)->bytes, std::string("\0\0\1\2", 4));
  EXPECT_EQ(encode_cell(param(i64, std::int64_t{1}), kInt8)->bytes, std::string("\0\0\0\0\0\0\0\1", 8));
  EXPECT_EQ(encode_cell(param(i64, std::int64_t{32767}), kInt2)->bytes, std::string("\x7f\xff"));
  EXPECT_EQ(encode_cell(param(i64, std::int64_t{32768}), kInt2).error().code, Code::overflow);
  EXPECT_EQ(encode_cell(param(i64, std::int64_t{-32769}), kInt2).error().code, Code::overflow);
  EXPECT_EQ(encode_cell(param(i64, std::int64_t{2147483648}), kInt4).error().code, Code::overflow);
}

TEST(EncodeCell, RefusesKindsThatDoNotGoTogether) {
  using enum Params::Kind;
  EXPECT_EQ(encode_cell(param(text, std::string("1")), kInt8).error().code, Code::invalid);
  EXPECT_EQ(encode_cell(param(i64, std::int64_t{1}), kText).error().code, Code::invalid);
  EXPECT_EQ(encode_cell(param(i64, std::int64_t{1}), kTimestamptz).error().code, Code::invalid);
  EXPECT_EQ(encode_cell(param(time, std::int64_t{1}), kInt8).error().code, Code::invalid);
  EXPECT_EQ(encode_cell(param(i64, std::int64_t{1}), kBool).error().code, Code::invalid);
  EXPECT_EQ(encode_cell(param(blob, Bytes(15)), kUuid).error().code, Code::invalid);
  EXPECT_EQ(encode_cell(param(i64, std::int64_t{1}), 600).error().code, Code::invalid);   // a point
  EXPECT_TRUE(encode_cell(param(null, {}), kUuid)->null);
}

std::string words(std::initializer_list<std::uint16_t> values) {
  std::string out;
  for (const std::uint16_t value : values) {
    out += static_cast<char>(value >> 8);
    out += static_cast<char>(value & 0xff);
  }
  return out;
}

std::string numeric(std::initializer_list<std::uint16_t> values) {
  return std::get<std::string>(*decode_cell(words(values), kNumeric));
}

TEST(DecodeCell, ReadsNumericDigitByDigit) {
  // digits, weight, sign, scale, then base-10,000 digits
  EXPECT_EQ(numeric({0, 0, 0, 0}), "0");
  EXPECT_EQ(numeric({1, 0, 0, 0, 7}), "7");
  EXPECT_EQ(numeric({1, 1, 0, 0, 1}), "10000");
  EXPECT_EQ(numeric({2, 1, 0x4000, 0, 12, 34}), "-120034");
  EXPECT_EQ(numeric({2, 0, 0, 3, 1, 2340}), "1.234");
  EXPECT_EQ(numeric({1, 0xffff, 0, 4, 5}), "0.0005");
  EXPECT_EQ(numeric({1, 0xfffe, 0, 8, 5}), "0.00000005");
  EXPECT_EQ(decode_cell(words({0, 0, 0xc000, 0}), kNumeric).error().code, Code::overflow);   // NaN
  EXPECT_EQ(decode_cell(words({0, 0, 0xd000, 0}), kNumeric).error().code, Code::overflow);   // infinity
}

TEST(DecodeCell, RefusesTimesWithoutEnd) {
  EXPECT_EQ(std::get<std::int64_t>(*decode_cell(std::string(8, '\0'), kTimestamptz)), 946'684'800'000'000);
  EXPECT_EQ(decode_cell(std::string("\x7f\xff\xff\xff\xff\xff\xff\xff"), kTimestamptz).error().code, Code::overflow);
  EXPECT_EQ(decode_cell(std::string("\x80\0\0\0\0\0\0\0", 8), kTimestamptz).error().code, Code::overflow);
}

TEST(DecodeCell, DropsTheVersionOfJsonb) {
  EXPECT_EQ(std::get<std::string>(*decode_cell("\1{\"a\":1}", kJsonb)), "{\"a\":1}");
}

}   // namespace
}   // namespace agentauri::store::postgres
