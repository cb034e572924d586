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

BlockHeader header_with(const Bloom& bloom, std::size_t provider = 0) {
  BlockHeader out;
  out.logs_bloom = bloom;
  out.provider = provider;
  return out;
}
bool excludes(const BloomWatch& watch, const BlockHeader& header) {
  return watch.excludes(header, watch.read(header.logs_bloom));
}
void prove(BloomWatch& watch, std::size_t provider = 0) {
  for (unsigned i = 0; i < BloomWatch::kProofs; ++i) watch.compare(header_with(bloom_with(1), provider), {log_of(1)});
}

TEST(BloomWatch, ExcludesNothingBeforeTheProviderHasProvedItself) {
  BloomWatch watch({address_of(1), address_of(2)});
  const auto others = header_with(bloom_with(9));
  EXPECT_FALSE(watch.read(others.logs_bloom).hit);
  for (unsigned i = 0; i < BloomWatch::kProofs; ++i) {
    EXPECT_FALSE(excludes(watch, others)) << i;
    EXPECT_TRUE(watch.compare(header_with(bloom_with(1)), {log_of(1)}).named);
  }
  EXPECT_TRUE(excludes(watch, others));
  EXPECT_FALSE(excludes(watch, header_with(bloom_with(2))));
  EXPECT_FALSE(excludes(watch, header_with(bloom_with(9), 1))) << "another provider proves itself";
}

TEST(BloomWatch, OneContradictionEndsTheTrustInThatProviderForGood) {
  BloomWatch watch({address_of(1)});
  prove(watch);
  prove(watch, 1);
  const auto broken = watch.compare(header_with({}), {log_of(1)});
  EXPECT_FALSE(broken.named);
  EXPECT_TRUE(broken.trust_ended);
  EXPECT_FALSE(watch.compare(header_with({}), {log_of(1)}).trust_ended) << "said once";
  prove(watch);
  EXPECT_FALSE(excludes(watch, header_with(bloom_with(9))));
  EXPECT_FALSE(watch.trusted(0));
  EXPECT_TRUE(watch.trusted(1));
  EXPECT_TRUE(excludes(watch, header_with(bloom_with(9), 1)));
}

TEST(BloomWatch, ABlankFilterIsBelievedOfABlockWithoutTransactionsAlone) {
  BloomWatch watch({address_of(1)});
  auto blank = header_with({});
  EXPECT_FALSE(watch.agrees_with_none(blank));
  prove(watch);
  EXPECT_FALSE(excludes(watch, blank));
  EXPECT_FALSE(watch.agrees_with_none(blank));
  blank.empty = true;
  EXPECT_TRUE(excludes(watch, blank));
  EXPECT_TRUE(watch.agrees_with_none(blank));
}

TEST(BloomWatch, WhatHasALogNeedsNoFurtherAnswer) {
  BloomWatch watch({address_of(1), address_of(2)});
  Bloom both = bloom_with(1);
  bloom_add(both, address_of(2).view());
  EXPECT_TRUE(watch.read(both, {log_of(1)}).hit);
  EXPECT_FALSE(watch.read(both, {log_of(1), log_of(2)}).hit);
  EXPECT_FALSE(watch.read(bloom_with(1), {log_of(1)}).hit);
  EXPECT_LT(watch.read(noise(100), {log_of(1)}).by_chance, watch.read(noise(100)).by_chance);
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
