#include "app/embedded_secrets.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "store/testing/temp_database.hpp"

namespace agentauri::app {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class EmbeddedSecrets : public ::testing::Test {
 protected:
  std::string file(const std::string& name) const { return folder_.path() + "/" + name; }
  void write(const std::string& name, const std::string& text) const { std::ofstream(file(name)) << text; }

  store::testing::TempFolder folder_;
};

TEST_F(EmbeddedSecrets, OneIsMadeAndKept) {
  const auto first = load_or_make_jwt_secret(folder_.path());
  ASSERT_TRUE(first) << first.error().text;
  EXPECT_GE(first->reveal().size(), 32U);
  write("agentauri.db", "a store");
  EXPECT_EQ(load_or_make_jwt_secret(folder_.path())->reveal(), first->reveal());
}

// Only the owner may read it, whatever a run that was cut short has left in its place.
TEST_F(EmbeddedSecrets, AnOlderDraftGivesItsModeToNothing) {
  write("jwt_secret.new", "left behind");
  ASSERT_EQ(::chmod(file("jwt_secret.new").c_str(), 0666), 0);
  ASSERT_TRUE(load_or_make_jwt_secret(folder_.path()));
  struct stat made{};
  ASSERT_EQ(::stat(file("jwt_secret").c_str(), &made), 0);
  EXPECT_EQ(made.st_mode & 0777, 0600U);
  EXPECT_NE(::stat(file("jwt_secret.new").c_str(), &made), 0);
}

// It is the data key too: with a new one, no alert of the store could be delivered any more.
TEST_F(EmbeddedSecrets, AStoreWithoutItsSecretGetsNoNewOne) {
  write("agentauri.db", "a store");
  const auto missing = load_or_make_jwt_secret(folder_.path());
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::invalid);
  EXPECT_EQ(missing.error().field, "JWT_SECRET");
  EXPECT_THAT(missing.error().text, HasSubstr(file("jwt_secret")));
  EXPECT_THAT(missing.error().text, HasSubstr("backup"));
  EXPECT_FALSE(std::ifstream(file("jwt_secret")));
}

TEST_F(EmbeddedSecrets, NobodyIsToldToDeleteADamagedOne) {
  write("jwt_secret", "cut");
  const auto damaged = load_or_make_jwt_secret(folder_.path());
  ASSERT_FALSE(damaged);
  EXPECT_THAT(damaged.error().text, HasSubstr("backup"));
  EXPECT_THAT(damaged.error().text, HasSubstr("encrypt"));
  EXPECT_THAT(damaged.error().text, Not(HasSubstr("delete it")));
}

}   // namespace
}   // namespace agentauri::app
