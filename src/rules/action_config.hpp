// What an action's `config` means: checked on save, read again by the worker at each attempt.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "core/json/json.hpp"
#include "domain/trigger.hpp"
#include "net/address_guard.hpp"
#include "rules/evaluate.hpp"

namespace agentauri::rules {

// Of a Telegram action without `message_template` (pipeline.md 9.4).
inline constexpr std::string_view kDefaultTelegramMessage =
    "Agent {{agent_id}} on chain {{chain_id}}: {{event_type}} (tx {{transaction_hash}})";

// pipeline.md 8.5. Synonyms: body_template = body, timeout_ms wins over timeout_seconds.
struct WebhookConfig {
  std::string method = "POST";
  std::string url;                                            // template; scheme, host and port are literal
  std::vector<std::pair<std::string, std::string>> headers;   // values are templates
  std::optional<json::Value> body;                            // JSON template; nullopt: the default payload
  std::size_t sealed_bytes = 0;                               // what encryption of its secrets adds to it
  std::chrono::milliseconds timeout{30'000};                  // 1 s .. 300 s
  std::vector<int> expected_status_codes;                     // empty: 200..299
  std::optional<int> retry_count;                             // 0..10: retries after the first attempt
  std::optional<std::chrono::seconds> max_age;                // none unless the user sets one
  std::optional<std::string> secret;                          // legacy signature
  bool legacy_json_coercion = false;
};

// Code::invalid with field `config.<member>`. Secrets may be `enc:v1:…` values: they are opaque here,
// and bounds are those of the clear text.
Result<WebhookConfig> parse_webhook_config(const json::Object& config);
// Of any type, on save: also what `guard` would refuse at every attempt. Telegram and MCP are checked for shape; their
// channels come later.
Result<void> check_action(domain::ActionType type, const json::Object& config, const net::AddressGuard& guard,
                          std::vector<Warning>* warnings = nullptr);

// What is sent, with values cut where it would be longer than it may be: an alert is never lost to what the chain says.
// The body of a webhook, rendered once when its job is made. Empty for methods without a body.
Result<std::string> render_webhook_body(const WebhookConfig& config, const json::Object& event_data);
Result<std::string> render_webhook_url(const WebhookConfig& config, const json::Object& event_data);
Result<std::string> render_webhook_header(std::string_view value, const json::Object& event_data);
// `scheme://host:port` of the URL: the key of per-endpoint limits.
Result<std::string> webhook_endpoint(const WebhookConfig& config);

// Members whose values are secrets, at any depth (http-api.md 7.8, 7.11): see action_secrets.hpp.
bool is_secret_member(std::string_view key);

}   // namespace agentauri::rules
