// Who gets in where: every route with no credential, with a malformed one, as a stranger, and with a key that lacks the
// permission. The columns are those of http-api.md 6; a route without a row here fails.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

#include "gateway/api/routes.hpp"
#include "gateway/testing/gateway_fixture.hpp"

namespace agentauri::gateway {
namespace {

using testing::Answer;
using testing::Call;
using testing::Harness;
using testing::HeaderList;

// Column Auth: P, P that uses a good credential, J with the permission of the method, J admin, J-only.
enum class Auth : std::uint8_t { open, optional, key, admin_key, session };
// Column Org: from where the organization comes, and so how a stranger is told that it is not theirs.
// `linking`: path, query or body, by whichever words of agents' links.
enum class Org : std::uint8_t { none, header, named, of_key, own_session, linking };

struct Row {
  Auth auth;
  Org org;
  std::string body = {};    // one that can be parsed, where the method wants one
  std::string query = {};   // where the route cannot do without
};

const std::string kTrigger = R"({"name":"t","registry":"identity"})";
const std::string kCondition = R"({"condition_type":"c","field":"f","operator":"=","value":"1"})";
const std::string kAction = R"({"action_type":"rest","config":{"url":"https://example.org/"}})";
const std::string kKey = R"({"name":"k","environment":"live"})";

const std::string kLinkWish =
    R"({"agent_id":42,"chain_id":1,"organization_id":"ORGANIZATION","challenge":"c","signature":"0x00",)"
    R"("wallet_address":"0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"})";

const std::map<std::string, Row>& rows() {
  using enum Auth;
  using enum Org;
  static const std::map<std::string, Row> table{
      {"GET /api/v1/health", {open, none}},
      {"GET /api/v1/health/live", {open, none}},
      {"GET /api/v1/health/ready", {open, none}},
      {"GET /api/v1/openapi.json", {open, none}},
      {"GET /.well-known/agent.json", {open, none}},
      {"GET /.well-known/agent-card.json", {open, none}},
      {"GET /.well-known/security.txt", {open, none}},
      {"POST /api/v1/auth/register", {open, none, "{}"}},
      {"POST /api/v1/auth/login", {open, none, "{}"}},
      {"POST /api/v1/auth/refresh", {open, none, "{}"}},
      {"POST /api/v1/auth/logout", {optional, none, "{}"}},
      {"GET /api/v1/auth/me", {session, none}},
      {"GET /api/v1/auth/password-policy", {open, none}},
      {"POST /api/v1/auth/password", {session, none, R"({"current_password":"x","new_password":"x"})"}},
      {"GET /api/v1/auth/sessions", {session, none}},
      {"DELETE /api/v1/auth/sessions/{id}", {session, own_session}},

      {"POST /api/v1/triggers", {key, header, kTrigger}},
      {"GET /api/v1/triggers", {key, header}},
      {"GET /api/v1/triggers/{id}", {key, header}},
      {"PUT /api/v1/triggers/{id}", {key, header, "{}"}},
      {"DELETE /api/v1/triggers/{id}", {key, header}},
      {"GET /api/v1/triggers/{id}/deliveries", {key, header}},
      {"GET /api/v1/organizations/{id}/triggers", {key, named}},
      {"POST /api/v1/triggers/{trigger_id}/conditions", {key, header, kCondition}},
      {"GET /api/v1/triggers/{trigger_id}/conditions", {key, header}},
      {"PUT /api/v1/triggers/{trigger_id}/conditions/{id}", {key, header, "{}"}},
      {"DELETE /api/v1/triggers/{trigger_id}/conditions/{id}", {key, header}},
      {"POST /api/v1/triggers/{trigger_id}/actions", {key, header, kAction}},
      {"GET /api/v1/triggers/{trigger_id}/actions", {key, header}},
      {"PUT /api/v1/triggers/{trigger_id}/actions/{id}", {key, header, "{}"}},
      {"DELETE /api/v1/triggers/{trigger_id}/actions/{id}", {key, header}},
      {"POST /api/v1/triggers/{trigger_id}/actions/{id}/rotate-secret", {key, header, "{}"}},
      {"GET /api/v1/triggers/{id}/circuit-breaker", {key, header}},
      {"PATCH /api/v1/triggers/{id}/circuit-breaker", {key, header, "{}"}},
      {"POST /api/v1/triggers/{id}/circuit-breaker/reset", {key, header}},
      {"GET /api/v1/triggers/{id}/dlq", {key, header}},
      {"DELETE /api/v1/triggers/{id}/dlq", {key, header}},
      {"POST /api/v1/triggers/{id}/dlq/replay", {key, header}},
      {"DELETE /api/v1/triggers/{id}/dlq/{event_id}", {key, header}},
      {"POST /api/v1/triggers/{id}/dlq/{event_id}/replay", {key, header}},
      {"POST /api/v1/triggers/{id}/test", {key, header}},
      {"GET /api/v1/agents/following", {key, header}},
      {"POST /api/v1/agents/{agent_id}/follow", {key, header, R"({"chain_id":1,"actions":[]})"}},
      {"PUT /api/v1/agents/{agent_id}/follow", {key, header, "{}", "?chain_id=1"}},
      {"DELETE /api/v1/agents/{agent_id}/follow", {key, header, {}, "?chain_id=1"}},
      {"GET /api/v1/events", {key, header}},
      {"GET /api/v1/events/stream", {key, header}},
      {"GET /api/v1/ponder/status", {optional, none}},
      {"GET /api/v1/ponder/events", {optional, none}},

      {"POST /api/v1/organizations", {session, none, R"({"name":"x","slug":"x"})"}},
      {"GET /api/v1/organizations", {key, none}},
      {"GET /api/v1/organizations/{id}", {key, named}},
      {"PUT /api/v1/organizations/{id}", {admin_key, named, "{}"}},
      {"DELETE /api/v1/organizations/{id}", {key, named}},
      {"POST /api/v1/organizations/{id}/transfer", {key, named, R"({"new_owner_id":"x"})"}},
      {"POST /api/v1/organizations/{id}/members", {admin_key, named, R"({"user_id":"x","role":"viewer"})"}},
      {"GET /api/v1/organizations/{id}/members", {key, named}},
      {"PUT /api/v1/organizations/{id}/members/{user_id}", {key, named, R"({"role":"viewer"})"}},
      {"DELETE /api/v1/organizations/{id}/members/{user_id}", {admin_key, named}},
      {"POST /api/v1/organizations/{id}/api-keys", {admin_key, named, kKey}},
      {"GET /api/v1/organizations/{id}/api-keys", {key, named}},
      {"GET /api/v1/organizations/{id}/api-keys/stats", {key, named}},
      {"POST /api/v1/api-keys", {admin_key, named, kKey}},
      {"GET /api/v1/api-keys", {key, named}},
      {"GET /api/v1/api-keys/{id}", {key, of_key}},
      {"PATCH /api/v1/api-keys/{id}", {admin_key, of_key, "{}"}},
      {"DELETE /api/v1/api-keys/{id}", {key, of_key}},
      {"POST /api/v1/api-keys/{id}/rotate", {admin_key, of_key, "{}"}},
      {"POST /api/v1/api-keys/{id}/regenerate", {admin_key, of_key, "{}"}},

      {"POST /api/v1/auth/nonce", {open, none, "{}"}},
      {"POST /api/v1/auth/wallet", {open, none, "{}"}},
      {"POST /api/v1/agents/link/challenge", {admin_key, linking, kLinkWish}},
      {"POST /api/v1/agents/link", {admin_key, linking, kLinkWish}},
      {"GET /api/v1/agents/linked", {key, linking}},
      {"GET /api/v1/organizations/{id}/agents", {key, linking}},
      {"DELETE /api/v1/agents/{agent_id}/link", {admin_key, linking}},
  };
  return table;
}

std::string name_of(const Route& route) {
  return fmt::format("{} {}", route.method, route.path);
}

class AccessMatrix : public ::testing::Test {
 protected:
  // Limits are not the question here.
  Harness h{[](GatewaySettings& s) { s.rate_limit_mode = GatewaySettings::RateLimitMode::shadow; }};
  HeaderList owner = h.signed_in("ada"), stranger = h.signed_in("eve");
  std::string organization = h.organization_id(owner);
  std::string session_id = h.get("/api/v1/auth/sessions", owner).at("sessions.0.id");
  std::string key_id = made(owner, organization, R"(["read"])").at("data.id");

