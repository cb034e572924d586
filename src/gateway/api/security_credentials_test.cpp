// Credentials that are real and used for what they are not for, and cookies as a browser, a proxy or an attacker may
// send them. The corpus of tokens themselves: auth/jwt_corpus_test.cpp.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/async/task.hpp"
#include "core/base/uuid.hpp"
#include "gateway/auth/jwt.hpp"
#include "gateway/testing/gateway_fixture.hpp"

namespace agentauri::gateway {
namespace {

using testing::Answer;
using testing::Call;
using testing::Harness;
using testing::HeaderList;

const std::string kMe = "/api/v1/auth/me";
const std::string kTrigger = R"({"name":"t","registry":"identity"})";

class Credentials : public ::testing::Test {
 protected:
  Harness h{[](GatewaySettings& s) { s.rate_limit_mode = GatewaySettings::RateLimitMode::shadow; }};
  Answer ada = h.registered("ada"), eve = h.registered("eve");
  std::string ada_session = h.get("/api/v1/auth/sessions", Harness::bearer(ada)).at("sessions.0.id");

  // A token that is signed as ours are: what only somebody with the secret could make, and what a mistake in us might.
  HeaderList signed_for(std::string sub, std::string sid, std::string username = "ada") {
    const AccessClaims claims{std::move(sub), std::move(username), std::move(sid), to_unix_seconds(h.clock_.now()),
                              "j"};
    return {{"Authorization", "Bearer " + sign_access_token(claims, h.settings_.base_url, testing::kJwtSecret)}};
  }
  HeaderList cookie(std::string text) { return {{"Cookie", std::move(text)}}; }
};

TEST_F(Credentials, ATokenIsOfItsOwnSession) {
  EXPECT_EQ(h.get(kMe, signed_for(ada.at("user.id"), ada_session)).status, 200);
  for (const auto& [what, who] : std::vector<std::pair<const char*, HeaderList>>{
           {"another user's session", signed_for(eve.at("user.id"), ada_session)},
           {"a session that never was", signed_for(ada.at("user.id"), to_string(make_uuid_v4()))},
           {"the user's id for the session's", signed_for(ada.at("user.id"), ada.at("user.id"))},
           {"a session in capitals", signed_for(ada.at("user.id"), "01936B1E-7A00-7000-8000-000000000001")},
           {"no session id", signed_for(ada.at("user.id"), "' OR ''='")},
           {"a path", signed_for(ada.at("user.id"), "../" + ada_session)},
           {"a user who never was", signed_for(to_string(make_uuid_v4()), ada_session)}}) {
    const auto answer = h.get(kMe, who);
    EXPECT_EQ(answer.status, 401) << what;
    EXPECT_EQ(answer.at("error"), "token_invalid") << what;
  }
  // The name in a token is for people: who it is, the session says.
  EXPECT_EQ(h.get(kMe, signed_for(ada.at("user.id"), ada_session, "eve")).at("username"), "ada");
}

TEST_F(Credentials, ATokenEndsWithItsSession) {
  const auto token = Harness::bearer(ada), made = signed_for(ada.at("user.id"), ada_session);
  EXPECT_EQ(h.get(kMe, token).status, 200);
  EXPECT_EQ(h.post("/api/v1/auth/logout", "{}", token).status, 200);
  EXPECT_EQ(h.get(kMe, token).at("error"), "token_invalid");
  EXPECT_EQ(h.get(kMe, made).at("error"), "token_invalid") << "nor does a new token revive it";
  EXPECT_EQ(h.post("/api/v1/auth/refresh", fmt::format(R"({{"refresh_token":"{}"}})", ada.at("refresh_token"))).status,
            401);
}

TEST_F(Credentials, EachIsForItsOwnPlace) {
  const auto token = ada.at("token"), refresh = ada.at("refresh_token");
  const auto key = h.post("/api/v1/api-keys?organization_id=" + h.organization_id(Harness::bearer(ada)),
                          R"({"name":"k","environment":"live"})", Harness::bearer(ada))
                       .at("data.key");
  for (const auto& [what, headers, code] : std::vector<std::tuple<const char*, HeaderList, std::string>>{
           {"a refresh token as access token", {{"Authorization", "Bearer " + refresh}}, "token_invalid"},
           {"a refresh token as key", {{"X-API-Key", refresh}}, "api_key_invalid"},
           {"a refresh token in the access cookie", cookie("auth-token=" + refresh), "token_invalid"},
           {"an access token as key", {{"X-API-Key", token}}, "api_key_invalid"},
           {"a key in the cookie", cookie("auth-token=" + key), "token_invalid"},
           {"an access token in the refresh cookie", cookie("refresh-token=" + token), "unauthorized"},
           {"a refresh token in its own cookie", cookie("refresh-token=" + refresh), "unauthorized"}}) {
    const auto answer = h.get("/api/v1/triggers", headers);
    EXPECT_EQ(answer.status, 401) << what;
    EXPECT_EQ(answer.at("error"), code) << what;
  }
  for (const auto& text : {token, key, refresh.substr(0, 46), refresh + "A", refresh + " "}) {
    const auto answer = h.post("/api/v1/auth/refresh", fmt::format(R"({{"refresh_token":"{}"}})", text));
    EXPECT_EQ(answer.at("error"), "invalid_refresh_token") << text;
  }
  EXPECT_EQ(h.post("/api/v1/auth/refresh", "{}", {{"Authorization", "Bearer " + refresh}}).status, 400)
      << "it is read from the body";
}

TEST_F(Credentials, OneCredentialOfAKind) {
  const auto token = ada.at("token");
  const auto with = [&](HeaderList headers, std::string target = kMe) {
    auto request = testing::make_request({"GET", std::move(target), std::nullopt, {}, "203.0.113.7"});
    for (const auto& [name, value] : headers) request.headers.add(name, value);
    net::HttpResponse response;
    run_blocking([&]() -> Task<void> { response = co_await h.gateway_->handle(request); });
    return response.status;
  };
  EXPECT_EQ(with({{"Authorization", "Bearer " + token}}), 200);
  EXPECT_EQ(with({{"Authorization", "Bearer " + token}, {"Authorization", "Bearer " + eve.at("token")}}), 401);
  EXPECT_EQ(with({{"Authorization", "Bearer " + token}, {"authorization", "Bearer " + token}}), 401);
  EXPECT_EQ(with({{"Authorization", "Bearer " + token + ", Bearer " + token}}), 401);
  const std::string key = h.post("/api/v1/api-keys?organization_id=" + h.organization_id(Harness::bearer(ada)),
                                 R"({"name":"k","environment":"live"})", Harness::bearer(ada))
                              .at("data.key");
  EXPECT_EQ(with({{"X-API-Key", key}}), 401) << "me is for sessions";
  EXPECT_EQ(with({{"X-API-Key", key}}, "/api/v1/triggers"), 200);
  EXPECT_EQ(with({{"X-API-Key", key}, {"X-API-Key", key}}, "/api/v1/triggers"), 401);
  EXPECT_EQ(with({{"X-API-Key", "x"}, {"X-API-Key", key}}, "/api/v1/triggers"), 401);
  // Of two cookies of one name only a browser knows which page set which: nobody is let in by a guess.
  EXPECT_EQ(with({{"Cookie", "auth-token=" + token}}), 200);
  EXPECT_EQ(with({{"Cookie", "auth-token=" + token + "; auth-token=" + eve.at("token")}}), 401);
  EXPECT_EQ(with({{"Cookie", "auth-token=" + eve.at("token") + "; auth-token=" + token}}), 401);
  EXPECT_EQ(with({{"Cookie", "auth-token=" + token + "; auth-token="}}), 401);
  EXPECT_EQ(with({{"Cookie", "auth-token=" + token}, {"Cookie", "auth-token=" + eve.at("token")}}), 401);
  EXPECT_EQ(with({{"Cookie", "auth-token=" + token + "; a=b; auth-token=" + token}}), 200) << "the same twice is one";
}

TEST_F(Credentials, ACookieFieldIsReadAsItsGrammarHasIt) {
  const auto token = ada.at("token");
  const std::string bytes = "\xFF\xFE\x80";
  for (const auto& [text, status] : std::vector<std::pair<std::string, int>>{
           {"auth-token=" + token, 200},
           {" auth-token=" + token + " ", 200},
           {";;; auth-token=" + token + ";;", 200},
           {"auth-token=\"" + token + "\"", 200},
           {"a={\"json\":[1,\"x\"],\"q\":\"auth-token\"}; auth-token=" + token, 200},
           {"a=\"x y\"; b=\"; auth-token=" + token, 200},
           {"a=" + bytes + "; auth-token=" + token, 200},
           {bytes + "=1; auth-token=" + token, 200},
           {"noequals; auth-token=" + token, 200},
           {"=" + token + "; auth-token=" + token, 200},
           {"AUTH-TOKEN=" + token, 401},
           {"auth-token =" + token, 401},
           {"xauth-token=" + token, 401},
           {"auth-token", 401},
           {"auth-token=", 401},
           {"auth-token=\"\"", 401},
           {"auth-token=\"" + token, 401},
           {"auth-token=" + token + ",b=c", 401},
           {"auth-token=" + token + " b=c", 401},
           {"auth-token=" + token + bytes, 401},
           {"auth-token={\"token\":\"" + token + "\"}", 401},
           {"auth-token=Bearer " + token, 401},
           {"a=b, auth-token=" + token, 401},
           {"", 401},
           {"=", 401},
           {"====;;;;", 401},
           {std::string(30'000, ';'), 401},
           {std::string(15'000, 'a') + "=" + std::string(15'000, 'b'), 401}})
    EXPECT_EQ(h.get(kMe, cookie(text)).status, status) << text.substr(0, 60);
  std::string many;
  for (int i = 0; i < 3000; ++i) many += fmt::format("c{}=x; ", i);
  EXPECT_EQ(h.get(kMe, cookie(many + "auth-token=" + token)).status, 200);
}

// Cross-site requests: a cookie opens an unsafe method only for pages that are listed, whatever else is sent.
TEST_F(Credentials, ACookieNeedsAnOriginOnEveryUnsafeMethod) {
  const auto with_cookie = cookie("auth-token=" + ada.at("token"));
  const auto trigger = h.post("/api/v1/triggers", kTrigger, Harness::bearer(ada)).at("data.id");
  const std::vector<Call> unsafe{
      {"POST", "/api/v1/triggers", kTrigger, {}, "203.0.113.7"},
      {"PUT", "/api/v1/triggers/" + trigger, R"({"enabled":false})", {}, "203.0.113.7"},
      {"PATCH", "/api/v1/triggers/" + trigger + "/circuit-breaker", R"({"failure_threshold":5})", {}, "203.0.113.7"},
      {"DELETE", "/api/v1/triggers/" + trigger, std::nullopt, {}, "203.0.113.7"},
      {"POST", "/api/v1/auth/password", R"({"current_password":"a","new_password":"b"})", {}, "203.0.113.7"},
      {"POST", "/api/v1/auth/logout", "{}", {}, "203.0.113.7"},
      {"POST", "/api/v1/auth/logout", std::nullopt, {}, "203.0.113.7"},
  };
  const std::vector<std::optional<std::string>> origins{std::nullopt,
                                                        "",
                                                        "null",
                                                        "https://evil.example",
                                                        "https://app.example.org.evil.example",
                                                        "https://app.example.org:8443",
                                                        "http://app.example.org",
                                                        "https://APP.example.org.",
                                                        "https://app.example.org/",
                                                        "https://app.example.org https://evil.example",
                                                        "https://evil.example#https://app.example.org",
                                                        "file://"};
  for (const auto& call : unsafe) {
    for (const auto& origin : origins) {
      auto forged = call;
      forged.headers = with_cookie;
      if (origin) forged.headers.emplace_back("Origin", *origin);
      forged.headers.emplace_back("Referer", "https://app.example.org/");
      EXPECT_EQ(h.call(forged).status, 403) << call.method << call.target << " from " << origin.value_or("nowhere");
    }
  }
  // A form cannot send JSON, and the method that counts is the request's own.
  auto form = unsafe[0];
  form.headers = with_cookie;
  form.headers.emplace_back("Content-Type", "text/plain");
  EXPECT_EQ(h.call(form).status, 403);
  auto overridden = with_cookie;
  overridden.emplace_back("X-HTTP-Method-Override", "DELETE");
  EXPECT_EQ(h.get("/api/v1/triggers/" + trigger + "?_method=DELETE", overridden).status, 200);
  EXPECT_EQ(h.get("/api/v1/triggers/" + trigger, Harness::bearer(ada)).at("data.enabled"), "true");
}

// A site that can set cookies for ours must not make a user's renewal take the site's session.
TEST_F(Credentials, RenewalFromTwoRefreshCookiesIsRefused) {
  const auto ours = "refresh-token=" + ada.at("refresh_token"), theirs = "refresh-token=" + eve.at("refresh_token");
  const auto ask = [&](const std::string& text) {
    return h.call({"POST",
                   "/api/v1/auth/refresh",
                   std::nullopt,
                   {{"Cookie", text}, {"Origin", "https://app.example.org"}},
                   "203.0.113.7"});
  };
  EXPECT_EQ(ask(theirs + "; " + ours).status, 400);
  EXPECT_EQ(ask(ours + "; " + theirs).status, 400);
  EXPECT_EQ(ask(ours).status, 200);
}

}   // namespace
}   // namespace agentauri::gateway
