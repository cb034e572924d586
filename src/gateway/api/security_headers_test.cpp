// Header injection: nothing that a request holds begins a line of an answer, of a page that is redirected to, or of
// what is sent to a receiver. (That the server ends no line for a handler: net/http_server_test.cpp,
// LetsNoHandlerEndALine.)
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/testing/gateway_fixture.hpp"

namespace agentauri::gateway {
namespace {

using testing::Answer;
using testing::Call;
using testing::Harness;
using ::testing::HasSubstr;
using testing::HeaderList;
using ::testing::Not;

const std::vector<std::string> kLineEnds{"\r\nSet-Cookie: evil=1",
                                         "\nSet-Cookie: evil=1",
                                         "\rSet-Cookie: evil=1",
                                         "\r\n\r\n<html>evil=1",
                                         std::string("\0Set-Cookie: evil=1", 19),
                                         "\u2028Set-Cookie: evil=1",
                                         "\xC4\x8D\xC4\x8ASet-Cookie: evil=1",
                                         "\x0BSet-Cookie: evil=1",
                                         "\x0CSet-Cookie: evil=1",
                                         "\x1B[2Jevil=1",
                                         "\x7F"
                                         "evil=1",
                                         "%0d%0aSet-Cookie: evil=1",
                                         "%0aSet-Cookie: evil=1",
                                         "%E5%98%8A%E5%98%8DSet-Cookie: evil=1",
                                         "%00evil=1"};

void expect_clean(const Answer& answer, const std::string& what) {
  EXPECT_LT(answer.status, 500) << what << answer.text;
  for (const auto& [name, value] : answer.headers.all()) {
    EXPECT_THAT(value, Not(HasSubstr("evil"))) << what << " " << name;
    for (const unsigned char c : name + value)
      EXPECT_TRUE(c >= 0x20 && c < 0x7F) << what << " " << name << ": " << value;
  }
}

TEST(HeaderInjection, NoFieldOfARequestIsReflectedRaw) {
  Harness h([](GatewaySettings& s) { s.rate_limit_mode = GatewaySettings::RateLimitMode::shadow; });
  const auto user = h.signed_in("orbit7");
  for (const auto& end : kLineEnds) {
    for (const char* name : {"X-Request-ID", "Origin", "Host", "Referer", "User-Agent", "X-Forwarded-For",
                             "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Forwarded", "Accept-Language",
                             "Idempotency-Key", "X-Organization-ID", "X-Monitoring-Token"}) {
      for (const std::string prefix : {"", "a", "https://app.example.org"}) {
        auto headers = user;
        headers.emplace_back(name, prefix + end);
        expect_clean(h.get("/api/v1/triggers", headers), name);
        expect_clean(h.get("/nowhere", headers), name);
        expect_clean(h.call({"PATCH", "/api/v1/triggers", "{}", headers, "203.0.113.7"}), name);
      }
    }
    for (const char* name : {"Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"}) {
      HeaderList preflight{{"Origin", "https://app.example.org"}, {"Access-Control-Request-Method", "POST"}};
      std::erase_if(preflight, [&](const auto& header) { return header.first == name; });
      preflight.emplace_back(name, "https://app.example.org" + end);
      expect_clean(h.call({"OPTIONS", "/api/v1/triggers", std::nullopt, preflight, "203.0.113.7"}), name);
    }
  }
}

TEST(HeaderInjection, PathsAndQueriesEndNoLine) {
  Harness h([](GatewaySettings& s) { s.rate_limit_mode = GatewaySettings::RateLimitMode::shadow; });
  const auto user = h.signed_in("orbit7");
  for (const char* end :
       {"%0d%0aSet-Cookie:%20evil=1", "%0aevil=1", "%0devil=1", "%00evil=1", "%0d%0a%0d%0aevil=1",
        "%E5%98%8A%E5%98%8Devil=1", "%e2%80%a8evil=1", "%250d%250aevil=1", "%0D%0ALocation:%20https://evil.example"}) {
    for (const char* path :
         {"/api/v1/triggers/{}", "/api/v1/{}", "/{}", "/console/{}", "/console{}", "/api/v1/organizations/{}/members",
          "/api/v1/auth/sessions/{}", "/api/v1/events?search={}", "/api/v1/events?{}=1", "/?next={}",
          "/console/?next={}", "/api/v1/triggers?limit={}", "/api/v1/api-keys?organization_id={}"}) {
      const auto target = fmt::format(fmt::runtime(path), end);
      auto request = testing::make_request({"GET", target, std::nullopt, user, "203.0.113.7"});
      net::HttpResponse response;
      run_blocking([&]() -> Task<void> { response = co_await h.gateway_->handle(request); });
      EXPECT_LT(response.status, 500) << target;
      for (const auto& [name, value] : response.headers.all()) {
        for (const unsigned char c : value)
          EXPECT_TRUE(c >= 0x20 && c < 0x7F) << target << " " << name << ": " << value;
        EXPECT_THAT(value, Not(HasSubstr("evil"))) << target << " " << name;
      }
    }
  }
}

// Headers that a user gives to an action go out with each alert.
TEST(HeaderInjection, HeadersOfAnActionHoldNoLineEnd) {
  Harness h([](GatewaySettings& s) { s.rate_limit_mode = GatewaySettings::RateLimitMode::shadow; });
  const auto user = h.signed_in("orbit7");
  const auto make = [&](std::string_view name, std::string_view value) {
    json::Object headers, config, action, body;
    headers[name] = json::String(value);
    config["url"] = "https://hooks.example.org/a";
    config["headers"] = std::move(headers);
    action["action_type"] = "rest";
    action["config"] = std::move(config);
    body["name"] = "t";
    body["registry"] = "identity";
    body["actions"] = json::Array{std::move(action)};
    return h.post("/api/v1/triggers", json::dump(body), user);
  };
  EXPECT_EQ(make("X-Team", "alerts").status, 201);
  for (const char c : {'\r', '\n', '\0', '\x0B', '\x0C', '\x1B', '\x7F', '\x01'}) {
    for (const auto& text : {std::string(1, c), std::string("a") + c + "b", std::string("a\r\nX-Evil: b") + c}) {
      const auto value = make("X-Team", text), name = make("X-" + text, "a");
      EXPECT_EQ(value.status, 400) << static_cast<int>(c) << value.text;
      EXPECT_EQ(name.status, 400) << static_cast<int>(c) << name.text;
    }
  }
  for (const char* name :
       {"", " ", "X Team", "X-Team:", ":X", "X-Team\u00E9", "Host", "Content-Length", "Transfer-Encoding", "Connection",
        "TRANSFER-encoding", "webhook-signature", "Webhook-ID", "X(a)", "a,b"})
    EXPECT_EQ(make(name, "a").status, 400) << name;
  for (const char* url : {"https://hooks.example.org/a\r\nX: y", "https://hooks.example.org/a b",
                          "https://hooks.example.org\n/a", "https://a\tb.example.org/"}) {
    json::Object config, body;
    config["url"] = url;
    body["action_type"] = "rest";
    body["config"] = std::move(config);
    const auto trigger = make("X-Team", "a").at("data.id");
    EXPECT_EQ(h.post("/api/v1/triggers/" + trigger + "/actions", json::dump(body), user).status, 400) << url;
  }
}

// What a template puts into a header when an alert is made comes from the chain, or from the user's own names.
TEST(HeaderInjection, TemplatesOfHeadersEndNoLine) {
  Harness h;
  const auto user = h.signed_in("orbit7");
  const auto made = h.post(
      "/api/v1/triggers",
      R"({"name":"t","registry":"reputation","actions":[{"action_type":"rest","config":{"url":"https://hooks.example.org/a",)"
      R"("headers":{"X-Tag":"[{{tag1}}]"}}}]})",
      user);
  ASSERT_EQ(made.status, 201) << made.text;
  for (const char* tag : {"a\\r\\nX-Evil: b", "a\\nX-Evil: b", "\\u001b[2J", "\\r", "a\\u007fb", "a\\u0085b"}) {
    const auto tested = h.post(
        "/api/v1/triggers/" + made.at("data.id") + "/test",
        fmt::format(R"({{"event":{{"event_type":"NewFeedback","agent_id":1,"data":{{"tag1":"{}"}}}}}})", tag), user);
    ASSERT_EQ(tested.status, 200) << tested.text;
    const auto sent = tested.at("data.actions.0.headers.X-Tag");
    EXPECT_THAT(sent, ::testing::StartsWith("[")) << tested.text;
    for (const unsigned char c : sent) EXPECT_TRUE(c >= 0x20 && c != 0x7F) << tag << " " << sent;
  }
}

}   // namespace
}   // namespace agentauri::gateway
