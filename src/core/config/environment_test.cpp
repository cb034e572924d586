#include "core/config/environment.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

namespace agentauri {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Environment, FlagsWinOverEnvironmentOverFileOverDotenv) {
  const std::string path = ::testing::TempDir() + "environment_test_secret";
  std::ofstream(path) << "from-file\n";
  Environment env({{"A", "flag"}}, {{"A", "process"}, {"B", "process"}, {"B_FILE", path}, {"C_FILE", path}},
                  "A=dotenv\nB=dotenv\nexport C=dotenv\n# D=no\n D = \"quoted # value\" \n");
  EXPECT_EQ(env.text("A"), "flag");
  EXPECT_EQ(env.text("B"), "process");
  EXPECT_EQ(env.text("C"), "from-file");
  EXPECT_EQ(env.text("D"), "quoted # value");
  EXPECT_EQ(env.text("E"), std::nullopt);
  EXPECT_TRUE(env.faults().empty());
  std::remove(path.c_str());
}

TEST(Environment, ReportsEveryFaultWithItsRule) {
  Environment env(
      {}, {{"PORT", "70000"}, {"ON", "maybe"}, {"MODE", "odd"}, {"KEY_FILE", "/nowhere/at/all"}, {"N", "1x"}}, "");
  EXPECT_EQ(env.integer("PORT", 8080, 1, 65535), 8080);
  EXPECT_TRUE(env.boolean("ON", true));
  EXPECT_EQ(env.one_of("MODE", "shadow", {"shadow", "enforcing"}), "shadow");
  EXPECT_EQ(env.text("KEY"), std::nullopt);
  EXPECT_EQ(env.integer("N", 3, 0, 9), 3);
  ASSERT_EQ(env.faults().size(), 5U);
  EXPECT_EQ(env.faults()[0].field, "PORT");
  EXPECT_THAT(env.faults()[0].text, HasSubstr("from 1 to 65535"));
  EXPECT_THAT(env.faults()[2].text, HasSubstr("shadow, enforcing"));
  EXPECT_EQ(env.faults()[3].field, "KEY_FILE");
}

TEST(Environment, NamesTheNearestSettingForATypo) {
  Environment env({}, {{"DB_PASSWROD", "x"}, {"DB_HOST", "y"}, {"OTHER", "z"}}, "");
  env.text("DB_HOST");
  env.text("DB_PASSWORD");
  env.report_unknown({"DB_"});
  ASSERT_EQ(env.faults().size(), 1U);
  EXPECT_EQ(env.faults()[0].field, "DB_PASSWROD");
  EXPECT_THAT(env.faults()[0].text, HasSubstr("did you mean DB_PASSWORD?"));
}

// Others set names too: orchestrators for each of their services.
TEST(Environment, ANameFarFromEverySettingIsAWarningOnly) {
  Environment env({}, {{"DB_PORT_5432_TCP_ADDR", "x"}, {"DB_HOTS", "y"}}, "");
  env.text("DB_HOST");
  env.text("DB_PORT");
  env.report_unknown({"DB_"});
  ASSERT_EQ(env.faults().size(), 1U);
  EXPECT_EQ(env.faults()[0].field, "DB_HOTS");
  ASSERT_EQ(env.warnings().size(), 1U);
  EXPECT_EQ(env.warnings()[0].field, "DB_PORT_5432_TCP_ADDR");
}

}   // namespace
}   // namespace agentauri
