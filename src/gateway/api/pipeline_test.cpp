#include "gateway/api/pipeline.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/testing/gateway_fixture.hpp"
#include "store/chain_log.hpp"
#include "store/jobs.hpp"

namespace agentauri::gateway {
namespace {

using testing::Answer;
using testing::Call;
using testing::Harness;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

void expect_common_headers(const Answer& answer, const std::string& what) {
  EXPECT_FALSE(answer.header("X-Request-ID").empty()) << what;
  EXPECT_EQ(answer.header("X-Content-Type-Options"), "nosniff") << what;
  EXPECT_EQ(answer.header("X-Frame-Options"), "DENY") << what;
  EXPECT_EQ(answer.header("Cross-Origin-Embedder-Policy"), "require-corp") << what;
  EXPECT_THAT(answer.header("Vary"),
              StartsWith("Origin, Access-Control-Request-Method, Access-Control-Request-Headers"))
      << what;
  EXPECT_EQ(answer.all("Vary").size(), 1U) << what;
}

void expect_error(const Answer& answer, int status, const std::string& code, const std::string& what) {
  EXPECT_EQ(answer.status, status) << what << answer.text;
  EXPECT_EQ(answer.at("error"), code) << what;
  EXPECT_EQ(answer.at("request_id"), answer.header("X-Request-ID")) << what;
  EXPECT_FALSE(answer.at("message").empty()) << what;
  EXPECT_EQ(answer.header("Content-Type"), "application/json") << what;
  EXPECT_EQ(answer.find("details") != nullptr,
            code == "validation_error" && answer.at("message").starts_with("Validation failed"))
      << what;
  expect_common_headers(answer, what);
}

TEST(Pipeline, EachErrorHasTheOneShape) {
  Harness h;
  const auto user = h.signed_in("orbit7");
  expect_error(h.get("/nowhere"), 404, "not_found", "unknown path");
  expect_error(h.get("/nowhere", user), 404, "not_found", "unknown path, signed in");
  expect_error(h.get("/api/v1/triggers/", user), 404, "not_found", "trailing slash");
  expect_error(h.call({"PATCH", "/api/v1/triggers", "{}", {}, "203.0.113.7"}), 405, "method_not_allowed",
               "wrong method");
  EXPECT_EQ(h.call({"PATCH", "/api/v1/triggers", "{}", {}, "203.0.113.7"}).header("Allow"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(h.call({"OPTIONS", "/api/v1/triggers", std::nullopt, {}, "203.0.113.7"}).status, 405);
  expect_error(h.get("/api/v1/triggers"), 401, "unauthorized", "no credential");
  expect_error(h.post("/api/v1/triggers", "{", user), 400, "bad_request", "no JSON");
  expect_error(h.post("/api/v1/triggers", R"({"name":"","registry":"identity"})", user), 400, "validation_error",
               "validation");
  expect_error(h.get("/api/v1/triggers?limit=0", user), 400, "validation_error", "page");
  expect_error(h.call({"POST",
                       "/api/v1/triggers",
                       "{}",
                       {{"Authorization", user[0].second}, {"Content-Encoding", "gzip"}},
                       "203.0.113.7"}),
               415, "unsupported_media_type", "encoded");
  for (const auto* type : {"text/plain", "application/jsonx", "json", "/json", ""}) {
    const auto answer = h.call({"POST", "/api/v1/triggers", "{}", {user[0], {"Content-Type", type}}, "203.0.113.7"});
    expect_error(answer, 400, "bad_request", type);
    EXPECT_EQ(answer.at("message"), "Content type error");
  }
  for (const auto* type : {"application/json; charset=utf-8", "APPLICATION/JSON", "application/problem+json"}) {
    EXPECT_EQ(h.call({"POST",
                      "/api/v1/triggers",
                      R"({"name":"t","registry":"identity"})",
                      {user[0], {"Content-Type", type}},
                      "203.0.113.7"})
                  .status,
              201)
        << type;
  }
}

TEST(Pipeline, TheServersOwnErrorsHaveItToo) {
  Harness h;
  const Call call{"POST", "/api/v1/triggers", std::nullopt, {{"X-Request-ID", "abc"}}, "203.0.113.7"};
  const auto text = "JSON payload (2000000 bytes) is larger than allowed (limit: 1048576 bytes).";
  const auto answer = testing::read_answer(call, h.gateway_->render_error(413, text, testing::make_request(call)));
  expect_error(answer, 413, "payload_too_large", "413");
  EXPECT_EQ(answer.at("message"), text);
  EXPECT_EQ(answer.at("request_id"), "abc");
  // Of a head that was never read.
  const auto early = testing::read_answer({}, h.gateway_->render_error(431, "too many fields", net::HttpRequest()));
  expect_error(early, 431, "header_fields_too_large", "431");
}

TEST(Pipeline, RequestIdsAreEchoedWhenTheyAreHarmless) {
  Harness h;
  const auto id_for = [&](std::string given) {
    return h.get("/api/v1/health/live", {{"X-Request-ID", std::move(given)}}).header("X-Request-ID");
  };
  EXPECT_EQ(id_for("a.B-9_:x"), "a.B-9_:x");
  EXPECT_EQ(id_for(std::string(128, 'a')), std::string(128, 'a'));
  for (const std::string bad : {"", "a b", "a\"b", "\u00e9", "a/b"})
    EXPECT_THAT(id_for(bad), MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"))
        << bad;
  EXPECT_NE(id_for(std::string(129, 'a')), std::string(129, 'a'));
}

TEST(Pipeline, HstsWhenItIsOn) {
  Harness off, on([](GatewaySettings& s) {
    s.hsts = true;
    s.hsts_max_age = 60;
  });
  EXPECT_EQ(off.get("/nowhere").header("Strict-Transport-Security"), "");
  EXPECT_EQ(on.get("/nowhere").header("Strict-Transport-Security"), "max-age=60; includeSubDomains");
}

TEST(Pipeline, CorsOnAnswersAndPreflights) {
  Harness h;
  const auto listed = h.get("/api/v1/triggers", {{"Origin", "https://app.example.org"}});
  EXPECT_EQ(listed.header("Access-Control-Allow-Origin"), "https://app.example.org");
  EXPECT_EQ(listed.header("Access-Control-Allow-Credentials"), "true");
  EXPECT_THAT(listed.header("Access-Control-Expose-Headers"), HasSubstr("retry-after"));
  const auto foreign = h.get("/api/v1/health/live", {{"Origin", "https://evil.example"}});
  EXPECT_EQ(foreign.status, 200);
  EXPECT_EQ(foreign.header("Access-Control-Allow-Origin"), "");

  const auto preflight = [&](std::string origin, std::string method, std::string headers) {
    return h.call(
        {"OPTIONS",
         "/api/v1/triggers",
         std::nullopt,
         {{"Origin", origin}, {"Access-Control-Request-Method", method}, {"Access-Control-Request-Headers", headers}},
         "203.0.113.7"});
  };
  const auto good = preflight("https://app.example.org", "PATCH", "Authorization, X-Request-ID,idempotency-key");
  EXPECT_EQ(good.status, 200);
  EXPECT_EQ(good.text, "");
  EXPECT_EQ(good.header("Access-Control-Allow-Origin"), "https://app.example.org");
  EXPECT_EQ(good.header("Access-Control-Allow-Methods"), "GET, POST, PUT, PATCH, DELETE, OPTIONS");
  EXPECT_THAT(good.header("Access-Control-Allow-Headers"), HasSubstr("x-organization-id"));
  EXPECT_EQ(good.header("Access-Control-Max-Age"), "3600");
  EXPECT_EQ(good.header("Access-Control-Allow-Credentials"), "true");
  expect_common_headers(good, "preflight");
  EXPECT_EQ(preflight("https://evil.example", "GET", "").at("message"), "Origin is not allowed to make this request");
  EXPECT_EQ(preflight("https://app.example.org", "TRACE", "").at("message"), "Requested method is not allowed");
  const auto header = preflight("https://app.example.org", "GET", "x-evil");
  expect_error(header, 400, "bad_request", "header");
  EXPECT_EQ(header.at("message"), "One or more request headers are not allowed");
}

TEST(Pipeline, HeadIsLikeGet) {
  Harness h;
  const auto user = h.signed_in("orbit7");
  EXPECT_EQ(h.call({"HEAD", "/api/v1/triggers", std::nullopt, user, "203.0.113.7"}).status, 200);
}

TEST(Limits, ExemptRoutesCarryNoHeaders) {
  Harness h([](GatewaySettings& s) { s.monitoring_token = crypto::Secret<std::string>(std::string("let me in")); });
  for (const auto* path : {"/api/v1/health", "/api/v1/health/live", "/api/v1/health/ready", "/api/v1/openapi.json"}) {
    const auto answer = h.get(path);
    EXPECT_EQ(answer.status, 200) << path << answer.text;
    EXPECT_EQ(answer.header("X-RateLimit-Limit"), "") << path;
    expect_common_headers(answer, path);
  }
  EXPECT_EQ(h.get("/nowhere").header("X-RateLimit-Limit"), "60");
  EXPECT_EQ(h.get("/nowhere", {{"X-Monitoring-Token", "let me in"}}).header("X-RateLimit-Limit"), "");
  EXPECT_EQ(h.get("/nowhere", {{"X-Monitoring-Token", "let me in "}}).header("X-RateLimit-Limit"), "60");
  EXPECT_EQ(Harness().get("/nowhere", {{"X-Monitoring-Token", ""}}).header("X-RateLimit-Limit"), "60");
}

TEST(Limits, BadCredentialsCountAsAnonymousReads) {
  Harness h;
  for (int i = 0; i < 60; ++i) EXPECT_EQ(h.get("/api/v1/triggers", {{"Authorization", "Bearer x"}}).status, 401);
  const auto refused = h.get("/api/v1/triggers");
  EXPECT_EQ(refused.status, 429);
  EXPECT_FALSE(refused.header("Retry-After").empty());
  EXPECT_THAT(refused.header("RateLimit-Policy"), HasSubstr("\"anonymous-read\";q=60;w=60"));
}

TEST(Limits, AuthRoutesAreSixtyAMinuteByAddress) {
  Harness h;
  int answers = 0;
  while (answers < 100 && h.call({"POST", "/api/v1/auth/logout", std::nullopt, {}, "203.0.113.7"}).status == 200)
    ++answers;
  EXPECT_EQ(answers, 60);
  EXPECT_EQ(h.call({"POST", "/api/v1/auth/logout", std::nullopt, {}, "203.0.113.8"}).status, 200);
  EXPECT_EQ(h.call({"POST", "/api/v1/auth/logout", std::nullopt, {}, "2001:db8::1"}).status, 200);
  h.clock_.advance(60s);
  EXPECT_EQ(h.call({"POST", "/api/v1/auth/logout", std::nullopt, {}, "203.0.113.7"}).status, 200);
}

TEST(Limits, ReadsOfASessionAreThreeHundredAMinute) {
  Harness h;
  const auto user = h.signed_in("orbit7");
  for (int i = 0; i < 300; ++i) ASSERT_EQ(h.get("/api/v1/events", user).status, 200) << i;
  EXPECT_EQ(h.get("/api/v1/events", user).status, 429);
  EXPECT_EQ(h.get("/api/v1/events", h.signed_in("other")).status, 200);
}

TEST(Limits, ShadowModeOnlyMarks) {
  Harness h([](GatewaySettings& s) {
    s.rate_limit_mode = GatewaySettings::RateLimitMode::shadow;
    s.register_per_minute = 1;
  });
  const std::string bad = R"({"username":"ab","email":"x","password":"y"})";
  EXPECT_EQ(h.post("/api/v1/auth/register", bad).header("X-RateLimit-Status"), "");
  const auto over = h.post("/api/v1/auth/register", bad);
  EXPECT_EQ(over.status, 400);
  EXPECT_EQ(over.header("X-RateLimit-Status"), "shadow-violation");
  EXPECT_EQ(over.header("X-RateLimit-Remaining"), "0");
}

TEST(Metrics, CountByRouteTemplate) {
  Harness h;
  const auto user = h.signed_in("orbit7");
  h.get("/api/v1/triggers/one", user);
  h.get("/api/v1/triggers/two", user);
  h.get("/some/path");
  h.call({"BREW", "/api/v1/triggers", std::nullopt, {}, "203.0.113.7"});
  h.get("/api/v1/health");
  const auto text = h.metrics_.expose();
  EXPECT_THAT(text, HasSubstr(R"(http_requests_total{method="GET",path="/api/v1/triggers/{id}",status="404"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(http_requests_total{method="GET",path="{unmatched}",status="404"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(http_requests_total{method="OTHER",path="/api/v1/triggers",status="405"} 1)"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("/api/v1/health")));
  EXPECT_THAT(text, HasSubstr("http_requests_in_flight 0"));
  EXPECT_THAT(text, HasSubstr("http_request_duration_seconds_bucket"));
}

TEST(Health, SaysWhatWorks) {
  Harness h([](GatewaySettings& s) { s.version = "9.9.9"; });
  EXPECT_EQ(
      h.get("/api/v1/health").text,
      R"({"status":"healthy","timestamp":"2026-01-01T00:10:12.345678Z","version":"9.9.9","database":"connected","redis":"disabled"})");
  const auto ready = h.get("/api/v1/health/ready");
  EXPECT_EQ(ready.at("status"), "ready");
  EXPECT_EQ(ready.at("chains"), "[]");
  h.db().stop();
  const auto sick = h.get("/api/v1/health");
  EXPECT_EQ(sick.status, 503);
  EXPECT_EQ(sick.at("status"), "unhealthy");
  EXPECT_EQ(sick.at("database"), "disconnected");
  const auto not_ready = h.get("/api/v1/health/ready");
  EXPECT_EQ(not_ready.status, 503);
  EXPECT_EQ(not_ready.at("failed"), "database");
  EXPECT_EQ(h.get("/api/v1/health/live").status, 200);
  // Everything else says so too, with nothing of the store's words.
  const auto login = h.log_in("orbit7", "x");
  EXPECT_EQ(login.status, 503);
  EXPECT_EQ(login.at("error"), "service_unavailable");
  EXPECT_EQ(login.header("Retry-After"), "1");
}

// The state that a server shows which lost its library: the extension in the catalogue, and none of its settings.
TEST(Health, IsNotReadyWhenTimescaleDbIsLost) {
  auto temp = store::testing::make_temp_postgres();
  auto* db = temp.db.get();
  Harness h({}, std::move(temp));
  EXPECT_EQ(h.get("/api/v1/health/ready").at("event_storage"), "table");
  static const store::Query kLose{
      store::Query::Unlisted{}, "test_lose_library",
      "INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion) "
      "SELECT 99999, 'timescaledb', extowner, extnamespace, false, '2.28.3' FROM pg_extension LIMIT 1"};
  const auto lost = db->transact_blocking<void>(store::Priority::interactive, [](store::Tx& tx) -> Result<void> {
    auto row = tx.run(kLose);
    if (!row) return fail(row);
    return {};
  });
  ASSERT_TRUE(lost) << lost.error().text;
  const auto ready = h.get("/api/v1/health/ready");
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(ready.at("failed"), "timescaledb");
  EXPECT_EQ(ready.at("database"), "connected");
  EXPECT_EQ(ready.at("migrations"), "current");
  EXPECT_EQ(ready.at("event_storage"), "lost");
  EXPECT_EQ(h.get("/api/v1/health").status, 200) << "the guide's own check asks for the database";
}

TEST(Openapi, IsServedWithTitleTagsAndSchemes) {
  Harness h;
  const auto document = h.get("/api/v1/openapi.json");
  EXPECT_EQ(document.at("openapi"), "3.1.0");
  EXPECT_EQ(document.at("info.title"), "AgentAuri API");
  EXPECT_EQ(document.at("info.version"), "1.0.0");
  EXPECT_EQ(document.at("servers.0.url"), "http://localhost:8080");
  EXPECT_EQ(document.at("servers.1.description"), "Production server");
  EXPECT_EQ(document.at("tags.0.name"), "Health");
  EXPECT_EQ(document.at("tags.17.name"), "A2A Protocol");
  for (const auto* scheme : {"bearer_auth", "api_key", "organization_id", "cookie_auth"})
    EXPECT_NE(document.find(fmt::format("components.securitySchemes.{}", scheme)), nullptr);
}

// --- events and deliveries -------------------------------------------------------------------------------------------

domain::Event event_of(std::uint64_t agent, std::uint32_t index) {
  domain::Event e;
  e.chain_id = 31337;
  e.block_num = 100;
  e.block_time = from_unix_seconds(1'767'225'600);
  e.txn_hash.data[0] = static_cast<std::uint8_t>(index);
  e.log_index = index;
  e.txn_index = index;
  e.registry = domain::Registry::reputation;
  e.event_type = "NewFeedback";
  e.agent_id = Uint256(agent);
  e.value = parse_int128("-3200000000000000000000").value();
  e.value_decimals = 1;
  e.tag1 = "starred";
  e.feedback_index = 18'446'744'073'709'551'615ULL;
  return e;
}

TEST(Events, AreListedExactlyWithFilters) {
  Harness h;
  const auto user = h.signed_in("orbit7");
  EXPECT_EQ(h.get("/api/v1/events", user).text,
            R"({"data":[],"pagination":{"total":0,"limit":20,"offset":0,"has_more":false}})");
  auto stored = h.db().transact_blocking<void>(store::Priority::interactive, [&](store::Tx& tx) -> Result<void> {
    auto attached = store::attach_chain(tx, 31337, "anvil", 0, 100, 1, h.clock_.now());
    if (!attached) return fail(attached);
    store::IngestedBlock block;
    block.block.num = 100;
    block.block.hash.data[0] = 7;
    block.block.time = from_unix_seconds(1'767'225'600);
    block.block.seen_at = h.clock_.now();
    for (std::uint32_t i = 0; i < 3; ++i) {
      block.events.push_back(event_of(7 + i % 2, i));
      block.events.back().block_hash = block.block.hash;
    }
    return store::append_blocks(tx, 31337, 1, {block}, {}, std::nullopt, std::nullopt, h.clock_.now());
  });
  ASSERT_TRUE(stored) << stored.error().text;
  const auto page = h.get("/api/v1/events?limit=2&chainId=31337&registry=reputation&eventType=NewFeedback", user);
  ASSERT_EQ(page.status, 200) << page.text;
  EXPECT_EQ(page.at("pagination"), R"({"total":3,"limit":2,"offset":0,"has_more":true})");
  EXPECT_EQ(page.at("data.0.data.value"), "-320000000000000000000.0");
  EXPECT_EQ(page.at("data.0.data.feedback_index"), "18446744073709551615");
  EXPECT_EQ(page.at("data.0.data.tag1"), "starred");
  EXPECT_EQ(page.find("data.0.data.score"), nullptr);
  EXPECT_EQ(page.at("data.0.timestamp"), "1767225600");
  EXPECT_EQ(h.get("/api/v1/events?limit=2&page=2", user).at("pagination.offset"), "2");
  EXPECT_EQ(h.get("/api/v1/events?agentId=007", user).at("pagination.total"), "2");
  EXPECT_EQ(h.get("/api/v1/events?agent_id=8", user).at("pagination.total"), "1");
  EXPECT_EQ(h.get("/api/v1/events?agentId=seven", user).at("pagination.total"), "0");
  EXPECT_EQ(h.get("/api/v1/events?eventType=FeedbackSubmitted", user).at("pagination.total"), "3");
  EXPECT_EQ(h.get("/api/v1/events?search=FEEDBACK", user).at("pagination.total"), "3");
  EXPECT_EQ(h.get("/api/v1/events?search=100%25", user).at("pagination.total"), "0");
  EXPECT_EQ(h.get("/api/v1/events?limit=1000&page=-3", user).at("pagination.limit"), "100");
  EXPECT_EQ(h.get("/api/v1/events?page=9223372036854775807&limit=100", user).status, 200);
  EXPECT_EQ(h.get("/api/v1/events?chainId=x", user).at("error"), "bad_request");
  EXPECT_EQ(h.get("/api/v1/events?chainId=1&chainId=2", user).at("error"), "bad_request");
  EXPECT_EQ(h.get("/api/v1/events", {user[0], {"X-Organization-ID", "nonsense"}}).status, 403);
  EXPECT_EQ(h.get("/api/v1/health/ready").at("chains.0.name"), "anvil");
}

TEST(Deliveries, ShowAttemptsAndTheReason) {
  Harness h;
  const auto user = h.signed_in("orbit7");
  const auto made = h.post(
      "/api/v1/triggers",
      R"({"name":"t","registry":"reputation","actions":[{"action_type":"rest","config":{"url":"https://example.org/hook"}}]})",
      user);
  const std::string path = "/api/v1/triggers/" + made.at("data.id") + "/deliveries";
  EXPECT_EQ(h.get(path, user).at("pagination.total"), "0");
  store::NewJob job;
  job.id.data[0] = 0xAB;
  job.organization_id = *domain::OrganizationId::parse(made.at("data.organization_id"));
  job.trigger_id = *domain::TriggerId::parse(made.at("data.id"));
  job.action_id = static_cast<domain::ActionId>(std::stoi(made.at("data.actions.0.id")));
  job.chain_id = 31337;
  job.block_num = 100;
  job.event_id = "reputation-31337-0x00-1";
  job.event_data = "{}";
  job.body = "{}";
  job.explanation = R"({"decision":"match","steps":[]})";
  job.endpoint = "https://example.org:443";
  job.request_id = "req-1";
  auto stored = h.db().transact_blocking<void>(store::Priority::interactive, [&](store::Tx& tx) -> Result<void> {
    if (auto inserted = store::insert_jobs(tx, {job}, h.clock_.now()); !inserted) return fail(inserted);
    auto claimed = store::claim_batch(tx, domain::InstanceId::make(h.clock_.now()), 10, {}, h.clock_.now());
    if (!claimed) return fail(claimed);
    EXPECT_EQ(claimed->jobs.size(), 1U);
    return {};
  });
  ASSERT_TRUE(stored) << stored.error().text;
  const auto page = h.get(path + "?limit=1", user);
  ASSERT_EQ(page.status, 200) << page.text;
  EXPECT_EQ(page.at("data.0.id"), "ab" + std::string(62, '0'));
  EXPECT_EQ(page.at("data.0.state"), "leased");
  EXPECT_EQ(page.at("data.0.explanation.decision"), "match");
  EXPECT_EQ(page.at("data.0.attempts.0.n"), "1");
  EXPECT_EQ(page.at("data.0.attempts.0.outcome"), "null");
  EXPECT_EQ(h.get(path + "?limit=101", user).at("error"), "validation_error");
  // Deleting the trigger does not wait for what is under way.
  EXPECT_EQ(h.erase("/api/v1/triggers/" + made.at("data.id"), user).status, 204);
  EXPECT_EQ(h.get(path, user).status, 404);
}

}   // namespace
}   // namespace agentauri::gateway
