#include "delivery/redaction.hpp"

#include <gtest/gtest.h>

namespace agentauri::delivery {
namespace {

TEST(Redaction, FindsASecretInEveryFormThatAnswersGiveIt) {
  Redaction redaction;
  redaction.add("Bearer abc/\"def\"<ghi>&");
  redaction.add("sid=c00kie-jar; theme=dark");
  EXPECT_EQ(redaction.excerpt("got Bearer abc/\"def\"<ghi>&.", 500), "got ***.");
  EXPECT_EQ(redaction.excerpt(R"({"auth":"Bearer abc/\"def\"<ghi>&"})", 500), R"({"auth":"***"})");
  EXPECT_EQ(redaction.excerpt(R"({"auth":"Bearer abc\/\"def\"<ghi>&"})", 500), R"({"auth":"***"})");
  EXPECT_EQ(redaction.excerpt("<b>Bearer abc/&quot;def&quot;&lt;ghi&gt;&amp;</b>", 500), "<b>***</b>");
  EXPECT_EQ(redaction.excerpt("no session c00kie-jar", 500), "no session ***") << "a part is a secret too";
  EXPECT_EQ(redaction.excerpt("Bearer expected, theme dark", 500), "Bearer expected, theme dark");
}

TEST(Redaction, ACutShowsNoHalfOfASecret) {
  Redaction redaction;
  redaction.add("0123456789abcdef");
  const std::string before(495, 'x');
  EXPECT_EQ(redaction.excerpt(before + "0123456789abcdef and more", 500), before + "*** a");
  EXPECT_EQ(redaction.excerpt(before + "xxxx0123456789abcdef", 500), before + "xxxx*");
  // What the stars make room for is looked at as well.
  std::string many;
  for (int i = 0; i < 200; ++i) many += "0123456789abcdef ";
  EXPECT_EQ(redaction.excerpt(many, 500).find("0123"), std::string::npos);
}

TEST(Redaction, ALongerSecretGoesBeforeItsBeginning) {
  Redaction redaction;
  redaction.add("pass");
  redaction.add("passphrase-of-ada");
  EXPECT_EQ(redaction.excerpt("passphrase-of-ada, pass", 500), "***, ***");
  redaction.add("x");   // found everywhere: not a secret that stars could hide
  EXPECT_EQ(redaction.excerpt("example", 500), "example");
}

TEST(Redaction, IsPrintableAndBounded) {
  Redaction redaction;
  redaction.add("geh\xc3\xa4im");
  EXPECT_EQ(redaction.excerpt("a\nb\tc\x01\xff geh\xc3\xa4im", 500), "a b c?? ***");
  EXPECT_EQ(redaction.excerpt(std::string(3000, 'x'), 500), std::string(500, 'x'));
  EXPECT_EQ(redaction.excerpt("", 500), "");
}

}   // namespace
}   // namespace agentauri::delivery
