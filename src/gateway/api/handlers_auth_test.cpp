#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/async/task.hpp"
#include "gateway/auth/jwt.hpp"
#include "gateway/testing/gateway_fixture.hpp"
#include "gateway/use_cases/accounts.hpp"
#include "store/accounts.hpp"

namespace agentauri::gateway {
namespace {

using testing::Answer;
using testing::Call;
using testing::Harness;
using testing::HeaderList;
using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

std::string refresh_body(const Answer& auth) {
  return fmt::format(R"({{"refresh_token":"{}"}})", auth.at("refresh_token"));
}

// --- register --------------------------------------------------------------------------------------------------------

TEST(Register, MakesAnAccountWithItsPersonalOrganization) {
  Harness h;
  const auto made =
      h.post("/api/v1/auth/register",
             R"({"username":"Orbit7","email":"orbit7@example.org","password":"testpass123","unknown":1})");
  ASSERT_EQ(made.status, 201) << made.text;
  EXPECT_EQ(made.at("expires_in"), "3600");
  EXPECT_EQ(made.at("user.created_at"), "2026-01-01T00:10:12.345678Z");
  EXPECT_EQ(made.at("user.last_login_at"), "null");
  EXPECT_EQ(made.at("user.is_active"), "true");
  EXPECT_EQ(made.header("X-RateLimit-Limit"), "3");
  EXPECT_EQ(made.header("X-RateLimit-Remaining"), "2");
  EXPECT_EQ(made.header("X-RateLimit-Reset"), "1767226272");
  EXPECT_EQ(made.header("X-RateLimit-Window"), "60");
  EXPECT_THAT(made.all("Set-Cookie"),
              UnorderedElementsAre("auth-token=" + made.at("token") + "; HttpOnly; SameSite=Lax; Path=/; Max-Age=3600",
                                   "refresh-token=" + made.at("refresh_token") +
                                       "; HttpOnly; SameSite=Strict; Path=/api/v1/auth; Max-Age=2592000"));
  const auto me = h.get("/api/v1/auth/me", Harness::bearer(made));
  ASSERT_EQ(me.status, 200) << me.text;
  EXPECT_EQ(me.at("username"), "Orbit7");
  EXPECT_EQ(me.at("organizations.0.name"), "Orbit7's Personal");
  EXPECT_EQ(me.at("organizations.0.slug"), "orbit7-personal");
  EXPECT_EQ(me.at("organizations.0.role"), "owner");
}

TEST(Register, ProductionCookiesAreSecure) {
  Harness h([](GatewaySettings& s) { s.production = true; });
  const auto made = h.registered("orbit7");
  for (const auto& cookie : made.all("Set-Cookie")) EXPECT_THAT(cookie, HasSubstr("; Secure;"));
}

TEST(Register, NamesAreTakenWithoutCase) {
  Harness h;
  h.registered("orbit7");
  const auto same_name =
      h.post("/api/v1/auth/register", R"({"username":"ORBIT7","email":"orbit7@EXAMPLE.org","password":"testpass123"})");
  EXPECT_EQ(same_name.status, 409);
  EXPECT_EQ(same_name.at("error"), "username_exists");
  EXPECT_EQ(same_name.at("message"), "Username already taken");
  const auto same_mail =
      h.post("/api/v1/auth/register", R"({"username":"other","email":"orbit7@EXAMPLE.org","password":"testpass123"})");
  EXPECT_EQ(same_mail.status, 409);
  EXPECT_EQ(same_mail.at("error"), "email_exists");
}

TEST(Register, OfTwoAtOnceOneWins) {
  Harness h([](GatewaySettings& s) { s.register_per_minute = 100; });
  std::vector<Call> calls(6, Call{"POST",
                                  "/api/v1/auth/register",
                                  R"({"username":"orbit7","email":"orbit7@example.org","password":"testpass123"})",
                                  {},
                                  "203.0.113.7"});
  int made = 0;
  for (const auto& answer : h.call_all(calls)) {
    made += answer.status == 201 ? 1 : 0;
    if (answer.status != 201) EXPECT_EQ(answer.at("error"), "username_exists") << answer.text;
  }
  EXPECT_EQ(made, 1);
}

TEST(Register, EveryBrokenRuleIsTold) {
  Harness h;
  const auto bad = h.post("/api/v1/auth/register", R"({"username":"ab","email":"nobody","password":"short"})");
  EXPECT_EQ(bad.status, 400);
  EXPECT_EQ(bad.at("error"), "validation_error");
  EXPECT_THAT(bad.at("message"), HasSubstr("Validation failed: username: Validation error: length ["));
  EXPECT_THAT(bad.at("message"), HasSubstr("\nemail: Validation error: email ["));
  EXPECT_THAT(bad.at("message"), HasSubstr("\npassword: Password must be at least 8 characters"));
  EXPECT_EQ(bad.at("details.0.field"), "username");
  EXPECT_EQ(bad.at("details.0.code"), "length");
  EXPECT_EQ(bad.at("details.1.code"), "email");
  EXPECT_EQ(bad.at("details.2.code"), "password_too_short");
  EXPECT_EQ(bad.find("details.3"), nullptr);
}

TEST(Register, IsLimitedByAddressAndSetting) {
  Harness h([](GatewaySettings& s) { s.register_per_minute = 2; });
  const std::string bad = R"({"username":"ab","email":"x","password":"y"})";
  EXPECT_EQ(h.post("/api/v1/auth/register", bad).status, 400);
  EXPECT_EQ(h.post("/api/v1/auth/register", bad).status, 400);
  const auto refused = h.post("/api/v1/auth/register", bad);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.at("error"), "rate_limited");
  EXPECT_EQ(refused.at("message"), "Rate limit exceeded. Try again in 60 seconds. (Limit: 2, Window: 60s)");
  EXPECT_EQ(refused.header("Retry-After"), "60");
  EXPECT_EQ(refused.header("X-RateLimit-Remaining"), "0");
  h.clock_.advance(60s);
  EXPECT_EQ(h.post("/api/v1/auth/register", bad).status, 400);
}

// --- login -----------------------------------------------------------------------------------------------------------

TEST(Login, TakesThreeSpellingsOfTheIdentifier) {
  Harness h;
  h.registered("orbit7");
  for (const auto* body :
       {R"({"username_or_email":"orbit7","password":"a quiet river 77"})",
        R"({"username":"ORBIT7","password":"a quiet river 77"})",
        R"({"email":"Orbit7@example.org","password":"a quiet river 77"})",
        R"({"username_or_email":"orbit7@example.org","username":"nobody","password":"a quiet river 77"})"}) {
    const auto answer = h.post("/api/v1/auth/login", body);
    EXPECT_EQ(answer.status, 200) << body << answer.text;
  }
}

TEST(Login, ShowsTheLoginBefore) {
  Harness h;
  h.registered("orbit7");
  h.clock_.advance(10s);
  EXPECT_EQ(h.log_in("orbit7", testing::kPassword).at("user.last_login_at"), "null");
  h.clock_.advance(10s);
  EXPECT_EQ(h.log_in("orbit7", testing::kPassword).at("user.last_login_at"), "2026-01-01T00:10:22.345678Z");
}

TEST(Login, MissingAndWrongMembers) {
  Harness h;
  for (const auto* body : {R"({"password":"x"})", R"({"username":"x"})", R"({"username":5,"password":"x"})",
                           R"({"username":"x","password":null})", "{", "[]", ""}) {
    const auto answer = h.post("/api/v1/auth/login", body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_EQ(answer.at("error"), "bad_request") << body;
    EXPECT_THAT(answer.at("message"), HasSubstr("Json deserialize error: ")) << body;
  }
  const auto empty = h.post("/api/v1/auth/login", R"({"username":"","password":"x"})");
  EXPECT_EQ(empty.at("error"), "validation_error");
}

TEST(Login, UnknownUsersAndWrongPasswordsLookAlike) {
  Harness h;
  h.registered("orbit7");
  const auto unknown = h.log_in("nobody", "x");
  const auto wrong = h.log_in("orbit7", "x");
  EXPECT_EQ(unknown.status, 401);
  EXPECT_EQ(wrong.status, 401);
  EXPECT_EQ(unknown.at("error"), "invalid_credentials");
  EXPECT_EQ(unknown.at("message"), wrong.at("message"));
}

// The deployment guide's own check.
TEST(Login, OfTenParallelBadOnesExactlyThreeAreLookedAt) {
  Harness h;
  h.registered("test");
  std::vector<Call> calls(
      10, Call{"POST", "/api/v1/auth/login", R"({"username":"test","password":"wrong"})", {}, "203.0.113.7"});
  std::map<int, int> seen;
  for (const auto& answer : h.call_all(calls)) {
    ++seen[answer.status];
    if (answer.status != 429) continue;
    EXPECT_EQ(answer.at("error"), "rate_limited");
    EXPECT_EQ(answer.header("Retry-After"), "60");
  }
  EXPECT_EQ(seen, (std::map<int, int>{{401, 3}, {429, 7}}));
  // Another address is not held up, nor another user of this one.
  EXPECT_EQ(h.log_in("test", testing::kPassword, "203.0.113.8").status, 200);
  EXPECT_EQ(h.log_in("other", "x").status, 401);
}

// They are one account, so they are one limit.
TEST(Login, AnotherSpellingIsNoOtherAttempt) {
  Harness h;
  h.registered("orbit7");
  for (const char* spelling : {"orbit7", "ORBIT7", "Orbit7"}) EXPECT_EQ(h.log_in(spelling, "x").status, 401);
  for (const char* spelling : {"orbit7", "oRBIT7"}) EXPECT_EQ(h.log_in(spelling, "x").status, 429) << spelling;
  EXPECT_EQ(h.log_in("\u00c4da", "x").status, 401);
  EXPECT_EQ(h.log_in("\u00e4da", "x").status, 401);
  EXPECT_EQ(h.log_in("\u00c4DA", "x").status, 401);
  EXPECT_EQ(h.log_in("\u00e4DA", "x").status, 429);
}

TEST(Login, SuccessIsNotCountedAsFailure) {
  Harness h;
  h.registered("orbit7");
  for (int i = 0; i < 8; ++i) EXPECT_EQ(h.log_in("orbit7", testing::kPassword).status, 200);
}

TEST(Login, LockoutClimbsItsLadder) {
  EXPECT_EQ(lock_after(4, from_unix_seconds(0)), std::nullopt);
  const std::pair<int, int> ladder[] = {{5, 15},  {9, 15},   {10, 30},  {14, 30},  {15, 60},
                                        {19, 60}, {20, 120}, {24, 120}, {25, 240}, {1000, 240}};
  for (const auto& [failures, minutes] : ladder)
    EXPECT_EQ(lock_after(failures, from_unix_seconds(0)), from_unix_seconds(minutes * 60)) << failures;
}

TEST(Login, ALockedAccountIsRefusedUnlooked) {
  Harness h;
  h.registered("orbit7");
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(h.log_in("orbit7", "wrong", fmt::format("203.0.113.{}", 10 + i)).status, 401) << i;
  h.clock_.advance(1s + 500ms);
  const auto locked = h.log_in("orbit7", testing::kPassword, "203.0.113.30");
  EXPECT_EQ(locked.status, 429);
  EXPECT_EQ(locked.at("error"), "account_locked");
  EXPECT_EQ(locked.at("message"), "Account is temporarily locked. Try again in 899 seconds.");
  EXPECT_EQ(locked.header("Retry-After"), "899");
  // Restarts do not help.
  const auto second = h.another();
  EXPECT_EQ(testing::call_gateway(
                *second, {"POST", "/api/v1/auth/login", R"({"username":"orbit7","password":"x"})", {}, "203.0.113.31"})
                .at("error"),
            "account_locked");
  // The end of the lock does not reset the count: the next wrong one locks again at once.
  h.clock_.advance(15min);
  EXPECT_EQ(h.log_in("orbit7", "wrong", "203.0.113.32").status, 401);
  EXPECT_EQ(h.log_in("orbit7", testing::kPassword, "203.0.113.33").status, 429);
  h.clock_.advance(15min);
  EXPECT_EQ(h.log_in("orbit7", testing::kPassword, "203.0.113.34").status, 200);
  // A right password does.
  EXPECT_EQ(h.log_in("orbit7", "wrong", "203.0.113.35").status, 401);
  EXPECT_EQ(h.log_in("orbit7", testing::kPassword, "203.0.113.36").status, 200);
}

// --- tokens and sessions ---------------------------------------------------------------------------------------------

TEST(Session, TokensOfEverySpellingAndTheirFaults) {
  Harness h;
  const auto auth = h.registered("orbit7");
  const std::string token = auth.at("token");
  struct Case {
    HeaderList headers;
    int status;
    std::string code;
  };
  const std::vector<Case> cases{
      {{{"Authorization", "Bearer " + token}}, 200, ""},
      {{{"Authorization", "bEARER " + token}}, 200, ""},
      {{{"Cookie", "a=b; auth-token=" + token + "; c=d"}}, 200, ""},
      {{{"Authorization", "Bearer " + token}, {"Cookie", "auth-token=garbage"}}, 200, ""},
      {{}, 401, "unauthorized"},
      {{{"Cookie", "auth-tokens=" + token}}, 401, "unauthorized"},
      {{{"Authorization", "Bearer"}}, 401, "token_invalid"},
      {{{"Authorization", ""}}, 401, "token_invalid"},
      {{{"Authorization", token}}, 401, "token_invalid"},
      {{{"Authorization", "Bearer  " + token}}, 401, "token_invalid"},
      {{{"Authorization", "Basic " + token}}, 401, "token_invalid"},
      {{{"Authorization", "Bearer " + token + "x"}}, 401, "token_invalid"},
      {{{"Authorization", "Bearer oauth_at_x"}}, 401, "token_invalid"},
      {{{"Authorization", "Bearer sk_live_" + std::string(43, 'A')}}, 401, "api_key_invalid"},
      {{{"Authorization", "sk_test_" + std::string(43, 'A')}}, 401, "api_key_invalid"},
      {{{"X-API-Key", "anything"}}, 401, "api_key_invalid"},
      // An invalid credential never falls through to a good one behind it.
      {{{"Authorization", "Bearer x"}, {"Cookie", "auth-token=" + token}}, 401, "token_invalid"},
      {{{"X-API-Key", "x"}, {"Cookie", "auth-token=" + token}}, 401, "api_key_invalid"},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const auto answer = h.get("/api/v1/triggers", cases[i].headers);
    EXPECT_EQ(answer.status, cases[i].status) << i << answer.text;
    EXPECT_EQ(answer.at("error"), cases[i].code) << i;
    EXPECT_EQ(answer.header("WWW-Authenticate"), "");
  }
  EXPECT_EQ(h.get("/api/v1/triggers").at("message"), "Missing authentication");
  EXPECT_EQ(h.get("/api/v1/auth/me").at("message"), "Authentication required");
  h.clock_.advance(3600s + 61s);
  const auto expired = h.get("/api/v1/triggers", Harness::bearer(auth));
  EXPECT_EQ(expired.at("error"), "token_expired");
  EXPECT_EQ(expired.at("message"), "Invalid or expired token");
}

TEST(Session, ATokenOfAnotherDatabaseIsNoSession) {
  Harness here, there;
  const auto foreign = there.registered("orbit7");
  EXPECT_EQ(here.get("/api/v1/auth/me", Harness::bearer(foreign)).at("error"), "token_invalid");
}

TEST(Session, CookiesOnUnsafeMethodsNeedAnAllowedOrigin) {
  Harness h;
  const auto auth = h.registered("orbit7");
  const std::string cookie = "auth-token=" + auth.at("token");
  const std::string body = R"({"name":"t","registry":"identity"})";
  EXPECT_EQ(h.post("/api/v1/triggers", body, {{"Cookie", cookie}}).status, 403);
  EXPECT_EQ(h.post("/api/v1/triggers", body, {{"Cookie", cookie}, {"Origin", "https://evil.example"}}).at("error"),
            "forbidden");
  EXPECT_EQ(h.post("/api/v1/triggers", body, {{"Cookie", cookie}, {"Origin", "https://app.example.org"}}).status, 201);
  EXPECT_EQ(h.get("/api/v1/triggers", {{"Cookie", cookie}, {"Origin", "https://evil.example"}}).status, 200);
  EXPECT_EQ(h.post("/api/v1/triggers", body, Harness::bearer(auth)).status, 201);
}

TEST(Session, OnlyTenLiveAtOnceAndTheOldestGoes) {
  Harness h;
  std::vector<Answer> logins{h.registered("orbit7")};
  for (int i = 0; i < 10; ++i) {
    h.clock_.advance(1s);
    logins.push_back(h.log_in("orbit7", testing::kPassword));
  }
  EXPECT_EQ(h.get("/api/v1/auth/me", Harness::bearer(logins[0])).at("error"), "token_invalid");
  for (std::size_t i = 1; i < logins.size(); ++i)
    EXPECT_EQ(h.get("/api/v1/auth/me", Harness::bearer(logins[i])).status, 200) << i;
  EXPECT_EQ(h.post("/api/v1/auth/refresh", refresh_body(logins[0])).at("error"), "invalid_refresh_token");
}

// --- refresh ---------------------------------------------------------------------------------------------------------

TEST(Refresh, TheSamePairUntilTheSuccessorIsUsed) {
  Harness h;
  const auto auth = h.registered("orbit7");
  h.clock_.advance(30s);
  const auto first = h.post("/api/v1/auth/refresh", refresh_body(auth));
  ASSERT_EQ(first.status, 200) << first.text;
  EXPECT_NE(first.at("refresh_token"), auth.at("refresh_token"));
  EXPECT_EQ(first.all("Set-Cookie").size(), 2U);
  h.clock_.advance(30s);
  // The answer was lost: the same pair, byte for byte.
  const auto again = h.post("/api/v1/auth/refresh", refresh_body(auth));
  EXPECT_EQ(again.text, first.text);
  // The session of before and after is the same one.
  EXPECT_EQ(h.get("/api/v1/auth/me", Harness::bearer(first)).status, 200);
  const auto second = h.post("/api/v1/auth/refresh", refresh_body(first));
  ASSERT_EQ(second.status, 200);
  // Now the first token is a replay: its session ends, whoever holds what.
  const auto other = h.log_in("orbit7", testing::kPassword);
  const auto replay = h.post("/api/v1/auth/refresh", refresh_body(auth));
  EXPECT_EQ(replay.status, 401);
  EXPECT_EQ(replay.at("error"), "invalid_refresh_token");
  EXPECT_EQ(replay.at("message"), "Invalid or expired refresh token");
  EXPECT_EQ(h.post("/api/v1/auth/refresh", refresh_body(second)).status, 401);
  EXPECT_EQ(h.get("/api/v1/auth/me", Harness::bearer(second)).at("error"), "token_invalid");
  // The user's other sessions live on.
  EXPECT_EQ(h.get("/api/v1/auth/me", Harness::bearer(other)).status, 200);
  EXPECT_EQ(h.post("/api/v1/auth/refresh", refresh_body(other)).status, 200);
}

void hundred_refreshes_are_one(store::testing::TempDatabase temp) {
  Harness h({}, std::move(temp));
  const auto auth = h.registered("orbit7");
  std::vector<Call> calls;
  for (int i = 0; i < 100; ++i)
    calls.push_back({"POST", "/api/v1/auth/refresh", refresh_body(auth), {}, fmt::format("203.0.113.{}", i)});
  std::set<std::string> pairs;
  for (const auto& answer : h.call_all(calls)) {
    EXPECT_EQ(answer.status, 200) << answer.text;
    pairs.insert(answer.text);
  }
  EXPECT_EQ(pairs.size(), 1U);
  const auto account = domain::AccountId::parse(auth.at("user.id"));
  auto live = h.db().snapshot_blocking<std::vector<domain::SessionId>>(
      [&](store::Tx& tx) { return store::live_sessions(tx, *account, h.clock_.now()); });
  ASSERT_TRUE(live);
  EXPECT_EQ(live->size(), 1U);
}
TEST(Refresh, AHundredAtOnceAreOneSession) {
  hundred_refreshes_are_one(store::testing::make_temp_sqlite());
}
TEST(Refresh, AHundredAtOnceAreOneSessionOnPostgres) {
  hundred_refreshes_are_one(store::testing::make_temp_postgres());
}

TEST(Refresh, EndsAfterThirtyDays) {
  Harness h;
  const auto auth = h.registered("orbit7");
  h.clock_.advance(24h * 30 - 1s);
  const auto rotated = h.post("/api/v1/auth/refresh", refresh_body(auth));
  EXPECT_EQ(rotated.status, 200);
  h.clock_.advance(24h * 30);
  EXPECT_EQ(h.post("/api/v1/auth/refresh", refresh_body(rotated)).status, 401);
}

TEST(Refresh, FromTheCookieOfAnAllowedPage) {
  Harness h;
  const auto auth = h.registered("orbit7");
  const std::string cookie = "refresh-token=" + auth.at("refresh_token");
  const Call bare{"POST", "/api/v1/auth/refresh", std::nullopt, {{"Cookie", cookie}}, "203.0.113.7"};
  EXPECT_EQ(h.call(bare).status, 403);
  auto allowed = bare;
  allowed.headers.emplace_back("Origin", "http://localhost:3000");
  EXPECT_EQ(h.call(allowed).status, 200);
  EXPECT_EQ(h.post("/api/v1/auth/refresh", "{}").at("message"),
            "Json deserialize error: missing field `refresh_token`");
  EXPECT_EQ(h.post("/api/v1/auth/refresh", R"({"refresh_token":""})").at("error"), "validation_error");
  EXPECT_EQ(h.post("/api/v1/auth/refresh", R"({"refresh_token":"urt_nonsense"})").at("error"), "invalid_refresh_token");
}

TEST(Refresh, OutlivesAChangeOfTheSecret) {
  auto temp = store::testing::make_temp_sqlite();
  Harness h({}, std::move(temp));
  const auto auth = h.registered("orbit7");
  const auto first = h.post("/api/v1/auth/refresh", refresh_body(auth));
  auto settings = h.settings_;
  settings.jwt_secret_previous = settings.jwt_secret;
  settings.jwt_secret = crypto::Secret<std::string>(std::string("another secret with 0123456789 in it"));
  Gateway renewed(h.db(), h.clock_, h.metrics_, settings,
                  crypto::DataKeys::derive(settings.jwt_secret.reveal(), settings.jwt_secret_previous.reveal()),
                  h.guard_, h.chains_, h.cache_);
  EXPECT_EQ(
      testing::call_gateway(renewed, {"GET", "/api/v1/auth/me", std::nullopt, Harness::bearer(auth), "203.0.113.7"})
          .status,
      200);
  // The old secret's successor is found, not a second one made.
  const auto again =
      testing::call_gateway(renewed, {"POST", "/api/v1/auth/refresh", refresh_body(auth), {}, "203.0.113.7"});
  EXPECT_EQ(again.at("refresh_token"), first.at("refresh_token"));
}

// --- logout ----------------------------------------------------------------------------------------------------------

TEST(Logout, EndsTheSessionThatIsMeant) {
  Harness h;
  const auto a = h.registered("orbit7");
  const auto b = h.log_in("orbit7", testing::kPassword);
  const auto out = h.post("/api/v1/auth/logout", refresh_body(b), Harness::bearer(a));
  EXPECT_EQ(out.status, 200);
  EXPECT_EQ(out.text, R"({"success":true,"message":"Logged out successfully"})");
  EXPECT_THAT(out.all("Set-Cookie"), Contains("auth-token=; HttpOnly; Path=/; Max-Age=0"));
  EXPECT_EQ(h.get("/api/v1/auth/me", Harness::bearer(b)).at("error"), "token_invalid");
  EXPECT_EQ(h.get("/api/v1/auth/me", Harness::bearer(a)).status, 200);
  EXPECT_EQ(h.post("/api/v1/auth/refresh", refresh_body(b)).status, 401);
}

TEST(Logout, WithOnlyACookieEndsThatSession) {
  Harness h;
  const auto a = h.registered("orbit7");
  const HeaderList cookie{{"Cookie", "auth-token=" + a.at("token")}};
  EXPECT_EQ(h.call({"POST", "/api/v1/auth/logout", std::nullopt, cookie, "203.0.113.7"}).status, 403);
  auto allowed = cookie;
  allowed.emplace_back("Origin", "https://app.example.org");
  EXPECT_EQ(h.call({"POST", "/api/v1/auth/logout", std::nullopt, allowed, "203.0.113.7"}).status, 200);
  EXPECT_EQ(h.get("/api/v1/auth/me", Harness::bearer(a)).at("error"), "token_invalid");
}

TEST(Logout, EverywhereAndWithNothing) {
  Harness h;
  const auto a = h.registered("orbit7");
  const auto b = h.log_in("orbit7", testing::kPassword);
  EXPECT_EQ(h.post("/api/v1/auth/logout", R"({"all":true})", Harness::bearer(a)).status, 200);
  EXPECT_EQ(h.get("/api/v1/auth/me", Harness::bearer(b)).at("error"), "token_invalid");
  EXPECT_EQ(h.call({"POST", "/api/v1/auth/logout", std::nullopt, {}, "203.0.113.7"}).status, 200);
  EXPECT_EQ(h.call({"POST", "/api/v1/auth/logout", std::nullopt, {{"Authorization", "Bearer nonsense"}}, "203.0.113.7"})
                .status,
            200);
  EXPECT_EQ(h.post("/api/v1/auth/logout", R"({"all":1})").at("error"), "bad_request");
}

// --- revocation across processes ------------------------------------------------------------------------------------

TEST(Revocation, IsSeenByOtherGatewaysWithinASecond) {
  Harness h;
  const auto auth = h.registered("orbit7");
  const auto other = h.another();
  run_blocking([&]() -> Task<void> {
    TaskGroup group(co_await this_executor());
    group.spawn("run", [&]() -> Task<void> { co_await other->run(); });
    const Call me{"GET", "/api/v1/auth/me", std::nullopt, Harness::bearer(auth), "203.0.113.7"};
    co_await sleep_for(50ms);   // the poller follows now, so that the session is answered from the cache
    auto before = co_await other->handle(testing::make_request(me));
    EXPECT_EQ(before.status, 200);
    auto out = co_await h.gateway_->handle(
        testing::make_request({"POST", "/api/v1/auth/logout", std::nullopt, Harness::bearer(auth), "203.0.113.7"}));
    EXPECT_EQ(out.status, 200);
    const auto started = std::chrono::steady_clock::now();
    int status = 200;
    while (status == 200 && std::chrono::steady_clock::now() - started < 5s) {
      co_await sleep_for(20ms);
      auto answer = co_await other->handle(testing::make_request(me));
      status = answer.status == 429 ? 200 : answer.status;
    }
    EXPECT_EQ(status, 401);
    EXPECT_LT(std::chrono::steady_clock::now() - started, 1s);
    group.cancel();
    co_await group.wait();
  });
}

}   // namespace
}   // namespace agentauri::gateway
