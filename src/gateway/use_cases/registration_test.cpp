// Who may register, and what an operator does to users.
#include "gateway/use_cases/registration.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/async/task.hpp"
#include "gateway/testing/gateway_fixture.hpp"
#include "gateway/use_cases/operate_users.hpp"

namespace agentauri::gateway {
namespace {

using testing::Answer;
using testing::Call;
using testing::EngineHarness;
using testing::Harness;
using testing::HeaderList;
using Mode = GatewaySettings::Registration;
using namespace std::chrono_literals;

store::testing::TempDatabase temp_of(const std::string& engine) {
  return engine == "sqlite" ? store::testing::make_temp_sqlite() : store::testing::make_temp_postgres();
}
auto registration(Mode mode) {
  return [mode](GatewaySettings& s) {
    s.registration = mode;
    s.register_per_minute = 100;
  };
}

// The use-case in a transaction of its own.
template <class T>
Outcome<T> in_tx(Harness& h, std::function<Outcome<T>(store::Tx&)> body) {
  auto done =
      h.db().transact_blocking<Outcome<T>>(store::Priority::interactive, [&](store::Tx& tx) -> Result<Outcome<T>> {
        auto out = body(tx);
        if (!out && out.error().cause) return std::unexpected(*out.error().cause);
        return Result<Outcome<T>>(std::in_place, std::move(out));
      });
  EXPECT_TRUE(done) << done.error().text;
  return std::move(*done);
}
MadeInvitation invited(Harness& h, std::optional<std::string> email = std::nullopt, int days = 7) {
  auto made =
      in_tx<MadeInvitation>(h, [&](store::Tx& tx) { return invite(tx, {email, days, std::nullopt}, h.clock_.now()); });
  EXPECT_TRUE(made);
  return *made;
}
Call registering(const std::string& name, const std::string& invitation, const std::string& peer = "203.0.113.7") {
  return {"POST",
          "/api/v1/auth/register",
          fmt::format(R"({{"username":"{0}","email":"{0}@example.org","password":"{1}","invitation":"{2}"}})", name,
                      testing::kPassword, invitation),
          {},
          peer};
}

TEST(Registration, ClosedIsClosed) {
  Harness h(registration(Mode::closed));
  const auto text = invited(h).text;
  EXPECT_EQ(h.call(registering("orbit7", text)).at("error"), "registration_closed");
  EXPECT_EQ(h.post("/api/v1/auth/register", "{").status, 403);
  EXPECT_EQ(h.get("/api/v1/auth/password-policy").at("registration"), "closed");
}

TEST(Registration, OpenLooksAtNoInvitation) {
  Harness h;
  EXPECT_EQ(h.call(registering("orbit7", "inv_nonsense")).status, 201);
  EXPECT_EQ(h.get("/api/v1/auth/password-policy").at("registration"), "open");
}

class Invitations : public ::testing::TestWithParam<std::string> {
 protected:
  Harness h{registration(Mode::invited), temp_of(GetParam())};
};

TEST_P(Invitations, MakeOneAccountEach) {
  const auto text = invited(h).text;
  EXPECT_EQ(text.size(), kInvitationBytes);
  EXPECT_EQ(h.call(registering("orbit7", "")).at("error"), "invitation_required");
  EXPECT_EQ(h.call(registering("orbit7", text + "x")).at("error"), "invitation_invalid");
  EXPECT_EQ(h.call(registering("orbit7", "inv_" + std::string(43, 'A'))).at("error"), "invitation_invalid");
  // A mistake elsewhere does not use it up, and without one nobody learns who exists.
  EXPECT_EQ(h.call(registering("ab", text)).at("error"), "validation_error");
  EXPECT_EQ(h.call(registering("orbit7", text)).status, 201);
  EXPECT_EQ(h.call(registering("orbit7", "")).at("error"), "invitation_required");
  EXPECT_EQ(h.call(registering("other", text)).at("error"), "invitation_invalid");
  const auto second = invited(h).text;
  EXPECT_EQ(h.call(registering("orbit7", second)).at("error"), "username_exists");
  EXPECT_EQ(h.call(registering("other", second)).status, 201);
}

TEST_P(Invitations, OfManyAtOnceOneGetsIt) {
  const auto text = invited(h).text;
  std::vector<Call> calls;
  for (int i = 0; i < 6; ++i) calls.push_back(registering(fmt::format("user{}", i), text));
  int made = 0;
  for (const auto& answer : h.call_all(calls)) {
    made += answer.status == 201 ? 1 : 0;
    if (answer.status != 201) EXPECT_EQ(answer.at("error"), "invitation_invalid") << answer.text;
  }
  EXPECT_EQ(made, 1);
  const auto accounts = h.db().snapshot_blocking<std::vector<store::Account>>(
      [](store::Tx& tx) { return store::list_accounts(tx, std::nullopt, 10); });
  EXPECT_EQ(accounts->size(), 1U) << "who came too late left nothing behind";
}

TEST_P(Invitations, ExpireAndMayBeForOneAddress) {
  const auto bound = invited(h, "Orbit7@example.org", 1);
  EXPECT_EQ(h.call(registering("other", bound.text)).at("error"), "invitation_invalid");
  h.clock_.advance(24h);
  EXPECT_EQ(h.call(registering("orbit7", bound.text)).at("error"), "invitation_invalid");
  const auto again = invited(h, "Orbit7@example.org", 1);
  h.clock_.advance(24h - 1s);
  EXPECT_EQ(h.call(registering("orbit7", again.text)).status, 201);
  const auto gone = invited(h);
  ASSERT_TRUE(in_tx<bool>(h, [&](store::Tx& tx) -> Outcome<bool> {
    auto done = take_back_invitation(tx, to_string(gone.invitation.id));
    if (!done) return pass(done);
    return true;
  }));
  EXPECT_EQ(h.call(registering("other", gone.text)).at("error"), "invitation_invalid");
  const auto bad =
      in_tx<MadeInvitation>(h, [&](store::Tx& tx) { return invite(tx, {"nobody", 0, {}}, h.clock_.now()); });
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().details.size(), 2U);
}

INSTANTIATE_TEST_SUITE_P(Engines, Invitations, store::testing::kEngines, store::testing::engine_name);

TEST(Registration, TheFirstOfAllIsAnAdministratorWhereTheSettingsSaySo) {
  Harness h([](GatewaySettings& s) { s.first_user_is_admin = true; });
  EXPECT_EQ(h.get("/api/v1/auth/me", h.signed_in("first")).at("is_admin"), "true");
  EXPECT_EQ(h.get("/api/v1/auth/me", h.signed_in("second")).at("is_admin"), "false");
  Harness elsewhere;
  EXPECT_EQ(elsewhere.get("/api/v1/auth/me", elsewhere.signed_in("first")).at("is_admin"), "false");
}

// --- what an operator does
// --------------------------------------------------------------------------------------------

class Operator : public EngineHarness {
 protected:
  static domain::AccountId user_id(store::Tx& tx) { return find_user(tx, "orbit7").value().id; }
};

TEST_P(Operator, AResetPasswordEndsEverySessionAndALock) {
  const auto a = h.registered("orbit7");
  for (int i = 0; i < 5; ++i) h.log_in("orbit7", "wrong", fmt::format("203.0.113.{}", 10 + i));
  EXPECT_EQ(h.log_in("orbit7", testing::kPassword, "203.0.113.30").at("error"), "account_locked");
  const auto hash = crypto::hash_password("a third river 79");
  const auto ended =
      in_tx<std::size_t>(h, [&](store::Tx& tx) { return reset_password(tx, user_id(tx), *hash, h.clock_.now()); });
  EXPECT_EQ(*ended, 1U);
  EXPECT_EQ(h.post("/api/v1/auth/refresh", fmt::format(R"({{"refresh_token":"{}"}})", a.at("refresh_token"))).status,
            401);
  EXPECT_EQ(h.log_in("orbit7", testing::kPassword, "203.0.113.31").at("error"), "invalid_credentials");
  EXPECT_EQ(h.log_in("ORBIT7@example.org", "a third river 79", "203.0.113.32").status, 200);
}

// Measured: another process on the same database, which answers from its caches, refuses session and key in a second.
TEST_P(Operator, ADisabledUserIsRefusedEverywhereWithinASecond) {
  const auto auth = h.registered("orbit7");
  const auto who = Harness::bearer(auth);
  const auto key = h.post("/api/v1/api-keys?organization_id=" + h.organization_id(who),
                          R"({"name":"k","environment":"live","permissions":["read"]})", who);
  ASSERT_EQ(key.status, 201) << key.text;
  const auto by_key = Harness::with_key(key.at("data.key"));
  const auto other = h.another();
  run_blocking([&]() -> Task<void> {
    TaskGroup group(co_await this_executor());
    group.spawn("run", [&]() -> Task<void> { co_await other->run(); });
    const auto status = [&](HeaderList headers) -> Task<int> {
      const Call call{"GET", "/api/v1/triggers", std::nullopt, std::move(headers), "203.0.113.7"};
      auto answer = co_await other->handle(testing::make_request(call));
      co_return answer.status;
    };
    co_await sleep_for(50ms);   // the poller follows now, so that answers come from the caches
    EXPECT_EQ(co_await status(who), 200);
    EXPECT_EQ(co_await status(by_key), 200);
    auto ended =
        co_await h.db().transact<std::size_t>(store::Priority::interactive, [&](store::Tx& tx) -> Result<std::size_t> {
          auto done = disable_user(tx, user_id(tx), h.clock_.now());
          EXPECT_TRUE(done);
          return done.value_or(0);
        });
    EXPECT_EQ(ended.value_or(0), 1U);
    const auto started = std::chrono::steady_clock::now();
    bool is_refused = false;
    while (!is_refused && std::chrono::steady_clock::now() - started < 5s) {
      co_await sleep_for(20ms);
      const int session = co_await status(who), api_key = co_await status(by_key);
      is_refused = session == 401 && api_key == 401;
    }
    const auto took = std::chrono::steady_clock::now() - started;
    EXPECT_TRUE(is_refused);
    EXPECT_LT(took, 1s);
    RecordProperty("refused_after_ms",
                   static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()));
    group.cancel();
    co_await group.wait();
  });
  EXPECT_EQ(h.log_in("orbit7", testing::kPassword).at("error"), "account_disabled");
  ASSERT_TRUE(in_tx<bool>(h, [&](store::Tx& tx) -> Outcome<bool> {
    auto done = enable_user(tx, user_id(tx), h.clock_.now());
    if (!done) return pass(done);
    return true;
  }));
  EXPECT_EQ(h.log_in("orbit7", testing::kPassword).status, 200);
  // The key was not revoked: it serves again.
  EXPECT_EQ(testing::call_gateway(*other, {"GET", "/api/v1/triggers", std::nullopt, by_key, "203.0.113.7"}).status,
            200);
}

INSTANTIATE_TEST_SUITE_P(Engines, Operator, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::gateway
