#include "gateway/auth/auth_metrics.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "gateway/testing/gateway_fixture.hpp"

namespace agentauri::gateway {
namespace {

using testing::Harness;
using ::testing::HasSubstr;

TEST(AuthMetrics, OneNetworkIsOneGroupAndAllTogetherAreFew) {
  EXPECT_EQ(ip_group("203.0.113.7"), ip_group("203.0.113.250"));
  EXPECT_EQ(ip_group("2001:db8:1:2::7"), ip_group("2001:db8:1:ffff::"));
  std::set<std::string> groups;
  for (int i = 0; i < 256; ++i) {
    for (int j = 0; j < 16; ++j) groups.insert(ip_group(fmt::format("10.{}.{}.1", i, j)));
  }
  EXPECT_EQ(groups.size(), 64U);
  EXPECT_EQ(*groups.begin(), "00");
  EXPECT_EQ(*groups.rbegin(), "63");
  EXPECT_TRUE(groups.contains(ip_group("no address at all")));
}

double failures(Harness& h, const std::string& reason, const std::string& address) {
  return h.metrics_.counter("auth_failures_total", "", {{"reason", reason}, {"ip_prefix", ip_group(address)}}).value();
}

TEST(AuthMetrics, CountWhatWasTriedAndFailed) {
  Harness h;
  const std::string peer = "203.0.113.7";
  const auto user = h.signed_in("orbit7");
  h.log_in("orbit7", "wrong", peer);
  EXPECT_EQ(failures(h, "invalid_credentials", peer), 1);
  h.get("/api/v1/triggers", {{"Authorization", "Bearer nonsense"}});
  EXPECT_EQ(failures(h, "token_invalid", peer), 1);
  h.get("/api/v1/triggers", Harness::with_key("sk_live_x"));
  EXPECT_EQ(failures(h, "api_key_invalid", peer), 1);
  EXPECT_EQ(h.metrics_.counter("api_key_auth_attempts_total", "", {{"result", "malformed"}}).value(), 1);
  // Whoever shows nothing has tried nothing.
  EXPECT_EQ(h.get("/api/v1/triggers").status, 401);
  EXPECT_EQ(h.get("/api/v1/triggers", user).status, 200);
  EXPECT_THAT(h.metrics_.expose(), Not(HasSubstr(R"(reason="unauthorized")")));
  EXPECT_THAT(h.metrics_.expose(), HasSubstr("jwt_validation_duration_seconds_count 2\n"));
}

TEST(AuthMetrics, ALockedAccountIsALimitToo) {
  Harness h;
  h.signed_in("orbit7");
  std::string last;
  for (int i = 0; i < 20 && last != "account_locked"; ++i)
    last = h.log_in("orbit7", "wrong", fmt::format("203.0.113.{}", 10 + i)).at("error");
  ASSERT_EQ(last, "account_locked");
  const auto text = h.metrics_.expose();
  EXPECT_THAT(text, HasSubstr(R"(rate_limit_rejections_total{endpoint_class="login",scope="account"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(rate_limit_checks_total{result="rejected",scope="account"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(http_errors_total{endpoint="/api/v1/auth/login",error_type="account_locked"} 1)"));
}

// A refusal must not be invisible: of limits, of CORS, of what the server itself answers.
TEST(AuthMetrics, RefusedRequestsAreCountedByRoute) {
  Harness h;
  h.call({"OPTIONS",
          "/api/v1/triggers",
          std::nullopt,
          {{"Origin", "https://evil.example"}, {"Access-Control-Request-Method", "POST"}}});
  for (int i = 0; i < 61; ++i) h.get("/api/v1/ponder/status");
  const auto text = h.metrics_.expose();
  EXPECT_THAT(text, HasSubstr(R"(http_requests_total{method="OPTIONS",path="/api/v1/triggers",status="4)"));
  EXPECT_THAT(text, HasSubstr(R"(http_requests_total{method="GET",path="/api/v1/ponder/status",status="429"} )"));
  EXPECT_THAT(text, HasSubstr(R"(rate_limit_rejections_total{endpoint_class="anonymous-read",scope="ip"} )"));
  EXPECT_THAT(text, HasSubstr(R"(http_errors_total{endpoint="/api/v1/ponder/status",error_type="rate_limited"} )"));
}

}   // namespace
}   // namespace agentauri::gateway
