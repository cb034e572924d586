#include "core/compress/gzip_stream.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/compress/compress.hpp"

namespace agentauri {
namespace {

std::string noise(std::size_t bytes) {
  std::string out;
  for (unsigned i = 0, x = 7; i < bytes; ++i) out += static_cast<char>((x = x * 1664525 + 1013904223) >> 24);
  return out;
}

std::string pack(std::string_view text, std::size_t step) {
  std::string out;
  GzipWriter writer([&out](std::string_view part) -> Result<void> {
    out += part;
    return {};
  });
  for (; !text.empty(); text.remove_prefix(std::min(step, text.size())))
    EXPECT_TRUE(writer.write(text.substr(0, step)));
  EXPECT_TRUE(writer.finish());
  return out;
}

Result<std::string> unpack(std::string_view packed, std::size_t step) {
  std::string out;
  GzipReader reader([&out](std::string_view part) -> Result<void> {
    out += part;
    return {};
  });
  for (; !packed.empty(); packed.remove_prefix(std::min(step, packed.size()))) {
    if (auto taken = reader.write(packed.substr(0, step)); !taken) return fail(taken);
  }
  if (auto ended = reader.finish(); !ended) return fail(ended);
  return out;
}

TEST(GzipStream, ComesBackAsItWasInPiecesOfAnySize) {
  for (const auto& text : {std::string(), std::string("a"), std::string(1'000'000, 'x'), noise(300'000)}) {
    for (const std::size_t step : {1UL, 4096UL, 2'000'000UL}) {
      if (step == 1 && text.size() > 300'000) continue;
      const auto packed = pack(text, step);
      EXPECT_EQ(gunzip(packed, text.size()), text);
      EXPECT_EQ(unpack(packed, step), text);
    }
  }
}

TEST(GzipStream, SeveralMembersAreOneText) {
  EXPECT_EQ(unpack(pack("one ", 9) + pack("two", 9), 5), "one two");
}

TEST(GzipStream, WhatIsCutShortOrDamagedIsCorrupt) {
  const auto packed = pack(noise(200'000), 4096);
  for (const std::size_t kept : {std::size_t{0}, std::size_t{5}, packed.size() / 2, packed.size() - 1}) {
    const auto out = unpack(std::string_view(packed).substr(0, kept), 4096);
    ASSERT_FALSE(out) << kept;
    EXPECT_EQ(out.error().code, Code::corrupt);
  }
  auto turned = packed;
  turned[packed.size() / 2] = static_cast<char>(turned[packed.size() / 2] ^ 1);
  EXPECT_FALSE(unpack(turned, 4096));
  EXPECT_FALSE(unpack("-- PostgreSQL database dump", 4096));
  EXPECT_FALSE(unpack(packed + "rest", 4096));
}

TEST(GzipStream, AFailureOfTheSinkIsTheFailureOfTheCall) {
  GzipWriter writer([](std::string_view) -> Result<void> { return fail(Code::unavailable, "the disk is full"); });
  auto written = writer.write(noise(1'000'000));
  if (written) written = writer.finish();
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().text, "the disk is full");
}

}   // namespace
}   // namespace agentauri
