// What the log says of a request: enough to find out why it was refused.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/telemetry/log.hpp"
#include "gateway/auth/jwt.hpp"
#include "gateway/testing/gateway_fixture.hpp"

namespace agentauri::gateway {
namespace {

using testing::Harness;
using testing::HeaderList;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

std::string logged(const std::function<void()>& action) {
  ::testing::internal::CaptureStdout();
  action();
  flush_log();
  return ::testing::internal::GetCapturedStdout();
}

struct Refused {
  std::string credential, code, cause;
};

TEST(AccessLine, TellsTheCauseOfEach401) {
  Harness h;
  const auto user = h.registered("orbit7");
  const std::string token = user.at("token");
  const auto signed_by = [&](std::string_view secret, std::string_view issuer) {
    AccessClaims claims{"nobody", "orbit7", "no session", to_unix_seconds(h.clock_.now()), "j"};
    return "Bearer " + sign_access_token(claims, issuer, secret);
  };
  const std::string ours(testing::kJwtSecret);
  const std::vector<Refused> cases{
      {"", "unauthorized", "the request holds no credential"},
      {"Basic b3JiaXQ3", "token_invalid", "neither a key nor Bearer"},
      {"sk_live_x", "api_key_invalid", "the text is not that of an API key"},
      {"Bearer x.y", "token_invalid", "has not three parts"},
      {"Bearer x.y.z", "token_invalid", "header does not read"},
      {signed_by("another secret of at least 32 bytes", h.settings_.base_url), "token_invalid", "signed with a secret"},
      {signed_by(ours, "https://elsewhere.example"), "token_invalid", "issuer or audience"},
      {signed_by(ours, h.settings_.base_url), "token_invalid", "no session id"},
  };
  int n = 0;
  for (const auto& bad : cases) {
    const std::string id = fmt::format("req-{}", ++n);
    const std::string line = logged([&] {
      HeaderList headers{{"X-Request-ID", id}};
      if (!bad.credential.empty()) headers.emplace_back("Authorization", bad.credential);
      const auto answer = h.get("/api/v1/triggers", headers);
      EXPECT_EQ(answer.status, 401) << bad.credential;
      EXPECT_EQ(answer.at("error"), bad.code) << bad.credential;
      EXPECT_EQ(answer.text.find(bad.cause), std::string::npos) << "the client is told no more than before";
    });
    EXPECT_THAT(line, HasSubstr("\"request_id\":\"" + id + "\"")) << bad.credential;
    EXPECT_THAT(line, HasSubstr("\"error\":\"" + bad.code + "\"")) << bad.credential;
    EXPECT_THAT(line, HasSubstr(bad.cause)) << bad.credential;
    if (bad.credential.size() > 20) EXPECT_THAT(line, Not(HasSubstr(bad.credential.substr(7))));
  }
  const HeaderList signed_in{{"Authorization", "Bearer " + token}};
  EXPECT_THAT(logged([&] { EXPECT_EQ(h.get("/api/v1/triggers", signed_in).status, 200); }),
              HasSubstr("\"error\":\"\",\"cause\":\"\""));
  EXPECT_EQ(h.post("/api/v1/auth/logout", "{}", signed_in).status, 200);
  EXPECT_THAT(logged([&] { EXPECT_EQ(h.get("/api/v1/triggers", signed_in).status, 401); }),
              HasSubstr("the session was ended"));
  h.clock_.advance(2h);
  EXPECT_THAT(logged([&] { EXPECT_EQ(h.get("/api/v1/triggers", signed_in).status, 401); }),
              HasSubstr("\"error\":\"token_expired\",\"cause\":\"the token is past its expiry\""));
}

TEST(AccessLine, TellsWhyALoginFailed) {
  Harness h;
  h.registered("orbit7");
  EXPECT_THAT(logged([&] { EXPECT_EQ(h.log_in("orbit7", "x").status, 401); }), HasSubstr("the password is wrong"));
  EXPECT_THAT(logged([&] { EXPECT_EQ(h.log_in("nobody", "x").status, 401); }), HasSubstr("there is no such user"));
  EXPECT_THAT(logged([&] { EXPECT_EQ(h.post("/api/v1/auth/refresh", R"({"refresh_token":"x"})").status, 401); }),
              HasSubstr("the refresh token is malformed"));
}

TEST(AccessLine, AFailureOfTheStoreNamesItsRequest) {
  Harness h;
  h.db().stop();
  const std::string lines = logged([&] {
    const auto answer = h.post("/api/v1/auth/refresh", R"({"refresh_token":"x"})", {{"X-Request-ID", "req-store"}});
    EXPECT_GE(answer.status, 500);
  });
  std::istringstream in(lines);
  int named = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.find("failed in the store") == std::string::npos && line.find("\"target\":\"http\"") == std::string::npos)
      continue;
    ++named;
    EXPECT_THAT(line, HasSubstr("\"request_id\":\"req-store\""));
  }
  EXPECT_GE(named, 2) << lines;
}

}   // namespace
}   // namespace agentauri::gateway
