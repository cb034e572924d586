#include "core/compress/compress.hpp"

#include <gtest/gtest.h>

#include "core/compress/testing/unbrotli.hpp"

namespace agentauri {
namespace {

std::string text_of(std::size_t bytes) {
  std::string out;
  for (int i = 0; out.size() < bytes; ++i) out += "{\"id\":" + std::to_string(i * 7919) + ",\"name\":\"orbit\"},";
  out.resize(bytes);
  return out;
}

TEST(Compress, ComesBackAsItWas) {
  std::string noise;
  for (unsigned i = 0, x = 1; i < 100'000; ++i) noise += static_cast<char>((x = x * 1664525 + 1013904223) >> 24);
  for (const auto& text : {std::string(), std::string("a"), text_of(8704), text_of(300'000), noise}) {
    for (const auto effort : {Effort::quick, Effort::thorough}) {
      EXPECT_EQ(gunzip(gzip(text, effort), text.size()), text) << text.size();
      EXPECT_EQ(testing::unbrotli(brotli(text, effort)), text) << text.size();
    }
  }
}

TEST(Compress, IsSmallAndTheSameEachTime) {
  const auto text = text_of(8704);
  for (const auto& pack : {gzip, brotli}) {
    EXPECT_LT(pack(text, Effort::quick).size(), text.size() / 3);
    EXPECT_EQ(pack(text, Effort::quick), pack(text, Effort::quick)) << "a tag stands for bytes";
  }
}

TEST(Compress, WhatIsDamagedOrTooLongIsRefused) {
  const auto text = text_of(200'000);
  const auto packed = gzip(text, Effort::quick);
  EXPECT_EQ(gunzip(packed, text.size()), text);
  EXPECT_EQ(gunzip(packed, text.size() - 1), std::nullopt) << "one byte past the bound";
  EXPECT_EQ(gunzip(packed, 0), std::nullopt);
  EXPECT_EQ(gunzip(packed.substr(0, packed.size() - 1), text.size()), std::nullopt) << "cut short";
  EXPECT_EQ(gunzip(packed + "x", text.size()), std::nullopt) << "something behind it";
  auto damaged = packed;
  damaged[packed.size() - 5] ^= 1;   // of the checksum
  EXPECT_EQ(gunzip(damaged, text.size()), std::nullopt);
  EXPECT_EQ(gunzip("", 10), std::nullopt);
  EXPECT_EQ(gunzip("no gzip at all", 100), std::nullopt);
}

}   // namespace
}   // namespace agentauri
