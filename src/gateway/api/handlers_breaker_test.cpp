#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/testing/gateway_fixture.hpp"
#include "rules/circuit_breaker.hpp"
#include "store/revisions.hpp"
#include "store/trigger_state.hpp"

namespace agentauri::gateway {
namespace {

using testing::Harness;
using ::testing::HasSubstr;
using testing::HeaderList;

class BreakerApi : public testing::EngineHarness {
 protected:
  HeaderList user = h.signed_in("orbit7");
  std::string trigger =
      h.post("/api/v1/triggers", R"({"name":"Low score","registry":"reputation"})", user).at("data.id");
  std::string path = "/api/v1/triggers/" + trigger + "/circuit-breaker";

  // As the engine writes it.
  void remember(domain::ChainId chain, const rules::BreakerState& state, std::int64_t revision = 1) {
    auto done = h.db().transact_blocking<void>(store::Priority::interactive, [&](store::Tx& tx) {
      return store::write_states(tx,
                                 {{{*domain::TriggerId::parse(trigger), rules::kBreakerCondition, revision, chain, ""},
                                   store::StateValue{rules::breaker_text(state).value_or("nonsense"), 7}}});
    });
    ASSERT_TRUE(done) << done.error().text;
  }
  store::Revision newest() {
    return h.db()
        .snapshot_blocking<std::vector<store::Revision>>(
            [](store::Tx& tx) { return store::read_revisions(tx, 0, 1000); })
        ->back();
  }
  rules::BreakerState open_state() const {
    rules::BreakerState out;
    out.phase = rules::BreakerState::Phase::open;
    out.failure_count = 10;
    out.last_failure = out.opened_at = from_unix_seconds(1'768'471'212);
    return out;
  }
};

TEST_P(BreakerApi, BeginsClosedWithTheDefaults) {
  const auto answer = h.get(path, user);
  ASSERT_EQ(answer.status, 200) << answer.text;
  EXPECT_EQ(answer.at("data.trigger_id"), trigger);
  EXPECT_EQ(answer.at("data.trigger_name"), "Low score");
  EXPECT_EQ(answer.at("data.state"), "Closed");
  EXPECT_EQ(answer.at("data.failure_count"), "0");
  EXPECT_EQ(answer.at("data.half_open_calls"), "0");
  EXPECT_EQ(answer.find("data.opened_at"), nullptr);
  EXPECT_EQ(answer.at("data.config"),
            R"({"failure_threshold":10,"recovery_timeout_seconds":3600,"half_open_max_calls":1})");
}

TEST_P(BreakerApi, ShowsTheWorstChainAndEachThatRemembers) {
  rules::BreakerState one;
  one.failure_count = 3;
  one.last_failure = from_unix_seconds(1'768'471'200);
  remember(1, one);
  remember(8453, open_state());
  remember(10, {});   // what cannot be read is the state of the beginning
  const auto answer = h.get(path, user);
  EXPECT_EQ(answer.at("data.state"), "Open");
  EXPECT_EQ(answer.at("data.failure_count"), "10");
  EXPECT_EQ(answer.at("data.opened_at"), "2026-01-15T10:00:12Z");
  EXPECT_EQ(answer.at("data.last_failure_time"), "2026-01-15T10:00:12Z");
  EXPECT_EQ(answer.at("data.chains.0.chain_id"), "1");
  EXPECT_EQ(answer.at("data.chains.0.state"), "Closed");
  EXPECT_EQ(answer.at("data.chains.1.chain_id"), "8453");
  EXPECT_EQ(answer.find("data.chains.2"), nullptr);
}

TEST_P(BreakerApi, APatchIsMergedAndTheEngineHearsOfIt) {
  remember(8453, open_state());
  const auto before = h.get("/api/v1/triggers/" + trigger, user);
  h.clock_.advance(std::chrono::seconds(9));
  const auto answer = h.patch(path, R"({"failure_threshold":1000,"half_open_max_calls":10})", user);
  ASSERT_EQ(answer.status, 200) << answer.text;
  EXPECT_EQ(answer.at("data.config"),
            R"({"failure_threshold":1000,"recovery_timeout_seconds":3600,"half_open_max_calls":10})");
  EXPECT_EQ(answer.at("data.state"), "Open") << "the state is untouched";
  EXPECT_EQ(newest().trigger.breaker.failure_threshold, 1000);
  EXPECT_EQ(newest().trigger.breaker.revision, 1);
  EXPECT_EQ(h.patch(path, R"({"recovery_timeout_seconds":60})", user).at("data.config.failure_threshold"), "1000");
  EXPECT_EQ(h.get("/api/v1/triggers/" + trigger, user).at("data.updated_at"), before.at("data.updated_at"));
}

TEST_P(BreakerApi, BoundsAreToldByName) {
  for (const auto& [field, low, high] : std::vector<std::tuple<std::string, int, int>>{
           {"failure_threshold", 1, 1000}, {"recovery_timeout_seconds", 60, 604'800}, {"half_open_max_calls", 1, 10}}) {
    for (const int good : {low, high})
      EXPECT_EQ(h.patch(path, fmt::format(R"({{"{}":{}}})", field, good), user).status, 200) << field << good;
    for (const std::int64_t bad : {std::int64_t{low} - 1, std::int64_t{high} + 1, INT64_MAX}) {
      const auto answer = h.patch(path, fmt::format(R"({{"{}":{}}})", field, bad), user);
      EXPECT_EQ(answer.status, 400);
      EXPECT_EQ(answer.at("error"), "validation_error");
      EXPECT_EQ(answer.at("details.0.field"), field);
      EXPECT_EQ(answer.at("details.0.message"), fmt::format("{} must be between {} and {}", field, low, high));
    }
    for (const char* bad : {"-1", "1.5", "\"5\"", "true"}) {
      const auto answer = h.patch(path, fmt::format(R"({{"{}":{}}})", field, bad), user);
      EXPECT_EQ(answer.status, 400) << bad;
      EXPECT_EQ(answer.at("error"), "bad_request") << bad;
      EXPECT_THAT(answer.at("message"), HasSubstr(field)) << bad;
    }
  }
  EXPECT_EQ(h.patch(path, R"({"failure_threshold":null})", user).status, 200);
}

TEST_P(BreakerApi, AResetForgetsEverythingButTheSettings) {
  h.patch(path, R"({"failure_threshold":3})", user);
  remember(8453, open_state());
  ASSERT_EQ(h.get(path, user).at("data.state"), "Open");
  const auto answer = h.call({"POST", path + "/reset", std::nullopt, user});
  ASSERT_EQ(answer.status, 200) << answer.text;
  EXPECT_EQ(answer.at("data.state"), "Closed");
  EXPECT_EQ(answer.at("data.failure_count"), "0");
  EXPECT_EQ(answer.at("data.chains"), "[]");
  EXPECT_EQ(answer.at("data.config.failure_threshold"), "3");
  EXPECT_EQ(h.get(path, user).at("data.state"), "Closed") << "at once, whatever the engine has come to";
  EXPECT_EQ(newest().trigger.breaker.revision, 2);
  EXPECT_EQ(newest().trigger.breaker.failure_threshold, 3);
}

TEST_P(BreakerApi, OfOthersAndOfNobody) {
  const auto stranger = h.signed_in("stranger");
  for (const std::string& target : {path, std::string("/api/v1/triggers/nonsense/circuit-breaker")}) {
    const auto& who = target == path ? stranger : user;
    EXPECT_EQ(h.get(target, who).at("message"), "Trigger not found");
    EXPECT_EQ(h.patch(target, "{}", who).at("message"), "Trigger not found");
    EXPECT_EQ(h.post(target + "/reset", "{}", who).status, 404);
  }
  EXPECT_EQ(h.patch("/api/v1/triggers/nonsense/circuit-breaker", R"({"failure_threshold":0})", user).at("error"),
            "validation_error");
}

TEST_P(BreakerApi, WhoMayOnlyLookChangesNothing) {
  const auto viewer = h.joined("viewer", "viewer", user);
  EXPECT_EQ(h.get(path, viewer).status, 200);
  EXPECT_EQ(h.patch(path, R"({"failure_threshold":0})", viewer).at("message"),
            "Insufficient permissions to update circuit breaker config");
  EXPECT_EQ(h.post(path + "/reset", "{}", viewer).at("message"), "Insufficient permissions to reset circuit breaker");
  const auto member = h.joined("member", "member", user);
  EXPECT_EQ(h.patch(path, R"({"failure_threshold":2})", member).status, 200);
  EXPECT_EQ(h.post(path + "/reset", "{}", member).status, 200);
}

INSTANTIATE_TEST_SUITE_P(Engines, BreakerApi, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::gateway
