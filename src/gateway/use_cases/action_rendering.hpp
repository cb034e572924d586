// What an action would send: in the form in which jobs keep it, and in the form that may be shown.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/json/json.hpp"
#include "domain/trigger.hpp"

namespace agentauri::gateway {

// The default payload of a test says `"test": true`; a body of the user's own stays what it is.
enum class Purpose : std::uint8_t { alert, test };

// Of a webhook, from its stored configuration, whose secrets stay encrypted: as the engine makes jobs. Fails as
// rules::render_webhook_body().
struct WebhookStart {
  std::string body;
  std::optional<std::string> endpoint;
};
Result<WebhookStart> start_webhook(const std::string& stored_config, const json::Object& event_data, Purpose purpose);

// With `***` for every secret; placeholders are filled everywhere else.
struct ActionPreview {
  std::optional<std::string> method, url, body;   // those that the type has
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<std::string> error;   // why nothing could be sent
};
ActionPreview preview_action(const domain::Action& action, const json::Object& event_data, Purpose purpose);

}   // namespace agentauri::gateway
