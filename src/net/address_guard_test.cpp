#include "net/address_guard.hpp"

#include <gtest/gtest.h>

#include <array>

namespace agentauri::net {
namespace {

IpAddress ip(std::string_view text) {
  const auto parsed = parse_ip(text);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed.value_or(IpAddress{});
}

bool global(std::string_view text) {
  return is_global_unicast(ip(text));
}

// First and last address of a refused range, and what lies just outside; a neighbour that another range refuses is
// marked so by hand.
struct RangeCase {
  const char* before;
  bool before_global;
  const char* first;
  const char* last;
  const char* after;
  bool after_global;
};
constexpr RangeCase kRanges[] = {
    {nullptr, false, "0.0.0.0", "0.255.255.255", "1.0.0.0", true},
    {"9.255.255.255", true, "10.0.0.0", "10.255.255.255", "11.0.0.0", true},
    {"100.63.255.255", true, "100.64.0.0", "100.127.255.255", "100.128.0.0", true},
    {"126.255.255.255", true, "127.0.0.0", "127.255.255.255", "128.0.0.0", true},
    {"169.253.255.255", true, "169.254.0.0", "169.254.255.255", "169.255.0.0", true},
    {"172.15.255.255", true, "172.16.0.0", "172.31.255.255", "172.32.0.0", true},
    {"191.255.255.255", true, "192.0.0.0", "192.0.0.255", "192.0.1.0", true},
    {"192.0.1.255", true, "192.0.2.0", "192.0.2.255", "192.0.3.0", true},
    {"192.88.98.255", true, "192.88.99.0", "192.88.99.255", "192.88.100.0", true},
    {"192.167.255.255", true, "192.168.0.0", "192.168.255.255", "192.169.0.0", true},
    {"198.17.255.255", true, "198.18.0.0", "198.19.255.255", "198.20.0.0", true},
    {"198.51.99.255", true, "198.51.100.0", "198.51.100.255", "198.51.101.0", true},
    {"203.0.112.255", true, "203.0.113.0", "203.0.113.255", "203.0.114.0", true},
    {"223.255.255.255", true, "224.0.0.0", "239.255.255.255", "240.0.0.0", false},
    {"239.255.255.255", false, "240.0.0.0", "255.255.255.255", nullptr, false},
    {"64:ff9b:0:ffff:ffff:ffff:ffff:ffff", false, "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
     "64:ff9b:2::", false},
    {"ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false, "100::", "100::ffff:ffff:ffff:ffff", "100:0:0:1::", false},
    {"2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true, "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
     "2001:200::", true},
    {"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", true, "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
     "2001:db9::", true},
    {"3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true, "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
     "3fff:1000::", true},
    {"3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true, "4000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", nullptr,
     false},
    {"fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false, "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     "fe00::", false},
    {"fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false, "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     "fec0::", false},
    {"febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false, "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     "ff00::", false},
    {"feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false, "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", nullptr,
     false},
};

TEST(GlobalUnicast, EndsExactlyAtTheBordersOfEachRange) {
  for (const auto& c : kRanges) {
    EXPECT_FALSE(global(c.first)) << c.first;
    EXPECT_FALSE(global(c.last)) << c.last;
    if (c.before != nullptr) EXPECT_EQ(global(c.before), c.before_global) << c.before;
    if (c.after != nullptr) EXPECT_EQ(global(c.after), c.after_global) << c.after;
  }
}

TEST(GlobalUnicast, TakesWellKnownHosts) {
  for (const char* text : {"8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001:800::200e"})
    EXPECT_TRUE(global(text)) << text;
}

// Every IPv4 case again in each form that carries an IPv4 address.
TEST(GlobalUnicast, JudgesEmbeddedAddressesByTheInnerOne) {
  const auto embedded = [](const IpAddress& v4, const char* prefix, std::size_t offset) {
    IpAddress out = ip(prefix);
    for (std::size_t i = 0; i < 4; ++i) out.bytes[offset + i] = v4.bytes[i];
    return out;
  };
  struct Form {
    const char* prefix;
    std::size_t offset;
  };
  constexpr Form kForms[] = {{"::", 12},        {"::ffff:0:0", 12}, {"::ffff:0:0:0", 12},
                             {"64:ff9b::", 12}, {"2002::", 2},      {"2002::1", 2}};
  for (const auto& c : kRanges) {
    for (const char* text : {c.before, c.first, c.last, c.after}) {
      if (text == nullptr || ip(text).v6) continue;
      for (const auto& form : kForms)
        EXPECT_EQ(is_global_unicast(embedded(ip(text), form.prefix, form.offset)), global(text))
            << text << " in " << form.prefix;
    }
  }
  EXPECT_FALSE(global("::"));
  EXPECT_FALSE(global("::1"));
  EXPECT_FALSE(global("::ffff:169.254.169.254"));
  EXPECT_TRUE(global("::ffff:8.8.8.8"));
  EXPECT_FALSE(global("64:ff9b::1:7f00:1"));   // beside the NAT64 prefix
}

TEST(ParseIp, TakesOnlyTheUsualSpellings) {
  for (const char* text : {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "0x7f.0.0.1", "1.2.3.4 ", " 1.2.3.4",
                           "[::1]", "::1%lo", "1:2", ":::", "a"}) {
    EXPECT_FALSE(parse_ip(text).has_value()) << text;
  }
  EXPECT_FALSE(parse_ip(std::string_view("127.0.0.1\0x", 11)).has_value());
  EXPECT_EQ(to_string(ip("2001:DB8:0:0::1")), "2001:db8::1");
}

TEST(ParseCidr, ChecksThePrefix) {
  for (const char* text : {"10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "/8", "10.0.0/8"})
    EXPECT_FALSE(parse_cidr(text).has_value()) << text;
  EXPECT_TRUE(parse_cidr("0.0.0.0/0")->contains(ip("255.1.2.3")));
  EXPECT_FALSE(parse_cidr("0.0.0.0/0")->contains(ip("::1")));
  EXPECT_TRUE(parse_cidr("10.1.2.3")->contains(ip("::ffff:10.1.2.3")));
  EXPECT_FALSE(parse_cidr("10.1.2.3")->contains(ip("10.1.2.4")));
  EXPECT_TRUE(parse_cidr("10.1.2.128/25")->contains(ip("10.1.2.255")));
  EXPECT_FALSE(parse_cidr("10.1.2.128/25")->contains(ip("10.1.2.127")));
}

AddressGuard guard(const std::vector<std::string>& allow = {}, bool https_only = false) {
  auto made = AddressGuard::make(allow, https_only);
  EXPECT_TRUE(made.has_value());
  return std::move(*made);
}

TEST(AddressGuard, RefusesLocalAndMetadataNames) {
  for (const char* name :
       {"localhost", "LocalHost", "localhost.", "a.localhost", "localhost.localdomain", "printer.local",
        "printer.LOCAL.", "db.internal", "metadata.google.internal", "metadata", "instance-data",
        "instance-data.ec2.internal", "127.0.0.1", "::1", "169.254.169.254", "10.0.0.1"}) {
    EXPECT_FALSE(guard().check_name("https", name, 443).has_value()) << name;
  }
  for (const char* name :
       {"example.org", "localhost.example.org", "local", "mylocalhost", "8.8.8.8", "2606:4700:4700::1111"}) {
    EXPECT_TRUE(guard().check_name("https", name, 443).has_value()) << name;
  }
}

TEST(AddressGuard, HoldsThePortPolicy) {
  for (const std::uint16_t port : {80, 443, 1024, 8080, 8443, 65535})
    EXPECT_TRUE(guard().check_name("http", "example.org", port).has_value()) << port;
  for (const std::uint16_t port : {1, 22, 25, 79, 81, 442, 444, 1023})
    EXPECT_FALSE(guard().check_name("http", "example.org", port).has_value()) << port;
}

TEST(AddressGuard, RefusesPlainHttpWhenToldTo) {
  EXPECT_FALSE(guard({}, true).check_name("http", "example.org", 80).has_value());
  EXPECT_TRUE(guard({}, true).check_name("https", "example.org", 443).has_value());
  EXPECT_TRUE(guard({"127.0.0.1:9000"}, true).check_name("http", "127.0.0.1", 9000).has_value());
}

TEST(AddressGuard, OpensARange) {
  const auto g = guard({"127.0.0.0/8", "fd00::/8"});
  EXPECT_TRUE(g.check_name("http", "127.0.0.1", 25).has_value());
  EXPECT_TRUE(g.check_address("127.0.0.1", ip("127.0.0.1"), 25).has_value());
  EXPECT_TRUE(g.check_address("a.test", ip("::ffff:127.1.2.3"), 80).has_value());
  EXPECT_TRUE(g.check_address("a.test", ip("fd12::1"), 80).has_value());
  EXPECT_TRUE(g.check_name("http", "localhost", 8080).has_value());   // its address decides
  EXPECT_FALSE(g.check_address("localhost", ip("::1"), 8080).has_value());
  EXPECT_FALSE(g.check_name("http", "10.0.0.1", 80).has_value());
  EXPECT_FALSE(g.check_address("a.test", ip("10.0.0.1"), 80).has_value());
  EXPECT_FALSE(g.check_name("http", "metadata.google.internal", 80).has_value());
}

TEST(AddressGuard, OpensAHostAtItsPortOnly) {
  const auto g = guard({"Receiver.Local:9000", "[::1]:9001", "10.0.0.1:9002"});
  EXPECT_TRUE(g.check_name("http", "receiver.local", 9000).has_value());
  EXPECT_TRUE(g.check_address("receiver.local", ip("192.168.1.1"), 9000).has_value());
  EXPECT_FALSE(g.check_name("http", "receiver.local", 9001).has_value());
  EXPECT_FALSE(g.check_address("receiver.local", ip("192.168.1.1"), 9001).has_value());
  EXPECT_FALSE(g.check_address("other.test", ip("192.168.1.1"), 9000).has_value());
  EXPECT_TRUE(g.check_address("::1", ip("::1"), 9001).has_value());
  EXPECT_TRUE(g.check_address("10.0.0.1", ip("10.0.0.1"), 9002).has_value());
  EXPECT_FALSE(g.check_address("10.0.0.1", ip("10.0.0.1"), 9003).has_value());
}

TEST(AddressGuard, NamesAWrongEntry) {
  for (const char* entry : {"", "example.org", "example.org:", "example.org:0", "example.org:65536", "example.org:http",
                            ":80", "10.0.0.0/40"}) {
    const auto made = AddressGuard::make({entry}, false);
    EXPECT_FALSE(made.has_value()) << entry;
  }
}

}   // namespace
}   // namespace agentauri::net
