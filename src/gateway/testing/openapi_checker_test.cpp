#include "gateway/testing/openapi_checker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace agentauri::gateway::testing {
namespace {

std::string check(std::string_view text, int status = 200, std::string_view method = "POST",
                  std::string_view path = "/api/v1/auth/logout") {
  const auto body = json::parse(text);
  return check_answer(method, path, status, &*body);
}

TEST(OpenapiChecker, NoticesWhatIsNotDescribed) {
  EXPECT_EQ(check(R"({"success":true,"message":"x"})"), "");
  EXPECT_NE(check(R"({"success":true})"), "");
  EXPECT_NE(check(R"({"success":1,"message":"x"})"), "");
  EXPECT_NE(check(R"({"success":true,"message":"x","more":1})"), "");
  EXPECT_NE(check(R"([])"), "");
  EXPECT_NE(check(R"({"success":true,"message":"x"})", 400), "");
  EXPECT_EQ(check(R"({"error":"a","message":"b","request_id":"c","details":[{"code":"d","message":"e"}]})", 400), "");
  EXPECT_NE(check(R"({"error":"a","message":"b","request_id":"c","details":[{"code":"d"}]})", 400), "");
  EXPECT_NE(check(R"({})", 200, "GET", "/api/v1/nowhere"), "");
  EXPECT_NE(check_answer("POST", "/api/v1/auth/logout", 200, nullptr), "");
  EXPECT_EQ(check_answer("DELETE", "/api/v1/triggers/{id}", 204, nullptr), "");
  EXPECT_NE(check(R"({"status":"fine","timestamp":"t","version":"v"})", 200, "GET", "/api/v1/health/live"), "");
}

TEST(OpenapiChecker, ExamplesAreWhatTheirSchemasSay) {
  const auto faults =
      check_examples({"Authentication", "Organizations", "Members", "API Keys", "Triggers", "Conditions", "Actions",
                      "Circuit Breaker", "Dead Letters", "Agents", "Agent Follows"});
  EXPECT_THAT(faults.wrong, ::testing::IsEmpty());
  EXPECT_THAT(faults.missing, ::testing::IsEmpty());
  EXPECT_GT(faults.seen, 60U);
}

}   // namespace
}   // namespace agentauri::gateway::testing
