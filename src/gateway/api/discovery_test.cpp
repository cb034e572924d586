// What strangers read of this service before they know anything else.
#include "gateway/api/discovery.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/testing/gateway_fixture.hpp"

namespace agentauri::gateway {
namespace {

using testing::Answer;
using testing::Harness;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kCard = "/.well-known/agent-card.json";
constexpr const char* kSecurity = "/.well-known/security.txt";

void configure(GatewaySettings& s) {
  s.base_url = "https://alerts.example.org/";
  s.version = "9.9.9";
  s.public_chains = {{84532, "Base Sepolia", "baseSepolia", {"identity", "reputation"}}};
  s.discovery.contact_email = "ask@example.org";
  s.discovery.documentation_url = "https://docs.example.org";
}

TEST(AgentCard, SaysWhatIsHere) {
  Harness h(configure);
  const auto card = h.get(kCard);
  ASSERT_EQ(card.status, 200) << card.text;
  EXPECT_EQ(card.at("name"), "AgentAuri API");
  EXPECT_EQ(card.at("version"), "9.9.9");
  EXPECT_EQ(card.at("base_url"), "https://alerts.example.org");
  EXPECT_EQ(card.at("documentationUrl"), "https://docs.example.org");
  EXPECT_EQ(card.at("contact.email"), "ask@example.org");
  EXPECT_EQ(card.at("capabilities.push_layer.supported_chains"),
            R"([{"chain_id":84532,"name":"Base Sepolia","registries":["identity","reputation"]}])");
  EXPECT_EQ(card.at("capabilities.authentication.methods"), R"(["jwt","api_key","wallet_signature"])");
  EXPECT_EQ(card.at("capabilities.rate_limiting.tiers.0.rate_limit"), "60 calls/minute");
  EXPECT_EQ(card.at("capabilities.rate_limiting.tiers.2.limit"), "500 calls/hour");
  EXPECT_EQ(card.at("securitySchemes.apiKey.name"), "X-API-Key");
  EXPECT_EQ(card.at("endpoints.authentication.login"), "https://alerts.example.org/api/v1/auth/login");
  EXPECT_EQ(h.get("/.well-known/agent.json").text, card.text) << "the older name";
  EXPECT_EQ(Harness().get(kCard).at("capabilities.push_layer.supported_chains"), "[]") << "no chain is configured";
}

TEST(AgentCard, NamesNothingThatIsNotServed) {
  Harness h(configure);
  const auto card = h.get(kCard);
  for (const auto* member : {"supportedInterfaces", "url", "protocolVersion", "additionalInterfaces",
                             "securitySchemes.oauth2", "signatures", "generated_at"})
    EXPECT_EQ(card.find(member), nullptr) << member;
  EXPECT_EQ(card.at("skills"), "[]");
  EXPECT_EQ(card.at("capabilities.pull_layer.enabled"), "false");
  EXPECT_EQ(card.at("capabilities.authentication.oauth2_supported"), "false");
  EXPECT_EQ(card.at("capabilities.push_layer.features"),
            R"(["multi_chain_monitoring","programmable_triggers","rest_webhooks"])");
  const std::string base = "https://alerts.example.org";
  for (const auto* endpoint : {"openapi", "health_check"}) {
    const auto url = card.at(std::string("endpoints.") + endpoint);
    ASSERT_TRUE(url.starts_with(base)) << url;
    EXPECT_EQ(h.get(url.substr(base.size())).status, 200) << url;
  }
}

TEST(AgentCard, IsForPagesOfAnyOriginAndKeptForAnHour) {
  Harness h(configure);
  for (const auto* path : {kCard, "/.well-known/agent.json"}) {
    const auto card = h.get(path, {{"Origin", "https://anywhere.example"}});
    EXPECT_EQ(card.header("Access-Control-Allow-Origin"), "*");
    EXPECT_EQ(card.header("Access-Control-Allow-Methods"), "GET, OPTIONS");
    EXPECT_EQ(card.header("Access-Control-Allow-Headers"), "Content-Type");
    EXPECT_EQ(card.header("Access-Control-Allow-Credentials"), "");
    EXPECT_EQ(card.header("Cache-Control"), "public, max-age=3600");
    EXPECT_EQ(card.header("Content-Type"), "application/json");
    EXPECT_EQ(card.all("Vary"), std::vector<std::string>{"Accept-Encoding"});
    EXPECT_EQ(card.header("X-RateLimit-Limit"), "") << "exempt";
    const auto again = h.get(path, {{"If-None-Match", card.header("ETag")}});
    EXPECT_EQ(again.status, 304);
    EXPECT_EQ(again.header("Access-Control-Allow-Origin"), "*");
    EXPECT_EQ(again.header("Cache-Control"), "public, max-age=3600");
  }
  EXPECT_EQ(testing::call_gateway(*h.another(), {.target = kCard}).header("ETag"), h.get(kCard).header("ETag"))
      << "every process says the same";
  EXPECT_EQ(h.call({.method = "HEAD", .target = kCard}).status, 200);
  EXPECT_EQ(h.post(kCard, "{}").status, 405);
}

TEST(AgentCard, Preflights) {
  Harness h(configure);
  const auto preflight = [&](std::string path, std::string method, std::string headers) {
    return h.call({"OPTIONS",
                   std::move(path),
                   std::nullopt,
                   {{"Origin", "https://anywhere.example"},
                    {"Access-Control-Request-Method", std::move(method)},
                    {"Access-Control-Request-Headers", std::move(headers)}}});
  };
  const auto good = preflight(kCard, "GET", "content-type");
  EXPECT_EQ(good.status, 200);
  EXPECT_EQ(good.text, "");
  EXPECT_EQ(good.header("Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(good.header("Access-Control-Allow-Methods"), "GET, OPTIONS");
  EXPECT_EQ(good.header("Access-Control-Max-Age"), "3600");
  EXPECT_EQ(good.header("Access-Control-Allow-Credentials"), "");
  EXPECT_EQ(preflight(kCard, "POST", "").status, 400);
  EXPECT_EQ(preflight(kCard, "GET", "authorization").status, 400);
  EXPECT_EQ(preflight(kSecurity, "GET", "").status, 400) << "as everywhere: a listed origin";
  EXPECT_EQ(preflight("/api/v1/triggers", "GET", "").status, 400);
}

TEST(SecurityTxt, HasTheLinesInTheirOrder) {
  Harness h([](GatewaySettings& s) {
    configure(s);
    s.discovery.security_hiring_url = "https://example.org/jobs";
  });
  const auto text = h.get(kSecurity);
  EXPECT_EQ(text.header("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(text.header("Cache-Control"), "public, max-age=86400");
  EXPECT_EQ(text.header("X-RateLimit-Limit"), "");
  EXPECT_EQ(text.text,
            "# Whom to tell of a security problem of api.agentauri.ai\n"
            "# The format is RFC 9116\n"
            "\n"
            "Contact: mailto:security@agentauri.ai\n"
            "Contact: https://github.com/agentauri/api.agentauri.ai/security/advisories\n"
            "Expires: 2027-01-01T00:00:00.000Z\n"
            "Policy: https://github.com/agentauri/api.agentauri.ai/security/policy\n"
            "Acknowledgments: https://github.com/agentauri/api.agentauri.ai/security/advisories\n"
            "Canonical: https://alerts.example.org/.well-known/security.txt\n"
            "Preferred-Languages: en\n"
            "Hiring: https://example.org/jobs\n");
  EXPECT_THAT(Harness().get(kSecurity).text, Not(HasSubstr("Hiring")));
}

TEST(SecurityTxt, ExpiresAYearAfterEachDay) {
  Harness h;
  const auto first = h.get(kSecurity);
  h.clock_.advance(23h);
  const auto later = h.get(kSecurity, {{"If-None-Match", first.header("ETag")}});
  EXPECT_EQ(later.status, 304) << "the same all day";
  h.clock_.advance(1h);
  const auto next = h.get(kSecurity, {{"If-None-Match", first.header("ETag")}});
  EXPECT_EQ(next.status, 200);
  EXPECT_THAT(next.text, HasSubstr("Expires: 2027-01-02T00:00:00.000Z\n"));
  // Over the end of a leap February.
  GatewaySettings settings;
  EXPECT_THAT(render_security_txt(settings, parse_rfc3339("2027-03-01T12:00:00Z").value()),
              HasSubstr("Expires: 2028-02-29T00:00:00.000Z\n"));
}

}   // namespace
}   // namespace agentauri::gateway
