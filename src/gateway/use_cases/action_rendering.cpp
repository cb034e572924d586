#include "gateway/use_cases/action_rendering.hpp"

#include "rules/action_config.hpp"
#include "rules/action_secrets.hpp"
#include "rules/templates.hpp"

namespace agentauri::gateway {
namespace {

Result<json::Object> read_config(const std::string& stored) {
  auto parsed = json::parse(stored);
  if (!parsed || !parsed->is_object()) return fail(Code::corrupt, "the action's configuration cannot be read");
  return std::move(parsed->get_object());
}

Result<std::string> render_body(const rules::WebhookConfig& config, const json::Object& data, Purpose purpose) {
  auto body = rules::render_webhook_body(config, data);
  if (!body || body->empty() || config.body || purpose == Purpose::alert) return body;
  auto payload = json::parse(*body);
  if (!payload) return fail(payload);
  payload->get_object()["test"] = true;
  return json::dump(*payload);
}

Result<void> preview_webhook(const json::Object& masked, const json::Object& data, Purpose purpose,
                             ActionPreview& out) {
  auto config = rules::parse_webhook_config(masked);
  if (!config) return fail(config);
  out.method = config->method;
  auto url = rules::render_webhook_url(*config, data);
  if (!url) return fail(url);
  out.url = std::move(*url);
  auto body = render_body(*config, data, purpose);
  if (!body) return fail(body);
  if (!body->empty()) {
    out.headers.emplace_back("Content-Type", "application/json");
    out.body = std::move(*body);
  }
  for (const auto& [name, value] : config->headers) {
    auto rendered = rules::render_webhook_header(value, data);
    if (!rendered) return fail(rendered);
    std::erase_if(out.headers, [&name](const auto& header) { return header.first == name; });
    out.headers.emplace_back(name, std::move(*rendered));
  }
  if (purpose == Purpose::test) out.headers.emplace_back("X-AgentAuri-Test", "true");
  return {};
}

// The first of two spellings.
Result<std::optional<std::string>> either(const json::Object& config, std::string_view name, std::string_view other) {
  return json::optional_string(config, config.contains(name) ? name : other);
}

Result<void> preview_telegram(const json::Object& masked, const json::Object& data, ActionPreview& out) {
  auto text = either(masked, "message_template", "message");
  if (!text) return fail(text);
  auto mode = json::optional_string(masked, "parse_mode");
  if (!mode) return fail(mode);
  std::string name = mode->value_or("MarkdownV2");
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const auto escape = name == "none"   ? rules::Escape::none
                      : name == "html" ? rules::Escape::html
                                       : rules::Escape::markdown_v2;
  auto rendered = rules::render_text(text->value_or(std::string(rules::kDefaultTelegramMessage)), data,
                                     *text ? escape : rules::Escape::none);
  if (!rendered) return fail(rendered);
  out.body = std::move(*rendered);
  return {};
}

Result<void> preview_mcp(const json::Object& masked, const json::Object& data, ActionPreview& out) {
  auto url = json::optional_string(masked, "server_url");
  if (!url) return fail(url);
  out.url = std::move(*url);
  const auto* arguments = json::find(masked, "arguments_template");
  if (arguments == nullptr) arguments = json::find(masked, "payload_template");
  if (arguments == nullptr) return {};
  auto rendered = rules::render_json(*arguments, data, false);
  if (!rendered) return fail(rendered);
  out.body = json::dump(*rendered);
  return {};
}

}   // namespace

Result<WebhookStart> start_webhook(const std::string& stored_config, const json::Object& event_data, Purpose purpose) {
  auto stored = read_config(stored_config);
  if (!stored) return fail(stored);
  auto config = rules::parse_webhook_config(*stored);
  if (!config) return fail(config);
  auto body = render_body(*config, event_data, purpose);
  if (!body) return fail(body);
  WebhookStart out{std::move(*body), std::nullopt};
  if (auto endpoint = rules::webhook_endpoint(*config)) out.endpoint = std::move(*endpoint);
  return out;
}

ActionPreview preview_action(const domain::Action& action, const json::Object& event_data, Purpose purpose) {
  ActionPreview out;
  auto stored = read_config(action.config);
  Result<void> done;
  if (!stored) {
    done = fail(stored);
  } else {
    const auto masked = rules::mask_config(std::move(*stored));
    switch (action.type) {
      case domain::ActionType::rest:
        done = preview_webhook(masked, event_data, purpose, out);
        break;
      case domain::ActionType::telegram:
        done = preview_telegram(masked, event_data, out);
        break;
      case domain::ActionType::mcp:
        done = preview_mcp(masked, event_data, out);
        break;
    }
  }
  if (!done) out.error = done.error().text;
  return out;
}

}   // namespace agentauri::gateway
