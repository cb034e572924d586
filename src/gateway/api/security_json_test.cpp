// JSON bombs: a body that is made to cost costs no more than reading it, and is a 400 that says where it broke.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "gateway/testing/estate.hpp"

namespace agentauri::gateway {
namespace {

using testing::Answer;
using testing::Call;
using testing::Estate;
using testing::operations_with_body;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::size_t kMaxBody = 1 << 20;
// Far above what a megabyte takes with sanitizers on a busy machine, far below what a bomb would.
constexpr auto kBound = 20s;

std::string repeat(std::string_view unit, std::size_t times) {
  std::string out;
  out.reserve(unit.size() * times);
  for (std::size_t i = 0; i < times; ++i) out += unit;
  return out;
}
std::string filled(std::string_view unit) {
  return repeat(unit, kMaxBody / unit.size());
}

class JsonBombs : public ::testing::Test {
 protected:
  Estate estate;

  Answer send(const std::string& body, const std::string& target = "/api/v1/triggers") {
    const auto begun = std::chrono::steady_clock::now();
    auto answer = estate.h.post(target, body, estate.owner);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, kBound) << body.substr(0, 40);
    return answer;
  }
  // As part of a trigger that is good but for it.
  Answer with(std::string_view member) {
    return send(fmt::format(R"({{"name":"t","registry":"identity",{}}})", member));
  }
};

TEST_F(JsonBombs, WhatIsNoDocumentIsRefused) {
  const std::vector<std::string> bodies{filled("["),
                                        filled("{\"a\":"),
                                        filled("[{\"a\":"),
                                        filled("\""),
                                        filled("\\"),
                                        filled("0"),
                                        filled("1e"),
                                        filled("-"),
                                        filled(" "),
                                        filled("\n"),
                                        "[" + filled("[],"),
                                        "{" + filled("\"a\":0,"),
                                        "\"" + filled("\\u0000"),
                                        "\"" + filled("a"),
                                        filled("\xEF\xBB\xBF"),
                                        filled("\xFF"),
                                        std::string(kMaxBody, '\0'),
                                        "[" + filled("0,"),
                                        "{\"name\":\"" + filled("x"),
                                        "",
                                        "{",
                                        "}",
                                        "[",
                                        "]",
                                        ":",
                                        ",",
                                        "nul",
                                        "tru",
                                        "{}{}",
                                        "{},",
                                        "[1,]",
                                        "{\"a\":1,}",
                                        "{a:1}",
                                        "{'a':1}",
                                        "//\n{}",
                                        "/**/{}",
                                        "{\"a\":01}",
                                        "{\"a\":.5}",
                                        "{\"a\":1.}",
                                        "{\"a\":+1}",
                                        "{\"a\":0x10}",
                                        "{\"a\":NaN}",
                                        "{\"a\":Infinity}",
                                        "{\"a\":1e999}",
                                        "{\"a\":-1e999}",
                                        "{\"a\":" + std::string(500, '9') + "}",
                                        "\xEF\xBB\xBF{}",
                                        "{\"a\":\"\xFF\"}",
                                        "{\"a\":\"\xC0\xAF\"}",
                                        "{\"a\":\"\xED\xA0\x80\"}",
                                        "{\"a\":\"\\ud800\"}",
                                        "{\"a\":\"\\udc00\\ud800\"}",
                                        "{\"a\":\"\\ud800\\u0041\"}",
                                        "{\"a\":\"\\x41\"}",
                                        "{\"a\":\"\\u12\"}",
                                        "{\"a\":\"line\nbreak\"}",
                                        "{\"a\":\"tab\there\"}",
                                        std::string("{\"a\":\"\0\"}", 9)};
  for (const auto& body : bodies) {
    const auto answer = send(body);
    EXPECT_EQ(answer.status, 400) << body.substr(0, 60) << answer.text;
    EXPECT_EQ(answer.at("error"), "bad_request") << body.substr(0, 60);
    EXPECT_LT(answer.text.size(), 500U) << "nothing of the body comes back";
  }
  for (const char* body : {"[]", "\"x\"", "1", "null", "true"}) {
    const auto answer = send(body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_EQ(answer.at("error"), "bad_request") << body;
  }
}

TEST_F(JsonBombs, DepthIsBounded) {
  const auto nested = [](std::size_t depth) { return repeat("[", depth) + repeat("]", depth); };
  const auto objects = [](std::size_t depth) { return repeat("{\"a\":", depth) + "1" + repeat("}", depth); };
  EXPECT_EQ(with("\"x\":" + nested(20)).status, 201) << "unknown members are ignored";
  for (const std::size_t depth : {40U, 1000U, 100'000U, 400'000U})
    EXPECT_EQ(with("\"x\":" + nested(depth)).status, 400) << depth;
  for (const std::size_t depth : {40U, 1000U, 100'000U})
    EXPECT_EQ(with("\"x\":" + objects(depth)).status, 400) << depth;
}

TEST_F(JsonBombs, ManyMembersCostTheirBytes) {
  std::string members, same, colliding;
  for (int i = 0; members.size() < kMaxBody - 100; ++i) members += fmt::format("\"m{}\":0,", i);
  while (same.size() < kMaxBody - 100) same += "\"m\":0,";
  for (int i = 0; colliding.size() < kMaxBody - 200; ++i)
    colliding += fmt::format("\"{}{}\":0,", std::string(60, 'a'), i);   // alike in their beginnings
  for (const auto& many : {members, same, colliding}) EXPECT_EQ(with(many + "\"z\":0").status, 201);
  const auto numbers = "\"x\":[" + repeat("1.7976931348623157e308,", 40'000) + "0]";
  EXPECT_EQ(with(numbers).status, 201);
  EXPECT_EQ(with("\"x\":" + std::string(300'000, '9')).status, 400);
  EXPECT_EQ(with("\"x\":0." + std::string(900'000, '0') + "1").status, 201);
  EXPECT_EQ(with("\"x\":1e-" + std::string(900'000, '9')).status, 400) << "an exponent has its bound too";
}

// The last of two equal names is the one that counts, for every reader alike: nothing is checked in one and used in the
// other.
TEST_F(JsonBombs, OfEqualNamesTheLastCounts) {
  const auto made = send(R"({"name":"first","registry":"nonsense","name":"last","registry":"identity"})");
  EXPECT_EQ(made.at("data.name"), "last") << made.text;
  EXPECT_EQ(made.at("data.registry"), "identity");
  EXPECT_EQ(send(R"({"name":"t","registry":"identity","registry":"nonsense"})").status, 400);
  EXPECT_EQ(send(R"({"name":"t","n\u0061me":"escaped","registry":"identity"})").at("data.name"), "escaped");
}

TEST_F(JsonBombs, LongTextsAreRefusedByTheirRule) {
  for (const auto& text : {std::string(900'000, 'a'), repeat("\u00E9", 400'000), repeat("\\u0041", 150'000)}) {
    for (const char* member : {"name", "description", "registry"}) {
      const auto answer = send(fmt::format(R"({{"name":"t","registry":"identity","{}":"{}"}})", member, text));
      EXPECT_EQ(answer.status, 400) << member;
      EXPECT_EQ(answer.at("error"), "validation_error") << member;
      EXPECT_LT(answer.text.size(), 2000U) << member;
    }
  }
}

// Every operation that reads a body, with every kind of value in every member: an answer, in time, that is no 5xx.
TEST_F(JsonBombs, NoOperationBreaksOnAValueOfAnotherKind) {
  const std::vector<std::string> values{"null",
                                        "true",
                                        "0",
                                        "-1",
                                        "1.5",
                                        "9223372036854775808",
                                        "-9223372036854775809",
                                        "1e300",
                                        "\"\"",
                                        "\"x\"",
                                        "[]",
                                        "{}",
                                        "[null]",
                                        R"([{"a":[]}])",
                                        R"({"a":{"b":[]}})",
                                        "\"\\u0000\"",
                                        "\"\\uffff\"",
                                        "\"" + std::string(70'000, 'x') + "\""};
  for (const auto& operation : operations_with_body()) {
    for (const auto& [name, schema] : testing::members_of(*operation.schema)) {
      // The ones that make a password's hash are dear, and read their members as the others do.
      const bool is_dear = operation.path.contains("/auth/");
      auto errand = estate.errand(operation);
      for (std::size_t i = 0; i < values.size(); i += is_dear ? 5 : 1) {
        errand.body[name] = json::parse(values[i]).value();
        const auto answer = estate.send(errand);
        EXPECT_LT(answer.status, 500) << operation.name() << " " << name << " " << values[i].substr(0, 40)
                                      << answer.text;
      }
    }
  }
  EXPECT_EQ(estate.h.get("/api/v1/auth/me", estate.owner).status, 200);
}

}   // namespace
}   // namespace agentauri::gateway