  Answer made(const HeaderList& who, const std::string& in, const std::string& permissions) {
    return h.post("/api/v1/api-keys?organization_id=" + in,
                  fmt::format(R"({{"name":"k","environment":"live","permissions":{}}})", permissions), who);
  }
  // The owner's organization is meant, wherever the route takes it from.
  Answer ask(const Route& route, const Row& row, HeaderList who) {
    std::string target(route.path);
    const auto put = [&target](std::string_view name, std::string_view value) {
      if (const auto at = target.find(name); at != std::string::npos) target.replace(at, name.size(), value);
    };
    put("{trigger_id}", key_id);
    put("{user_id}", key_id);
    put("{event_id}", "no-such-event");
    put("{agent_id}", "42");
    put("{id}", row.org == Org::of_key                                            ? std::string_view(key_id)
                : row.org == Org::own_session                                     ? std::string_view(session_id)
                : row.org == Org::named || row.org == Org::linking                ? std::string_view(organization)
                : target.contains("/conditions/") || target.contains("/actions/") ? std::string_view("1")
                                                                                  : std::string_view(key_id));
    if (row.org == Org::named && route.path.find("{id}") == std::string_view::npos)
      target += "?organization_id=" + organization;
    target += row.query;
    if (row.org == Org::linking && row.body.empty() && route.path.find("{id}") == std::string_view::npos)
      target += "?chain_id=1&organization_id=" + organization;
    if (row.org == Org::header) who.emplace_back("X-Organization-ID", organization);
    Call call{std::string(route.method), target, std::nullopt, std::move(who), "203.0.113.7"};
    if (!row.body.empty()) call.body = row.body;
    if (const auto at = row.body.find("ORGANIZATION"); at != std::string::npos)
      call.body->replace(at, std::string_view("ORGANIZATION").size(), organization);
    return h.call(call);
  }
  template <class Check>
  void each(Check check) {
    for (const auto& route : routes()) {
      const auto row = rows().find(name_of(route));
      ASSERT_NE(row, rows().end()) << name_of(route) << " has no row: who may get in?";
      SCOPED_TRACE(name_of(route));
      check(route, row->second);
    }
  }
  static bool needs_credential(const Row& row) { return row.auth != Auth::open && row.auth != Auth::optional; }
  static void expect_as_non_member(const Row& row, const Answer& answer) {
    if (row.org == Org::none) {
      EXPECT_TRUE(answer.status < 500 && answer.status != 403 && answer.status != 404) << answer.text;
      return;
    }
    EXPECT_EQ(answer.status, row.org == Org::header ? 403 : 404) << answer.text;
    EXPECT_EQ(answer.at("message"), row.org == Org::header        ? "Not a member of the specified organization"
                                    : row.org == Org::named       ? "Organization not found"
                                    : row.org == Org::own_session ? "Session not found"
                                    : row.org == Org::linking     ? "Organization not found or you are not a member"
                                                                  : "API key not found");
  }
};

TEST_F(AccessMatrix, EveryRowIsARoute) {
  std::size_t served = 0;
  each([&](const Route&, const Row&) { ++served; });
  EXPECT_EQ(served, rows().size());
}

TEST_F(AccessMatrix, WithoutACredential) {
  each([&](const Route& route, const Row& row) {
    const auto answer = ask(route, row, {});
    if (!needs_credential(row)) {
      EXPECT_NE(answer.at("error"), "unauthorized") << answer.text;
      return;
    }
    EXPECT_EQ(answer.status, 401);
    EXPECT_EQ(answer.at("error"), "unauthorized");
    EXPECT_EQ(answer.at("message"), row.auth == Auth::session ? "Authentication required" : "Missing authentication");
  });
}

TEST_F(AccessMatrix, WithAMalformedOne) {
  const std::vector<std::pair<HeaderList, std::string>> malformed{
      {{{"Authorization", "Bearer x"}}, "token_invalid"},
      {{{"Authorization", "nonsense"}}, "token_invalid"},
      {{{"Cookie", "auth-token=x"}}, "token_invalid"},
      {{{"X-API-Key", "x"}}, "api_key_invalid"},
      {{{"Authorization", "Bearer sk_live_" + std::string(43, 'A')}}, "api_key_invalid"}};
  each([&](const Route& route, const Row& row) {
    for (const auto& [headers, code] : malformed) {
      const auto answer = ask(route, row, headers);
      if (needs_credential(row)) {
        EXPECT_EQ(answer.status, 401) << headers[0].first;
        EXPECT_EQ(answer.at("error"), code) << headers[0].first;
      } else {
        EXPECT_NE(answer.at("error"), code) << headers[0].first;
      }
    }
  });
}

TEST_F(AccessMatrix, AsAStranger) {
  each([&](const Route& route, const Row& row) {
    if (needs_credential(row)) expect_as_non_member(row, ask(route, row, stranger));
  });
}

TEST_F(AccessMatrix, WithTheKeyOfAnotherOrganization) {
  const auto key = Harness::with_key(made(stranger, h.organization_id(stranger), R"(["admin"])").at("data.key"));
  each([&](const Route& route, const Row& row) {
    if (!needs_credential(row)) return;
    const auto answer = ask(route, row, key);
    if (row.auth == Auth::session) {
      EXPECT_EQ(answer.status, 401);
      EXPECT_EQ(answer.at("message"), "Authentication required");
    } else {
      expect_as_non_member(row, answer);
    }
  });
}

TEST_F(AccessMatrix, WithAKeyThatLacksThePermission) {
  const auto key = [&](const std::string& permissions) {
    return Harness::with_key(made(owner, organization, permissions).at("data.key"));
  };
  const auto no_admin = key(R"(["read","write","delete"])"), no_read = key(R"(["write","delete"])"),
             no_write = key(R"(["read","delete"])"), no_delete = key(R"(["read","write"])");
  each([&](const Route& route, const Row& row) {
    if (!needs_credential(row)) return;
    const auto& who = row.auth == Auth::admin_key ? no_admin
                      : route.method == "GET"     ? no_read
                      : route.method == "DELETE"  ? no_delete
                                                  : no_write;
    const auto answer = ask(route, row, who);
    EXPECT_EQ(answer.status, row.auth == Auth::session ? 401 : 403) << answer.text;
    EXPECT_EQ(answer.at("message"), row.auth == Auth::session ? "Authentication required" : "Insufficient permissions");
  });
}

}   // namespace
}   // namespace agentauri::gateway
