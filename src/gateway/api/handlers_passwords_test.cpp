// The policy, a change of the password, and what a login costs that cannot succeed. (Login itself:
// handlers_auth_test.cpp.)
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/async/task.hpp"
#include "gateway/testing/gateway_fixture.hpp"
#include "store/accounts.hpp"

namespace agentauri::gateway {
namespace {

using testing::Answer;
using testing::Call;
using testing::EngineHarness;
using testing::Harness;
using testing::HeaderList;
using namespace std::chrono_literals;

constexpr std::string_view kNewPassword = "a louder river 78";

std::string change_body(std::string_view current, std::string_view next) {
  return fmt::format(R"({{"current_password":"{}","new_password":"{}"}})", current, next);
}
Answer change(Harness& h, const HeaderList& who, std::string_view current = testing::kPassword,
              std::string_view next = kNewPassword) {
  return h.post("/api/v1/auth/password", change_body(current, next), who);
}
std::string refresh_body(const Answer& auth) {
  return fmt::format(R"({{"refresh_token":"{}"}})", auth.at("refresh_token"));
}

TEST(PasswordPolicy, IsToldToEverybody) {
  Harness h;
  const auto policy = h.get("/api/v1/auth/password-policy");
  EXPECT_EQ(policy.status, 200);
  EXPECT_EQ(policy.at("policy"), "default");
  EXPECT_EQ(policy.at("min_length"), "8");
  EXPECT_EQ(policy.at("max_length"), "128");
  EXPECT_EQ(policy.at("require_special"), "false");
  EXPECT_EQ(policy.at("rules.3.code"), "password_is_identity");
  EXPECT_EQ(policy.find("rules.4"), nullptr);
  EXPECT_EQ(policy.header("X-RateLimit-Limit"), "60");

  Harness strict([](GatewaySettings& s) { s.password_policy = GatewaySettings::PasswordPolicy::strict; });
  const auto more = strict.get("/api/v1/auth/password-policy");
  EXPECT_EQ(more.at("policy"), "strict");
  EXPECT_EQ(more.at("min_length"), "12");
  EXPECT_EQ(more.at("require_uppercase"), "true");
  EXPECT_EQ(more.at("rules.0.message"), "Password must be at least 12 characters");
  EXPECT_EQ(more.at("rules.7.code"), "password_no_special");
}

class PasswordChange : public EngineHarness {};

TEST_P(PasswordChange, EndsTheOtherSessionsAndKeepsThisOne) {
  const auto a = h.registered("orbit7");
  const auto b = h.log_in("orbit7", testing::kPassword), c = h.log_in("orbit7", testing::kPassword);
  const auto stranger = h.registered("other");
  const auto changed = change(h, Harness::bearer(b));
  ASSERT_EQ(changed.status, 200) << changed.text;
  EXPECT_EQ(changed.text, R"({"success":true,"message":"Password changed successfully","sessions_ended":2})");
  for (const auto* gone : {&a, &c}) {
    EXPECT_EQ(h.get("/api/v1/auth/me", Harness::bearer(*gone)).at("error"), "token_invalid");
    EXPECT_EQ(h.post("/api/v1/auth/refresh", refresh_body(*gone)).at("error"), "invalid_refresh_token");
  }
  EXPECT_EQ(h.get("/api/v1/auth/me", Harness::bearer(b)).status, 200);
  EXPECT_EQ(h.post("/api/v1/auth/refresh", refresh_body(b)).status, 200);
  EXPECT_EQ(h.get("/api/v1/auth/me", Harness::bearer(stranger)).status, 200);
  EXPECT_EQ(h.log_in("orbit7", testing::kPassword).at("error"), "invalid_credentials");
  EXPECT_EQ(h.log_in("orbit7", kNewPassword).status, 200);
}

INSTANTIATE_TEST_SUITE_P(Engines, PasswordChange, store::testing::kEngines, store::testing::engine_name);

TEST(PasswordChanges, NameEveryBrokenRule) {
  Harness h;
  const auto who = h.signed_in("orbit7");
  const auto same = change(h, who, "ORBIT7", "ORBIT7");
  EXPECT_EQ(same.status, 400);
  EXPECT_EQ(same.at("error"), "validation_error");
  EXPECT_EQ(same.at("details.0.field"), "new_password");
  EXPECT_EQ(same.at("details.0.code"), "password_too_short");
  EXPECT_EQ(same.at("details.1.code"), "password_is_identity");
  EXPECT_EQ(same.at("details.2.code"), "password_unchanged");
  EXPECT_EQ(change(h, who, "", kNewPassword).at("details.0.field"), "current_password");
  for (const auto* body : {"{}", R"({"current_password":"x"})", R"({"current_password":1,"new_password":"x"})", "["})
    EXPECT_EQ(h.post("/api/v1/auth/password", body, who).at("error"), "bad_request") << body;
  // Nothing of this was a guess.
  EXPECT_EQ(change(h, who).status, 200);
}

TEST(PasswordChanges, AWrongGuessCountsAsAFailedLogin) {
  Harness h;
  const auto who = h.signed_in("orbit7");
  for (int i = 0; i < 3; ++i) {
    const auto wrong = change(h, who, "not this one");
    EXPECT_EQ(wrong.status, 400);
    EXPECT_EQ(wrong.at("details.0.field"), "current_password");
    EXPECT_EQ(wrong.at("details.0.code"), "password_incorrect");
  }
  EXPECT_EQ(change(h, who).at("error"), "rate_limited");
  h.clock_.advance(1min);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(change(h, who, "not this one").status, 400);
  EXPECT_EQ(change(h, who).at("error"), "account_locked");
  EXPECT_EQ(h.log_in("orbit7", testing::kPassword, "203.0.113.99").at("error"), "account_locked");
  h.clock_.advance(15min);
  EXPECT_EQ(change(h, who).status, 200);
  // The right one cleared the count.
  EXPECT_EQ(h.log_in("orbit7", "x", "203.0.113.98").at("error"), "invalid_credentials");
  EXPECT_EQ(h.log_in("orbit7", kNewPassword, "203.0.113.97").status, 200);
}

TEST(PasswordChanges, OfTwoAtOnceOneWins) {
  Harness h;
  const auto who = h.signed_in("orbit7");
  std::vector<Call> calls;
  for (const auto* next : {"the first new one", "the second new one"})
    calls.push_back({"POST", "/api/v1/auth/password", change_body(testing::kPassword, next), who, "203.0.113.7"});
  int changed = 0;
  for (const auto& answer : h.call_all(calls)) {
    changed += answer.status == 200 ? 1 : 0;
    if (answer.status != 200) EXPECT_EQ(answer.at("error"), "conflict") << answer.text;
  }
  EXPECT_EQ(changed, 1);
}

TEST(PasswordChanges, AUserWithoutOneIsTold) {
  Harness h;
  const auto who = h.signed_in("orbit7");
  const auto id = domain::AccountId::parse(h.user_id(who));
  static const store::Query forget_password{store::Query::Unlisted{}, "test_forget_password",
                                            "UPDATE accounts SET password_hash = NULL WHERE id = :id"};
  ASSERT_TRUE(h.db().transact_blocking<void>(store::Priority::interactive, [&](store::Tx& tx) -> Result<void> {
    auto done = tx.run(forget_password, store::Params().id("id", *id));
    return done ? Result<void>() : fail(done);
  }));
  EXPECT_EQ(change(h, who).at("details.0.code"), "password_not_set");
}

// --- what a login costs that cannot succeed
// ---------------------------------------------------------------------------

// CPU time that the lane's threads have spent: what it does, whoever else uses the machine.
std::chrono::nanoseconds spent_by_the_lane() {
  std::chrono::nanoseconds out{};
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::ifstream(task.path() / "comm") >> name;
    std::int64_t ns = 0;
    if (name == "argon2" && std::ifstream(task.path() / "schedstat") >> ns) out += std::chrono::nanoseconds(ns);
  }
  return out;
}
std::int64_t logins_of_nobody(Harness& h) {
  static const store::Query read{store::Query::Unlisted{}, "test_logins_of_nobody",
                                 "SELECT value FROM counters WHERE name = 'logins_of_nobody'"};
  const auto rows = h.db().query_blocking(read);
  return rows && !rows->empty() ? rows->i64(0, 0) : 0;
}

// The same hash and the same commit as for a wrong password, so that the time does not tell who exists.
TEST_P(PasswordChange, ALoginOfNobodyCostsWhatAWrongPasswordCosts) {
  constexpr int kLogins = 6;
  h.registered("orbit7");
  h.registered("without");
  static const store::Query forget_password{store::Query::Unlisted{}, "test_forget_password_of",
                                            "UPDATE accounts SET password_hash = NULL WHERE username = 'without'"};
  ASSERT_TRUE(h.db().transact_blocking<void>(store::Priority::interactive, [&](store::Tx& tx) -> Result<void> {
    auto done = tx.run(forget_password);
    return done ? Result<void>() : fail(done);
  }));
  h.log_in("nobody", "x");   // makes the hash that nobody's password is held against
  const auto cost = [&](const std::string& name) {
    const auto before = spent_by_the_lane();
    for (int i = 0; i < kLogins; ++i) {
      // The fifth wrong one would lock the account.
      if (i == 3) h.clock_.advance(1h);
      if (i == 3 && name == "orbit7") h.log_in(name, testing::kPassword, "203.0.113.99");
      EXPECT_EQ(h.log_in(name, "x", fmt::format("203.0.113.{}", 10 + i)).at("error"), "invalid_credentials");
    }
    return static_cast<double>((spent_by_the_lane() - before).count());
  };
  const double wrong = cost("orbit7") * kLogins / (kLogins + 1);   // one of them was right
  ASSERT_GT(wrong, 0);
  for (const std::string name : {"nobody", "without"}) {
    const auto counted = logins_of_nobody(h);
    const double spent = cost(name);
    EXPECT_GT(spent / wrong, 0.6) << name;
    EXPECT_LT(spent / wrong, 1.7) << name;
    EXPECT_EQ(logins_of_nobody(h), counted + kLogins) << name << ": a commit each";
  }
}

// A login that is under way with the old password while it is changed opens no session.
TEST_P(PasswordChange, ALoginWithTheOldPasswordCannotSlipThrough) {
  const auto a = h.registered("orbit7");
  std::vector<Call> calls{{"POST", "/api/v1/auth/password", change_body(testing::kPassword, kNewPassword),
                           Harness::bearer(a), "203.0.113.7"}};
  for (int i = 0; i < 8; ++i)
    calls.push_back({"POST",
                     "/api/v1/auth/login",
                     fmt::format(R"({{"username":"orbit7","password":"{}"}})", testing::kPassword),
                     {},
                     fmt::format("203.0.113.{}", 50 + i)});
  const auto answers = h.call_all(calls);
  EXPECT_EQ(answers[0].status, 200) << answers[0].text;
  const auto account = domain::AccountId::parse(a.at("user.id"));
  const auto live = h.db().snapshot_blocking<std::vector<domain::SessionId>>(
      [&](store::Tx& tx) { return store::live_sessions(tx, *account, h.clock_.now()); });
  ASSERT_TRUE(live);
  EXPECT_EQ(live->size(), 1U);
}

}   // namespace
}   // namespace agentauri::gateway
