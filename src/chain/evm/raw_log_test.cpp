#include "chain/evm/raw_log.hpp"

#include <gtest/gtest.h>

namespace agentauri::chain {
namespace {

const Address kOne = *parse_address("0x8004A169FB4a3325136EB29fA0ceB6D2e539a432");
const Address kOther = *parse_address("0x8004BAa17C55a88189AE136b182e5fdA19dE9b63");

TEST(Bloom, HoldsWhatWasAdded) {
  Bloom bloom{};
  EXPECT_FALSE(bloom_may_contain(bloom, kOne));
  bloom_add(bloom, kOne.view());
  EXPECT_TRUE(bloom_may_contain(bloom, kOne));
  EXPECT_FALSE(bloom_may_contain(bloom, kOther));
}

TEST(Bloom, SetsThreeBitsCountedFromTheEnd) {
  Bloom bloom{};
  bloom_add(bloom, Address{}.view());
  // keccak256 of twenty zero bytes is 5380c7b7ae81a58eb98d9c78de4a1fd7…: 0x5380, 0xc7b7, 0xae81 modulo 2048 are the
  // bits 0x380, 0x7b7 and 0x681.
  std::size_t bits = 0;
  for (const auto byte : bloom) bits += static_cast<std::size_t>(__builtin_popcount(byte));
  EXPECT_EQ(bits, 3U);
  for (const unsigned bit : {0x380U, 0x7b7U, 0x681U}) EXPECT_NE(bloom[255 - bit / 8] & (1U << (bit % 8)), 0) << bit;
}

TEST(Bloom, AnEmptyFilterHoldsNothingAndAFullOneEverything) {
  Bloom full;
  full.fill(0xff);
  EXPECT_TRUE(bloom_may_contain(full, kOne));
  EXPECT_FALSE(bloom_may_contain(Bloom{}, kOne));
}

}   // namespace
}   // namespace agentauri::chain
