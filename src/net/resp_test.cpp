#include "net/resp.hpp"

#include <gtest/gtest.h>

namespace agentauri::net {
namespace {

using Kind = RespValue::Kind;

std::string show(const RespValue& value) {
  switch (value.kind) {
    case Kind::null:
      return "null";
    case Kind::text:
      return "'" + value.text + "'";
    case Kind::error:
      return "!" + value.text;
    case Kind::integer:
      return std::to_string(value.integer);
    case Kind::array:
      break;
  }
  std::string out = "[";
  for (const auto& item : value.items) out += show(item) + " ";
  return out + "]";
}

// Every value of `bytes`, fed by so many bytes at a time; "broken" at the end when they are not RESP.
std::string read_all(std::string_view bytes, std::size_t piece, RespReader::Bounds bounds = {}) {
  RespReader reader(bounds);
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    reader.feed(bytes.substr(at, piece));
    while (true) {
      auto value = reader.next();
      if (!value) return out + "broken";
      if (!*value) break;
      out += show(**value) + ";";
    }
  }
  return out;
}

TEST(Resp, CommandsAreArraysOfBulkTexts) {
  std::string out;
  const std::string bytes("\r\n\0", 3);
  append_command(out, {"SET", "a b", bytes, ""});
  EXPECT_EQ(out, "*4\r\n$3\r\nSET\r\n$3\r\na b\r\n$3\r\n" + bytes + "\r\n$0\r\n\r\n");
}

TEST(Resp, ValuesAreReadHoweverTheyAreCut) {
  const std::string_view bytes =
      "+OK\r\n-NOSCRIPT No matching script.\r\n:-42\r\n$5\r\na\r\nbc\r\n$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n"
      "*3\r\n:1\r\n*2\r\n$1\r\nx\r\n$-1\r\n+y\r\n:9223372036854775807\r\n";
  const std::string all =
      "'OK';!NOSCRIPT No matching script.;-42;'a\r\nbc';'';null;null;[];[1 ['x' null ] 'y' ];9223372036854775807;";
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) EXPECT_EQ(read_all(bytes, piece), all) << piece;
}

TEST(Resp, WhatIsNotRespIsRefusedOnce) {
  for (const auto* bad : {"HTTP/1.1 200 OK\r\n", "+a\rb\r\n", ":1x\r\n", ":\r\n", "$-2\r\n", "$x\r\n", "$1\r\nab\r\n",
                          "*-2\r\n", "*1\r\nq", ":9223372036854775808\r\n", "$3000000\r\n", "*5000\r\n"})
    EXPECT_EQ(read_all(bad, 100), "broken") << bad;
  EXPECT_EQ(read_all(":1\r\n?", 100), "1;broken");
  EXPECT_EQ(read_all("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", 100), "broken");
  RespReader reader;
  reader.feed("?");
  EXPECT_FALSE(reader.next());
  reader.feed("+OK\r\n");
  EXPECT_FALSE(reader.next()) << "nobody knows where the next value begins";
}

TEST(Resp, NoValueIsLargerThanItsBound) {
  const RespReader::Bounds bounds{.value_bytes = 64, .items = 10, .depth = 2};
  EXPECT_EQ(read_all("$60\r\n" + std::string(60, 'x') + "\r\n", 7, bounds), "'" + std::string(60, 'x') + "';");
  EXPECT_EQ(
      read_all("*3\r\n$30\r\n" + std::string(30, 'x') + "\r\n$30\r\n" + std::string(30, 'x') + "\r\n:1\r\n", 7, bounds),
      "broken");
  EXPECT_EQ(read_all("+" + std::string(70'000, 'x'), 4096), "broken") << "a line without an end";
}

}   // namespace
}   // namespace agentauri::net
