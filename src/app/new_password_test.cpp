#include "app/new_password.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <set>

#include "gateway/auth/passwords.hpp"

namespace agentauri::app {
namespace {

TEST(NewPassword, AGeneratedOneIsTakenByEveryPolicyAndNeverTheSame) {
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) {
    const auto password = generate_password();
    EXPECT_EQ(password.size(), 23U);
    gateway::Validation validation;
    gateway::check_password(password, "orbit7", "orbit7@example.org", gateway::GatewaySettings::PasswordPolicy::strict,
                            validation);
    EXPECT_TRUE(validation.ok()) << password;
    seen.insert(password);
  }
  EXPECT_EQ(seen.size(), 200U);
}

TEST(NewPassword, WithoutATerminalTheFlagsAreNamed) {
  // The test runs without one.
  if (::isatty(0) != 0) GTEST_SKIP() << "standard input is a terminal";
  const auto password = read_new_password(PasswordSource::terminal);
  ASSERT_FALSE(password);
  EXPECT_NE(password.error().text.find("--password-stdin or --generate"), std::string::npos);
}

}   // namespace
}   // namespace agentauri::app
