#include "gateway/api/discovery.hpp"

#include <fmt/format.h>

#include <chrono>

namespace agentauri::gateway {
namespace {

constexpr auto kExpiry = std::chrono::days(365);
constexpr std::string_view kOneDay = "public, max-age=86400";
constexpr std::string_view kOneHour = "public, max-age=3600";

json::Array list(std::initializer_list<std::string_view> items) {
  json::Array out;
  for (const auto item : items) out.emplace_back(json::String(item));
  return out;
}

// BASE_URL may end in a slash.
std::string base_of(const GatewaySettings& settings) {
  std::string out = settings.base_url;
  while (out.ends_with('/')) out.pop_back();
  return out;
}

json::Array render_chains(const std::vector<PublicChain>& chains) {
  json::Array out;
  for (const auto& chain : chains) {
    json::Object row;
    row["chain_id"] = chain.id;
    row["name"] = json::String(chain.name);
    json::Array registries;
    for (const auto& registry : chain.registries) registries.emplace_back(json::String(registry));
    row["registries"] = std::move(registries);
    out.push_back(std::move(row));
  }
  return out;
}

// Readers of the older card know either pair of names.
json::Object tier(std::string_view name, std::string_view limit, std::string_view authentication) {
  json::Object out;
  out["tier"] = json::String(name);
  out["name"] = json::String(name);
  out["rate_limit"] = json::String(limit);
  out["limit"] = json::String(limit);
  out["authentication"] = json::String(authentication);
  return out;
}

json::Object render_capabilities(const GatewaySettings& settings) {
  json::Object push;
  push["enabled"] = true;
  push["features"] = list({"multi_chain_monitoring", "programmable_triggers", "rest_webhooks"});
  push["supported_chains"] = render_chains(settings.public_chains);
  json::Object pull;
  pull["enabled"] = false;
  pull["features"] = json::Array();
  json::Object authentication;
  authentication["methods"] = list({"jwt", "api_key", "wallet_signature"});
  authentication["oauth2_supported"] = false;
  json::Object limits;
  limits["enabled"] = settings.rate_limit_mode == GatewaySettings::RateLimitMode::enforcing;
  limits["tiers"] =
      json::Array{tier("anonymous", "60 calls/minute", "none"), tier("starter", "100 calls/hour", "api_key"),
                  tier("pro", "500 calls/hour", "api_key"), tier("enterprise", "2000 calls/hour", "api_key")};
  json::Object out;
  out["push_layer"] = std::move(push);
  out["pull_layer"] = std::move(pull);
  out["authentication"] = std::move(authentication);
  out["rate_limiting"] = std::move(limits);
  return out;
}

// Each scheme holds the members of A2A 0.3 and those of 1.0; readers pass over what they do not know.
json::Object render_security_schemes() {
  json::Object http, bearer, header, key, out;
  http["scheme"] = "bearer";
  http["bearerFormat"] = "JWT";
  bearer["type"] = "http";
  bearer["scheme"] = "bearer";
  bearer["bearerFormat"] = "JWT";
  bearer["httpAuthSecurityScheme"] = std::move(http);
  header["location"] = "header";
  header["name"] = "X-API-Key";
  key["type"] = "apiKey";
  key["in"] = "header";
  key["name"] = "X-API-Key";
  key["apiKeySecurityScheme"] = std::move(header);
  out["bearer"] = std::move(bearer);
  out["apiKey"] = std::move(key);
  return out;
}

void add_security(json::Object& card) {
  json::Array v03, v10;
  for (const std::string_view name : {"bearer", "apiKey"}) {
    json::Object scheme, scopes, requirement, schemes;
    scheme[name] = json::Array();
    v03.push_back(std::move(scheme));
    scopes["list"] = json::Array();
    schemes[name] = std::move(scopes);
    requirement["schemes"] = std::move(schemes);
    v10.push_back(std::move(requirement));
  }
  card["securitySchemes"] = render_security_schemes();
  card["securityRequirements"] = std::move(v10);
  card["security"] = std::move(v03);
}

json::Object render_endpoints(const std::string& base) {
  json::Object authentication;
  authentication["register"] = json::String(base + "/api/v1/auth/register");
  authentication["login"] = json::String(base + "/api/v1/auth/login");
  json::Object out;
  out["api_documentation"] = json::String(base + "/api-docs/");
  out["openapi"] = json::String(base + "/api/v1/openapi.json");
  out["health_check"] = json::String(base + "/api/v1/health");
  out["authentication"] = std::move(authentication);
  out["triggers"] = json::String(base + "/api/v1/triggers");
  return out;
}

}   // namespace

json::Object render_agent_card(const GatewaySettings& settings) {
  const std::string base = base_of(settings);
  const auto& about = settings.discovery;
  json::Object provider;
  provider["organization"] = "AgentAuri";
  provider["url"] = "https://agentauri.ai";
  json::Object contact;
  contact["email"] = json::String(about.contact_email);
  contact["github"] = json::String(about.contact_github);
  contact["documentation"] = json::String(about.documentation_url);
  json::Object out;
  out["name"] = "AgentAuri API";
  out["description"] =
      "Real-time backend infrastructure for monitoring and reacting to ERC-8004 on-chain agent economy events";
  out["version"] = json::String(settings.version);
  out["provider"] = std::move(provider);
  out["documentationUrl"] = json::String(about.documentation_url);
  out["skills"] = json::Array();
  add_security(out);
  out["api_version"] = "v1";
  out["base_url"] = json::String(base);
  out["capabilities"] = render_capabilities(settings);
  out["endpoints"] = render_endpoints(base);
  out["contact"] = std::move(contact);
  out["protocol_version"] = "erc-8004-v1.0";
  return out;
}

std::string render_security_txt(const GatewaySettings& settings, Time day) {
  const auto& about = settings.discovery;
  const std::chrono::year_month_day expires(std::chrono::floor<std::chrono::days>(day) + kExpiry);
  std::string out = "# Whom to tell of a security problem of api.agentauri.ai\n# The format is RFC 9116\n\n";
  const auto add = [&out](std::string_view name, std::string_view value) {
    out += fmt::format("{}: {}\n", name, value);
  };
  add("Contact", "mailto:" + about.security_email);
  add("Contact", about.security_url);
  add("Expires", fmt::format("{:04}-{:02}-{:02}T00:00:00.000Z", static_cast<int>(expires.year()),
                             static_cast<unsigned>(expires.month()), static_cast<unsigned>(expires.day())));
  add("Policy", about.security_policy_url);
  add("Acknowledgments", about.security_acknowledgments_url);
  add("Canonical", base_of(settings) + "/.well-known/security.txt");
  add("Preferred-Languages", "en");
  if (!about.security_hiring_url.empty()) add("Hiring", about.security_hiring_url);
  return out;
}

Discovery::Discovery(const GatewaySettings& settings, const Clock& clock)
    : settings_(settings),
      clock_(clock),
      card_(std::make_shared<const FixedText>("application/json", std::string(kOneHour),
                                              json::dump(render_agent_card(settings)))) {}

std::shared_ptr<const FixedText> Discovery::security_txt() {
  const Time now = clock_.now();
  const std::int64_t day = std::chrono::floor<std::chrono::days>(now).time_since_epoch().count();
  const std::lock_guard lock(mutex_);
  if (!security_txt_ || day != day_) {
    security_txt_ = std::make_shared<const FixedText>("text/plain; charset=utf-8", std::string(kOneDay),
                                                      render_security_txt(settings_, now));
    day_ = day;
  }
  return security_txt_;
}

}   // namespace agentauri::gateway
