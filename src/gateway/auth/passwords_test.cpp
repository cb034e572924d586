#include "gateway/auth/passwords.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace agentauri::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Policy = GatewaySettings::PasswordPolicy;

std::vector<std::string> broken_rules(std::string_view password, Policy policy = Policy::standard) {
  Validation validation;
  check_password(password, "orbit7", "Orbit7@Example.org", policy, validation);
  std::vector<std::string> out;
  if (validation.ok()) return out;
  for (const auto& detail : validation.refusal().details) {
    EXPECT_EQ(detail.field, "password");
    out.push_back(detail.code);
  }
  return out;
}

TEST(Passwords, TheDefaultPolicy) {
  EXPECT_THAT(broken_rules("testpass123"), IsEmpty());   // the deployment guide's own
  EXPECT_THAT(broken_rules("\u00e4\u00f6\u00fc\u00e4\u00f6\u00fc\u00e4\u00f6"), IsEmpty());   // characters, not bytes
  EXPECT_THAT(broken_rules("seven77"), ElementsAre("password_too_short"));
  EXPECT_THAT(broken_rules(std::string(128, 'x')), IsEmpty());
  EXPECT_THAT(broken_rules(std::string(129, 'x')), ElementsAre("password_too_long"));
  EXPECT_THAT(broken_rules("PassWord"), ElementsAre("password_too_common"));
  EXPECT_THAT(broken_rules("12345678"), ElementsAre("password_too_common"));
  EXPECT_THAT(broken_rules("xx-Password1234-xx"), ElementsAre("password_too_common"));
  EXPECT_THAT(broken_rules("orbit7@example.ORG"), ElementsAre("password_is_identity"));
  EXPECT_THAT(broken_rules("ORBIT7"), ElementsAre("password_too_short", "password_is_identity"));
}

TEST(Passwords, TheStrictPolicy) {
  EXPECT_THAT(broken_rules("Quartz!Lamp42x", Policy::strict), IsEmpty());
  EXPECT_THAT(broken_rules("testpass123", Policy::strict),
              ElementsAre("password_too_short", "password_no_uppercase", "password_no_special"));
  EXPECT_THAT(broken_rules("QUARTZ LAMP XX", Policy::strict),
              ElementsAre("password_no_lowercase", "password_no_digit", "password_no_special"));
  for (const char c : std::string_view("!@#$%^&*()_+-=[]{}|;':\",./<>?`~"))
    EXPECT_THAT(broken_rules(std::string("Quartz1Lamp42x") + c, Policy::strict), IsEmpty()) << c;
}

TEST(Passwords, WhatEverybodyHasIsCommon) {
  for (const char* common : {"Iloveyou1", "P@ssw0rd", "aaaaaaaa", "12121212", "123123123", "abcdefgh", "98765432",
                             "QwertyUi", "lkjhgfdsa", "welcome1"})
    EXPECT_THAT(broken_rules(common), ElementsAre("password_too_common")) << common;
  // What only begins or ends like one is somebody's own; and long ones have their length.
  for (const std::string fine :
       {"SecurePass123!", "abcdefgh1", "aaaaaaab", "12345679", "qwertyuix", "abcabcabcabcabcabc", "wxyzabcd"})
    EXPECT_THAT(broken_rules(fine), IsEmpty()) << fine;
}

TEST(Passwords, ThePolicyNamesEveryRuleThatAPasswordCanBreak) {
  for (const auto policy : {Policy::standard, Policy::strict}) {
    const auto rules = password_rules(policy);
    EXPECT_EQ(rules.rules.size(), policy == Policy::strict ? 8U : 4U);
    EXPECT_EQ(rules.rules[0].text, policy == Policy::strict ? "Password must be at least 12 characters"
                                                            : "Password must be at least 8 characters");
    EXPECT_THAT(broken_rules(std::string(rules.min_length - 1, 'x'), policy),
                ::testing::Contains("password_too_short"));
    Validation validation;
    check_password("", "orbit7", "", policy, validation, "new_password");
    for (const auto& detail : validation.refusal().details) {
      EXPECT_EQ(detail.field, "new_password");
      EXPECT_TRUE(std::any_of(rules.rules.begin(), rules.rules.end(), [&](const auto& rule) {
        return rule.code == detail.code && rule.text == detail.message;
      })) << detail.code;
    }
  }
}

TEST(Names, AreComparedWithoutCase) {
  EXPECT_EQ(fold_case("Orbit7@Example.ORG"), "orbit7@example.org");
  EXPECT_EQ(fold_case("\u00c4\u00d6\u00dc \u0141\u00d3D\u0179"), "\u00e4\u00f6\u00fc \u0142\u00f3d\u017a");
  EXPECT_EQ(fold_case("\u03a3\u039f\u03a6\u039f\u03a3"), fold_case("\u03c3\u03bf\u03c6\u03bf\u03c2"));
  EXPECT_EQ(fold_case("\u0418\u0432\u0410\u043d"), "\u0438\u0432\u0430\u043d");
  EXPECT_EQ(fold_case("\u65e5\u672c\U0001F600"), "\u65e5\u672c\U0001F600");
  EXPECT_EQ(fold_case("\u00d7\u00f7\u00df"), "\u00d7\u00f7\u00df");
}

TEST(Names, EmailGrammar) {
  for (const char* good : {"a@b", "orbit7@example.org", "o.r+b!t@x-y.example", "a@[127.0.0.1]", "a@[IPv6:::1]",
                           "a@b\u00fccher.example", "'@x"})
    EXPECT_TRUE(is_email(good)) << good;
  for (const std::string bad : {"", "a", "@b", "a@", "a b@c", "a@b..c", "a@-b", "a@b-", "a@b_c", "a@[300.0.0.1]",
                                "a@[::1", "\u00e9@b", "a@b.", "a@b@c d"})
    EXPECT_FALSE(is_email(bad)) << bad;
  EXPECT_TRUE(is_email(std::string(64, 'a') + "@b"));
  EXPECT_FALSE(is_email(std::string(65, 'a') + "@b"));
  EXPECT_FALSE(is_email("a@" + std::string(64, 'b')));
}

TEST(Names, PersonalSlugs) {
  EXPECT_EQ(personal_slug("orbit7"), "orbit7-personal");
  EXPECT_EQ(personal_slug("--Ann  O'Hara--"), "ann-o-hara-personal");
  EXPECT_EQ(personal_slug("\u65e5\u672c"), "personal");
}

}   // namespace
}   // namespace agentauri::gateway
