#include "chain/indexer/bloom_watch.hpp"

#include <gtest/gtest.h>

#include <random>

namespace agentauri::chain {
namespace {

using namespace std::chrono_literals;

Address address_of(std::uint8_t n) {
  Address out;
  out.data.fill(n);
  return out;
}

RawLog log_of(std::uint8_t n) {
  RawLog out;
  out.address = address_of(n);
  return out;
}

Bloom bloom_with(std::uint8_t n) {
  Bloom out{};
  bloom_add(out, address_of(n).view());
  return out;
}

Bloom noise(int items) {
  std::mt19937 random(1);
  Bloom out{};
  for (int i = 0; i < items; ++i) {
    Hash32 item;
    for (auto& byte : item.data) byte = static_cast<std::uint8_t>(random());
    bloom_add(out, item.view());
  }
  return out;
}

TEST(BloomWatch, ExcludesNothingBeforeTheChainHasProvedItself) {
  BloomWatch watch({address_of(1), address_of(2)});
  const auto empty = watch.read(Bloom{});
  EXPECT_FALSE(empty.hit);
  for (unsigned i = 0; i < BloomWatch::kProofs; ++i) {
    EXPECT_FALSE(watch.excludes(empty)) << i;
    EXPECT_TRUE(watch.compare(bloom_with(1), {log_of(1)}).named);
  }
  EXPECT_TRUE(watch.excludes(empty));
  EXPECT_FALSE(watch.excludes(watch.read(bloom_with(2))));
}

TEST(BloomWatch, OneContradictionEndsTheTrustForGood) {
  BloomWatch watch({address_of(1)});
  for (unsigned i = 0; i < BloomWatch::kProofs; ++i) watch.compare(bloom_with(1), {log_of(1)});
  const auto broken = watch.compare(Bloom{}, {log_of(1)});
  EXPECT_FALSE(broken.named);
  EXPECT_TRUE(broken.trust_ended);
  EXPECT_FALSE(watch.compare(Bloom{}, {log_of(1)}).trust_ended) << "said once";
  for (unsigned i = 0; i < BloomWatch::kProofs; ++i) watch.compare(bloom_with(1), {log_of(1)});
  EXPECT_FALSE(watch.excludes(watch.read(Bloom{})));
  EXPECT_FALSE(watch.trusted());
}

TEST(BloomWatch, AFullFilterIsAskedAboutForAShorterTime) {
  BloomWatch watch({address_of(1), address_of(2), address_of(3)});
  const auto quiet = watch.read(bloom_with(1));
  EXPECT_TRUE(quiet.hit);
  EXPECT_LT(quiet.by_chance, 1e-6);
  EXPECT_EQ(BloomWatch::patience(quiet, 2s, 10s), 10s);
  const auto busy = watch.read(noise(800));   // as on a busy mainnet
  EXPECT_GT(busy.by_chance, 0.3);
  EXPECT_LT(BloomWatch::patience(busy, 12s, 10s), 1s);
  Bloom ones;
  ones.fill(0xff);
  EXPECT_DOUBLE_EQ(watch.read(ones).by_chance, 1);
  EXPECT_LE(BloomWatch::patience(watch.read(ones), 250ms, 10s), 5ms);
}

}   // namespace
}   // namespace agentauri::chain
