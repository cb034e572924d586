// Where a user is signed in, and ending it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "core/async/task.hpp"
#include "gateway/auth/session_uses.hpp"
#include "gateway/testing/gateway_fixture.hpp"

namespace agentauri::gateway {
namespace {

using testing::Answer;
using testing::Call;
using testing::EngineHarness;
using testing::Harness;
using testing::HeaderList;
using namespace std::chrono_literals;

std::string refresh_body(const Answer& auth) {
  return fmt::format(R"({{"refresh_token":"{}"}})", auth.at("refresh_token"));
}

class Sessions : public EngineHarness {
 protected:
  Answer log_in_with(const std::string& user_agent, const std::string& peer) {
    Call call{"POST",
              "/api/v1/auth/login",
              fmt::format(R"({{"username":"orbit7","password":"{}"}})", testing::kPassword),
              {{"User-Agent", user_agent}},
              peer};
    return h.call(call);
  }
  std::string id_of(const Answer& auth) {
    const auto list = h.get("/api/v1/auth/sessions", Harness::bearer(auth));
    for (int i = 0; i < 10; ++i) {
      const auto at = fmt::format("sessions.{}.", i);
      if (list.at(at + "current") == "true") return list.at(at + "id");
    }
    return "";
  }
};

TEST_P(Sessions, AreListedWithDeviceAndAddress) {
  h.registered("orbit7");
  h.clock_.advance(10s);
  const auto phone = log_in_with("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36",
                                 "203.0.113.40");
  h.clock_.advance(10s);
  const auto list = h.get("/api/v1/auth/sessions", Harness::bearer(phone));
  ASSERT_EQ(list.status, 200) << list.text;
  EXPECT_EQ(list.at("sessions.0.device"), "Chrome on Android");
  EXPECT_EQ(list.at("sessions.0.address"), "203.0.113.40");
  EXPECT_EQ(list.at("sessions.0.current"), "true");
  EXPECT_EQ(list.at("sessions.0.created_at"), "2026-01-01T00:10:22.345678Z");
  EXPECT_EQ(list.at("sessions.1.device"), "Unknown device");
  EXPECT_EQ(list.at("sessions.1.user_agent"), "null");
  EXPECT_EQ(list.at("sessions.1.current"), "false");
  EXPECT_EQ(list.find("sessions.2"), nullptr);
  // A refresh is a use, from wherever it came.
  h.clock_.advance(10s);
  Call refresh{"POST", "/api/v1/auth/refresh", refresh_body(phone), {{"User-Agent", "curl/8.5.0"}}, "203.0.113.41"};
  EXPECT_EQ(h.call(refresh).status, 200);
  const auto after = h.get("/api/v1/auth/sessions", Harness::bearer(phone));
  EXPECT_EQ(after.at("sessions.0.last_used_at"), "2026-01-01T00:10:42.345678Z");
  EXPECT_EQ(after.at("sessions.0.device"), "curl");
  EXPECT_EQ(after.at("sessions.0.address"), "203.0.113.41");
  EXPECT_EQ(after.at("sessions.0.created_at"), "2026-01-01T00:10:22.345678Z");
}

TEST_P(Sessions, OneIsEndedAndNobodyElses) {
  const auto a = h.registered("orbit7");
  const auto b = h.log_in("orbit7", testing::kPassword);
  const auto stranger = h.registered("other");
  const auto id = id_of(b);
  EXPECT_EQ(h.erase("/api/v1/auth/sessions/" + id, Harness::bearer(stranger)).at("message"), "Session not found");
  EXPECT_EQ(h.erase("/api/v1/auth/sessions/nonsense", Harness::bearer(a)).status, 404);
  EXPECT_EQ(h.get("/api/v1/auth/me", Harness::bearer(b)).status, 200);
  const auto ended = h.erase("/api/v1/auth/sessions/" + id, Harness::bearer(a));
  EXPECT_EQ(ended.status, 204);
  EXPECT_TRUE(ended.all("Set-Cookie").empty());
  EXPECT_EQ(h.get("/api/v1/auth/me", Harness::bearer(b)).at("error"), "token_invalid");
  EXPECT_EQ(h.post("/api/v1/auth/refresh", refresh_body(b)).status, 401);
  EXPECT_EQ(h.erase("/api/v1/auth/sessions/" + id, Harness::bearer(a)).status, 404);
  // One's own takes its cookies with it.
  const auto own = h.erase("/api/v1/auth/sessions/" + id_of(a), Harness::bearer(a));
  EXPECT_EQ(own.status, 204);
  EXPECT_EQ(own.all("Set-Cookie").size(), 2U);
  EXPECT_EQ(h.get("/api/v1/auth/me", Harness::bearer(a)).at("error"), "token_invalid");
}

TEST_P(Sessions, AThousandRefreshesOfOneTokenAreOneSession) {
  Harness wide([](GatewaySettings& s) { s.rate_limit_mode = GatewaySettings::RateLimitMode::shadow; },
               GetParam() == "sqlite" ? store::testing::make_temp_sqlite() : store::testing::make_temp_postgres());
  const auto auth = wide.registered("orbit7");
  std::vector<Call> calls(1000, Call{"POST", "/api/v1/auth/refresh", refresh_body(auth), {}, "203.0.113.7"});
  std::set<std::string> pairs;
  for (const auto& answer : wide.call_all(calls)) {
    EXPECT_EQ(answer.status, 200) << answer.text;
    pairs.insert(answer.text);
  }
  EXPECT_EQ(pairs.size(), 1U);
  const auto list = wide.get("/api/v1/auth/sessions", Harness::bearer(auth));
  EXPECT_EQ(list.status, 200) << "nobody was logged out";
  EXPECT_EQ(list.find("sessions.1"), nullptr);
}

TEST_P(Sessions, UsesAreWrittenOnceAMinute) {
  SessionUses uses(h.db());
  const auto auth = h.registered("orbit7");
  const auto id = *domain::SessionId::parse(id_of(auth));
  const Time start = h.clock_.now() + 1min;
  const auto written = [&] {
    run_blocking([&]() -> Task<void> { EXPECT_TRUE(co_await uses.flush()); });
    auto found = h.db().snapshot_blocking<std::optional<store::SessionView>>(
        [id](store::Tx& tx) { return store::find_session(tx, id); });
    return (*found)->session;
  };
  uses.used(id, {"curl/8", "203.0.113.50"}, start);
  EXPECT_EQ(written().last_used_at, start);
  EXPECT_EQ(written().ip, "203.0.113.50");
  uses.used(id, {"curl/9", "203.0.113.51"}, start + 59s);
  EXPECT_EQ(written().last_used_at, start);
  uses.used(id, {std::nullopt, "203.0.113.52"}, start + 60s);
  EXPECT_EQ(written().last_used_at, start + 60s);
  EXPECT_EQ(written().ip, "203.0.113.52");
  EXPECT_EQ(written().user_agent, "curl/8");
}

INSTANTIATE_TEST_SUITE_P(Engines, Sessions, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::gateway
