#include <gtest/gtest.h>

#include "net/http_client.hpp"

namespace agentauri::net {
namespace {

TEST(ParseUrl, TakesAUrlApart) {
  const auto url = parse_url("HTTPS://Example.ORG.:8443/a/b%20c?d=e&f#g");
  ASSERT_TRUE(url.has_value());
  EXPECT_EQ(url->scheme, "https");
  EXPECT_EQ(url->host, "example.org");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->target, "/a/b%20c?d=e&f");
  EXPECT_EQ(url->authority(), "example.org:8443");
}

TEST(ParseUrl, FillsInPortAndPath) {
  EXPECT_EQ(parse_url("http://a")->port, 80);
  EXPECT_EQ(parse_url("https://a")->port, 443);
  EXPECT_EQ(parse_url("http://a:")->port, 80);
  EXPECT_EQ(parse_url("http://a")->target, "/");
  EXPECT_EQ(parse_url("http://a?b")->target, "/?b");
  EXPECT_EQ(parse_url("http://a#b")->target, "/");
  EXPECT_EQ(parse_url("http://a:80/")->authority(), "a");
  EXPECT_EQ(parse_url("https://a:80/")->authority(), "a:80");
}

TEST(ParseUrl, SpellsEachAddressInOneWay) {
  EXPECT_EQ(parse_url("http://[2001:DB8:0::1]:81/")->host, "2001:db8::1");
  EXPECT_EQ(parse_url("http://[2001:DB8:0::1]:81/")->authority(), "[2001:db8::1]:81");
  EXPECT_EQ(parse_url("http://[::1]")->authority(), "[::1]");
  EXPECT_EQ(parse_url("http://[::1]")->port, 80);
  EXPECT_EQ(parse_url("http://127.0.0.1")->host, "127.0.0.1");
}

TEST(ParseUrl, RefusesWhatCannotBeReachedOrIsReadDifferentlyElsewhere) {
  for (const char* text : {"",
                           "a",
                           "//a/b",
                           "/a",
                           "http:",
                           "http:/a",
                           "http:///a",
                           "http://",
                           "http://:80",
                           "ftp://a/",
                           "file:///etc/passwd",
                           "javascript:alert(1)",
                           "http://u@a/",
                           "http://u:p@a/",
                           "http://@a/",
                           "http://a@b@c/",
                           "http://a b/",
                           "http://a/b c",
                           "http://a/\r\nX: y",
                           "http://a\\b/",
                           "http://a/\x01",
                           "http://a:0/",
                           "http://a:65536/",
                           "http://a:-1/",
                           "http://a:80x/",
                           "http://a:80:80/",
                           "http://a/%zz",
                           "http://a/%4",
                           "http://a..b/",
                           "http://.a/",
                           "http://a../",
                           "http://%61/",
                           "http://a%00b/",
                           "http://a,b/",
                           "http://a;b/",
                           "http://*/",
                           "http://2130706433/",
                           "http://127.1/",
                           "http://0x7f.0.0.1/",
                           "http://0x7f000001/",
                           "http://a.0x7f/",
                           "http://256.1.1.1/",
                           "http://1.2.3.4.5/",
                           "http://010.0.0.1/",
                           "http://[::1/",
                           "http://::1/",
                           "http://[::1%25lo]/",
                           "http://[v1.a]/",
                           "http://[1.2.3.4]/",
                           "http://\xc3\xa4.test/",
                           "http://a/\xc3\xa4",
                           "{{url}}",
                           "http://{{host}}/"}) {
    EXPECT_FALSE(parse_url(text).has_value()) << text;
  }
}

TEST(ParseUrl, HoldsItsBounds) {
  const std::string longest(63, 'a');
  EXPECT_TRUE(parse_url("http://" + longest + ".b/").has_value());
  EXPECT_FALSE(parse_url("http://" + longest + "a.b/").has_value());
  std::string name;
  for (int i = 0; i < 126; ++i) name += "a.";
  EXPECT_TRUE(parse_url("http://" + name + "b/").has_value());   // 253 bytes
  EXPECT_FALSE(parse_url("http://" + name + "bb/").has_value());
  EXPECT_TRUE(parse_url("http://a/" + std::string(8 * 1024 - 9, 'x')).has_value());
  EXPECT_EQ(parse_url("http://a/" + std::string(8 * 1024 - 8, 'x')).error().code, Code::too_large);
}

}   // namespace
}   // namespace agentauri::net
