#include "gateway/api/negotiation.hpp"

#include <gtest/gtest.h>

namespace agentauri::gateway {
namespace {

net::Headers headers_of(std::string_view name, std::vector<std::string> values) {
  net::Headers out;
  for (auto& value : values) out.add(std::string(name), std::move(value));
  return out;
}

TEST(AcceptEncoding, TheHeaviestOfWhatIsThere) {
  struct Case {
    std::vector<std::string> fields;
    Coding coding;
  };
  using enum Coding;
  const Case cases[] = {
      {{}, identity},
      {{""}, identity},
      {{"gzip, deflate, br"}, br},
      {{"gzip", "br"}, br},
      {{"gzip, deflate, br, zstd"}, br},
      {{"gzip"}, gzip},
      {{"X-GZip"}, gzip},
      {{"BR;Q=0.1"}, br},
      {{"br;q=0.5, gzip;q=0.8"}, gzip},
      {{"br;q=0, gzip"}, gzip},
      {{"br;q=0.000\t,gzip ; q=0.001"}, gzip},
      {{"br;q=0.001"}, br},
      {{"br;q=0,gzip;q=0"}, identity},
      {{"identity, gzip;q=0.5"}, identity},
      {{"identity;q=0.5, gzip;q=0.5"}, gzip},
      {{"*"}, br},
      {{"*;q=0"}, identity},
      {{"*;q=0, gzip"}, gzip},
      {{"br;q=0, *"}, gzip},
      {{"*;q=0.1, br;q=0, gzip;q=0"}, identity},
      {{"identity;q=0"}, identity},
      {{"identity;q=0, gzip;q=0.001"}, gzip},
      {{"zstd, brx, brr;q=1"}, identity},
      // The first counts, and a weight that is none makes no item.
      {{"gzip;q=0, gzip"}, identity},
      {{"br;q=2, gzip"}, gzip},
      {{"br;q=1.001, gzip"}, gzip},
      {{"br;q=0.0001, gzip"}, gzip},
      {{"br;q=, gzip"}, gzip},
      {{"br;level=5, gzip"}, gzip},
      {{"br;q=-1, gzip"}, gzip},
      {{"br;q=0x1, gzip"}, gzip},
      {{"br;, gzip"}, gzip},
      {{",, ,gzip,,"}, gzip},
      {{";q=1, gzip"}, gzip},
  };
  for (const auto& c : cases) {
    const auto accepted = accepted_codings(headers_of("accept-encoding", c.fields));
    EXPECT_EQ(choose_coding(accepted, true, true), c.coding) << (c.fields.empty() ? "none" : c.fields[0]);
  }
}

TEST(AcceptEncoding, OnlyWhatIsThere) {
  const auto both = accepted_codings(headers_of("Accept-Encoding", {"gzip;q=0.5, br"}));
  EXPECT_EQ(choose_coding(both, true, false), Coding::gzip);
  EXPECT_EQ(choose_coding(both, false, true), Coding::br);
  EXPECT_EQ(choose_coding(both, false, false), Coding::identity);
}

TEST(AcceptEncoding, TellsWhetherIdentityIsRefused) {
  EXPECT_GT(accepted_codings(headers_of("Accept-Encoding", {"gzip"})).identity, 0);
  EXPECT_GT(accepted_codings(headers_of("Accept-Encoding", {"*;q=0, identity;q=0.2"})).identity, 0);
  EXPECT_EQ(accepted_codings(headers_of("Accept-Encoding", {"gzip, identity;q=0"})).identity, 0);
  EXPECT_EQ(accepted_codings(headers_of("Accept-Encoding", {"gzip, *;q=0.0"})).identity, 0);
}

TEST(IfNoneMatch, IsAListOfTagsComparedWeakly) {
  const auto names = [](std::vector<std::string> fields) {
    return names_tag(headers_of("if-none-match", std::move(fields)), "\"abc-br\"");
  };
  for (const std::string yes : {"\"abc-br\"", "W/\"abc-br\"", " \"x\" ,\t\"abc-br\"", "\"x,y\",W/\"abc-br\"",
                                ",,\"abc-br\"", "*", " * ", "\"\",\"abc-br\""})
    EXPECT_TRUE(names({yes})) << yes;
  EXPECT_TRUE(names({"\"x\"", "\"abc-br\""}));
  for (const std::string no : {"", "\"abc\"", "abc-br", "\"ABC-BR\"", "\"x\" junk, \"abc-br\"", "\"x, \"abc-br\"",
                               "w/\"abc-br\"", "\"abc-br", "W/", "\"*\"", "\"x\", *", "\"xabc-br\""})
    EXPECT_FALSE(names({no})) << no;
  EXPECT_FALSE(names({}));
}

}   // namespace
}   // namespace agentauri::gateway
