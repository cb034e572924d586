#include "gateway/api/routes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "gateway/testing/openapi_checker.hpp"

namespace agentauri::gateway {
namespace {

using ::testing::ElementsAre;

TEST(Routes, ParametersAreDecodedAndNeverSpanSegments) {
  auto match = match_route("PUT", "/api/v1/triggers/a%20b/conditions/%31%32");
  ASSERT_NE(match.route, nullptr);
  EXPECT_THAT(match.params, ElementsAre("a b", "12"));
  EXPECT_EQ(match_route("GET", "/api/v1/triggers/x").path_template, "/api/v1/triggers/{id}");
  for (const char* unknown :
       {"/", "", "/api/v1/triggers/", "/api/v1/triggers//deliveries", "/api/v1/triggers/a/b/c", "/API/v1/triggers",
        "/api/v1/triggers/%", "/api/v1/triggers/%zz", "/metrics", "/api/v1/health/"}) {
    const auto found = match_route("GET", unknown);
    EXPECT_EQ(found.route, nullptr) << unknown;
    EXPECT_EQ(found.allow, "") << unknown;
  }
}

TEST(Routes, HeadIsServedByGetAndWrongMethodsNameTheRightOnes) {
  EXPECT_EQ(match_route("HEAD", "/api/v1/triggers").route, match_route("GET", "/api/v1/triggers").route);
  EXPECT_EQ(match_route("PATCH", "/api/v1/triggers").allow, "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(match_route("OPTIONS", "/api/v1/triggers/x").allow, "GET, HEAD, PUT, DELETE, OPTIONS");
  EXPECT_EQ(match_route("GET", "/api/v1/auth/login").allow, "POST, OPTIONS");
  EXPECT_EQ(match_route("get", "/api/v1/triggers").allow, "GET, HEAD, POST, OPTIONS");
}

TEST(Routes, ALiteralSegmentWinsOverAParameter) {
  const std::string path = "/api/v1/triggers/x/dlq/replay";
  EXPECT_EQ(match_route("POST", path).path_template, "/api/v1/triggers/{id}/dlq/replay");
  // Nor is it somebody's event id for the methods that only the other path serves.
  const auto other = match_route("DELETE", path);
  EXPECT_EQ(other.route, nullptr);
  EXPECT_EQ(other.path_template, "/api/v1/triggers/{id}/dlq/replay");
  EXPECT_EQ(other.allow, "POST, OPTIONS");
  EXPECT_EQ(match_route("OPTIONS", path).allow, "POST, OPTIONS");
  EXPECT_EQ(match_route("DELETE", "/api/v1/triggers/x/dlq/replayed").path_template,
            "/api/v1/triggers/{id}/dlq/{event_id}");
}

TEST(Routes, EachHasExactlyOneHandler) {
  for (const auto& route : routes()) EXPECT_NE(route.unit != nullptr, route.async != nullptr) << route.path;
}

// The table and openapi.yaml, both ways.
TEST(Routes, AreWhatTheDescriptionSays) {
  std::set<std::pair<std::string, std::string>> served, described;
  for (const auto& route : routes())
    EXPECT_TRUE(served.emplace(route.method, route.path).second) << route.path << " is there twice";
  const auto& paths = json::find(testing::openapi_document().get_object(), "paths")->get_object();
  for (const auto& path : paths) {
    for (const auto& operation : path.value().get_object()) {
      std::string method(operation.key());
      if (method == "parameters") continue;
      std::transform(method.begin(), method.end(), method.begin(),
                     [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
      described.emplace(method, std::string(path.key()));
    }
  }
  EXPECT_EQ(served, described);
}

TEST(Routes, DescribedOperationsNameTheirParametersAndCredentials) {
  const auto& document = testing::openapi_document().get_object();
  const auto& paths = json::find(document, "paths")->get_object();
  std::set<std::string> ids;
  for (const auto& route : routes()) {
    const auto& path = json::find(paths, route.path)->get_object();
    std::string method(route.method);
    std::transform(method.begin(), method.end(), method.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const auto& operation = json::find(path, method)->get_object();
    EXPECT_TRUE(ids.insert(json::dump(*json::find(operation, "operationId"))).second) << route.path;
    const auto* security = json::find(operation, "security");
    EXPECT_EQ(route.access == Access::open, security != nullptr && security->get_array().empty())
        << route.method << " " << route.path;
    std::string parameters;
    if (const auto* list = json::find(path, "parameters")) parameters = json::dump(*list);
    const auto wanted = static_cast<std::size_t>(std::count(route.path.begin(), route.path.end(), '{'));
    std::size_t named = 0;
    for (const auto* name :
         {"parameters/Id\"", "parameters/UserId\"", "parameters/TriggerId\"", "parameters/ConditionId\"",
          "parameters/ActionId\"", "parameters/EventId\"", "parameters/AgentId\""})
      named += parameters.contains(name) ? 1 : 0;
    EXPECT_EQ(named, wanted) << route.path;
  }
}

}   // namespace
}   // namespace agentauri::gateway
