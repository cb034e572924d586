#include "gateway/limits/rate_limiter.hpp"

#include <gtest/gtest.h>

namespace agentauri::gateway {
namespace {

TEST(RateLimiter, AddressesOfIpv6AreLimitedByTheirNetwork) {
  EXPECT_EQ(limit_key_of_address("203.0.113.7"), "203.0.113.7");
  EXPECT_EQ(limit_key_of_address("2001:db8:1:2:3:4:5:6"), limit_key_of_address("2001:db8:1:2::9"));
  EXPECT_NE(limit_key_of_address("2001:db8:1:2::9"), limit_key_of_address("2001:db8:1:3::9"));
  EXPECT_EQ(limit_key_of_address("not an address"), "not an address");
}

TEST(RateLimiter, HeadersShowTheClassWithLeastLeft) {
  Allowance allowance;
  allowance.add(kAuth, {true, 60, 59, 100, 0, 60});
  allowance.add(kRegister, {true, 3, 2, 100, 0, 60});
  allowance.add(kSessionRead, {true, 300, 299, 100, 0, 60});
  net::Headers headers;
  allowance.write(headers);
  EXPECT_EQ(*headers.find("X-RateLimit-Limit"), "3");
  EXPECT_EQ(*headers.find("X-RateLimit-Remaining"), "2");
  EXPECT_EQ(*headers.find("RateLimit-Policy"), "\"register\";q=3;w=60");
  EXPECT_EQ(*headers.find("RateLimit"), "\"register\";r=2;t=60");
}

}   // namespace
}   // namespace agentauri::gateway
