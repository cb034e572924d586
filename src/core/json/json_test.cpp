#include "core/json/json.hpp"

#include <gtest/gtest.h>

namespace agentauri::json {
namespace {

TEST(Json, RefusesWhatIsNotOneDocument) {
  for (const char* bad : {"", " ", "{", "{}x", "{} {}", "[1,]", "{\"a\":1,}", "nul", "\"\xff\"", "\"\\ud800\"", "01",
                          "1.", "+1", "NaN"}) {
    const auto value = parse(bad);
    EXPECT_FALSE(value) << bad;
    if (!value) EXPECT_NE(value.error().text.find("byte"), std::string::npos);
  }
  EXPECT_TRUE(parse(" {\"a\": [1, null]} "));
}

TEST(Json, RefusesNumbersThatNoDoubleHolds) {
  EXPECT_FALSE(parse("1e999"));
  EXPECT_FALSE(parse(R"({"a":[{"b":-1E400}]})"));
  EXPECT_FALSE(parse("0e660757110"));
  EXPECT_FALSE(parse(std::string(400, '9')));
  EXPECT_TRUE(parse("1e308"));
  EXPECT_TRUE(parse("1e-999"));
  EXPECT_TRUE(parse(R"({"text":")" + std::string(400, '9') + R"("})"));
}

TEST(Json, BoundsItsDepth) {
  EXPECT_TRUE(parse(std::string(kMaxDepth, '[') + std::string(kMaxDepth, ']')));
  EXPECT_FALSE(parse(std::string(kMaxDepth + 1, '[') + std::string(kMaxDepth + 1, ']')));
}

TEST(Json, MembersNameTheirRule) {
  const auto value = parse(R"({"s":"x","n":5,"big":9223372036854775808,"f":1.0,"null":null})");
  ASSERT_TRUE(value);
  const Object& object = value->get_object();
  EXPECT_EQ(optional_string(object, "s").value(), "x");
  EXPECT_EQ(optional_string(object, "null").value(), std::nullopt);
  EXPECT_EQ(optional_string(object, "n").error().field, "n");
  EXPECT_EQ(optional_int(object, "n", 0, 10).value(), 5);
  EXPECT_EQ(optional_int(object, "n", 6, 10).error().text, "field `n` must be an integer from 6 to 10");
  EXPECT_FALSE(optional_int(object, "big", 0, INT64_MAX));
  EXPECT_FALSE(optional_int(object, "f", 0, 10));
  EXPECT_EQ(required_string(object, "missing").error().text, "missing field `missing`");
}

}   // namespace
}   // namespace agentauri::json
