#include "core/base/number.hpp"

#include <gtest/gtest.h>

#include <boost/multiprecision/cpp_int.hpp>

#include <random>

namespace agentauri {
namespace {

using boost::multiprecision::cpp_int;

constexpr int128 kMax = static_cast<int128>(~uint128{0} >> 1);
constexpr int128 kMin = -kMax - 1;

TEST(Int128, PrintsAndReadsBothEnds) {
  EXPECT_EQ(to_string(kMax), "170141183460469231731687303715884105727");
  EXPECT_EQ(to_string(kMin), "-170141183460469231731687303715884105728");
  EXPECT_EQ(parse_int128("-170141183460469231731687303715884105728"), kMin);
  EXPECT_EQ(parse_int128("170141183460469231731687303715884105728"), std::nullopt);
  for (const char* bad : {"", "+1", " 1", "1 ", "1.0", "0x1", "-"}) EXPECT_EQ(parse_int128(bad), std::nullopt) << bad;
}

TEST(Uint256, PrintsAndReadsEveryWidth) {
  const std::string max = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
  const auto parsed = parse_uint256(max);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(to_string(*parsed), max);
  EXPECT_EQ(Uint256::from_word(parsed->to_word()), *parsed);
  EXPECT_EQ(parse_uint256("115792089237316195423570985008687907853269984665640564039457584007913129639936"),
            std::nullopt);
  EXPECT_EQ(parse_uint256(std::string(79, '1')), std::nullopt);
  EXPECT_EQ(to_string(*parse_uint256("1000000000000000000000000000000000000000")),
            "1000000000000000000000000000000000000000");
  EXPECT_EQ(to_string(Uint256(0)), "0");
  for (const char* bad : {"", "-1", "+1", "1e3", " 1"}) EXPECT_EQ(parse_uint256(bad), std::nullopt) << bad;
}

TEST(Decimal, ReadsStrictlyAndPrintsWhatItRead) {
  for (const char* text :
       {"0", "-3.2", "99.77", "0.000000000000000001", "-170141183460469231731687303715884105728", "1.50"}) {
    const auto number = parse_decimal(text);
    ASSERT_TRUE(number) << text;
    EXPECT_EQ(to_string(*number), text);
  }
  for (const char* bad : {"", "-", ".5", "5.", "1e5", "+1", " 1", "1,5", "0x1", "--1", "1.2.3", "NaN"}) {
    EXPECT_FALSE(parse_decimal(bad)) << bad;
  }
  EXPECT_FALSE(parse_decimal("0." + std::string(39, '1')));
  EXPECT_EQ(to_string(Decimal{-5, 3}), "-0.005");
}

TEST(Decimal, ComparesNumbersNotSpelling) {
  EXPECT_EQ(compare({10, 1}, {1, 0}), std::strong_ordering::equal);
  EXPECT_EQ(compare({596, 1}, {60, 0}), std::strong_ordering::less);
  EXPECT_EQ(compare({kMax, 0}, {kMax, 38}), std::strong_ordering::greater);
  EXPECT_EQ(compare({kMin, 0}, {kMin, 38}), std::strong_ordering::less);
}

// Against a big-integer reference: every pair of random and edge values, scaled to a common exponent.
TEST(Decimal, ComparisonAgreesWithBigIntegers) {
  std::mt19937_64 random(7);
  const auto draw = [&random] {
    const int128 edges[] = {0, 1, -1, 10, kMax, kMin, kMax - 1, kMin + 1};
    const auto wide = static_cast<int128>(static_cast<uint128>(random()) << 64 | random());
    const std::uint64_t pick = random() % 12;
    const int128 value = pick < 8 ? edges[pick] : pick == 8 ? static_cast<int128>(random() % 2000) - 1000 : wide;
    return Decimal{value, static_cast<std::uint8_t>(random() % 39)};
  };
  for (int i = 0; i < 100'000; ++i) {
    const Decimal a = draw();
    const Decimal b = draw();
    const cpp_int left = cpp_int(to_string(a.value)) * pow(cpp_int(10), b.decimals);
    const cpp_int right = cpp_int(to_string(b.value)) * pow(cpp_int(10), a.decimals);
    const auto expected = left < right    ? std::strong_ordering::less
                          : left == right ? std::strong_ordering::equal
                                          : std::strong_ordering::greater;
    ASSERT_EQ(compare(a, b), expected) << to_string(a) << " " << to_string(b);
  }
}

TEST(Decimal, RoundsHalfAwayFromZero) {
  EXPECT_EQ(round_half_away({596, 1}), 60);
  EXPECT_EQ(round_half_away({595, 1}), 60);
  EXPECT_EQ(round_half_away({594, 1}), 59);
  EXPECT_EQ(round_half_away({-595, 1}), -60);
  EXPECT_EQ(round_half_away({kMax, 0}), kMax);
  EXPECT_EQ(round_half_away({kMin, 0}), kMin);
  EXPECT_EQ(round_half_away({kMax, 38}), 2);
}

}   // namespace
}   // namespace agentauri
