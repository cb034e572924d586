#include "rules/action_config.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "net/url.hpp"
#include "rules/action_secrets.hpp"
#include "rules/comparison.hpp"
#include "rules/templates.hpp"

namespace agentauri::rules {
namespace {

constexpr std::size_t kMaxUrlBytes = 2048;
constexpr std::size_t kMaxHeaderValueBytes = 1024;
constexpr std::size_t kMaxHeaders = 32;
constexpr std::size_t kMaxTelegramText = 4096;
constexpr std::size_t kShownBytes = 60;   // of a wrong header name
constexpr std::int64_t kMaxAgeSeconds = 30LL * 24 * 3600;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::unexpected<Error> wrong(std::string_view member, std::string text) {
  return fail(Code::invalid, fmt::format("config.{}", member), std::move(text));
}

// A member's own error, placed under `config`.
template <class T>
std::unexpected<Error> placed(Result<T>& result) {
  return fail(Code::invalid, "config." + result.error().field, result.error().text);
}

// A URL's text with `value` for each placeholder, as the sender takes it apart.
Result<net::Url> parse_sample(const std::string& url, std::string_view value) {
  return net::parse_url(fill_placeholders(url, value));
}

Result<void> check_url_template(const std::string& url) {
  if (url.size() > kMaxUrlBytes) return wrong("url", fmt::format("must have at most {} characters", kMaxUrlBytes));
  const std::string start = lower(url.substr(0, 8));
  const bool https = start == "https://";
  if (!https && !start.starts_with("http://")) return wrong("url", "must start with https:// or http://");
  const std::size_t host = https ? 8 : 7;
  const std::size_t end = std::min(url.find_first_of("/?#", host), url.size());
  if (url.substr(host, end - host).find("{{") != std::string::npos)
    return wrong("url", "must have a literal host and port: placeholders belong behind them");
  if (auto checked = check_template(url); !checked) return wrong("url", checked.error().text);
  // Whatever stands for the placeholders: nothing, or a letter, which after a `%` is no escape.
  for (const std::string_view value : {"", "x"}) {
    if (auto parsed = parse_sample(url, value); !parsed) return wrong("url", parsed.error().text);
  }
  return {};
}

// `url` has passed the check above.
Result<void> check_receiver(const std::string& url, std::string_view member, const net::AddressGuard& guard) {
  const auto parsed = parse_sample(url, "");
  if (!parsed) return wrong(member, parsed.error().text);
  const auto allowed = guard.check_name(parsed->scheme, parsed->host, parsed->port);
  if (!allowed) return wrong(member, allowed.error().text);
  return {};
}

Result<void> check_header(const std::string& name, const std::string& value) {
  constexpr std::string_view kOurs[] = {"host",
                                        "content-length",
                                        "transfer-encoding",
                                        "connection",
                                        "webhook-id",
                                        "webhook-timestamp",
                                        "webhook-signature",
                                        "te",
                                        "trailer",
                                        "upgrade",
                                        "expect"};
  const auto is_token = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  };
  const auto is_control = [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; };
  if (name.empty() || name.size() > 128 || !std::all_of(name.begin(), name.end(), is_token))
    return wrong("headers", fmt::format("\"{}\" is not a header name", cut_text(name, kShownBytes)));
  if (std::find(std::begin(kOurs), std::end(kOurs), lower(name)) != std::end(kOurs))
    return wrong("headers", fmt::format("{} is set by AgentAuri", name));
  if (value.size() > kMaxHeaderValueBytes)
    return wrong("headers", fmt::format("the value of {} has more than {} bytes", name, kMaxHeaderValueBytes));
  if (std::any_of(value.begin(), value.end(), is_control))
    return wrong("headers", fmt::format("the value of {} holds a control character", name));
  if (auto checked = check_template(value); !checked)
    return wrong("headers", fmt::format("{}: {}", name, checked.error().text));
  return {};
}

Result<void> read_headers(const json::Object& config, WebhookConfig& out) {
  auto headers = json::optional_object(config, "headers");
  if (!headers) return placed(headers);
  if (!*headers) return {};
  if ((**headers)->size() > kMaxHeaders)
    return wrong("headers", fmt::format("must have at most {} members", kMaxHeaders));
  const json::Value clear = in_clear_sizes(***headers);
  for (const auto& header : ***headers) {
    const std::string name(header.key());
    if (!header.value().is_string()) return wrong("headers", fmt::format("{} must be a string", name));
    const std::string checked_value(json::view(clear.at(header.key()).get_string()));
    if (auto checked = check_header(name, checked_value); !checked) return checked;
    out.headers.emplace_back(name, json::view(header.value().get_string()));
  }
  return {};
}

Result<void> read_timeout(const json::Object& config, WebhookConfig& out) {
  auto ms = json::optional_int(config, "timeout_ms", 1000, 300'000);
  if (!ms) return placed(ms);
  auto seconds = json::optional_int(config, "timeout_seconds", 1, 300);
  if (!seconds) return placed(seconds);
  if (*ms)
    out.timeout = std::chrono::milliseconds(**ms);
  else if (*seconds)
    out.timeout = std::chrono::seconds(**seconds);
  return {};
}

Result<void> read_expected(const json::Object& config, WebhookConfig& out) {
  auto codes = json::optional_array(config, "expected_status_codes");
  if (!codes) return placed(codes);
  if (!*codes) return {};
  for (const auto& code : ***codes) {
    if (!code.is_int64() || code.get_int64() < 200 || code.get_int64() > 599)
      return wrong("expected_status_codes", "must be a list of numbers from 200 to 599");
    out.expected_status_codes.push_back(static_cast<int>(code.get_int64()));
  }
  return {};
}

// A number, `-100123` also as text, or `@name`.
bool is_telegram_chat(const json::Value& chat) {
  if (chat.is_int64()) return true;
  if (!chat.is_string()) return false;
  const std::string_view text = json::view(chat.get_string());
  const auto is_name = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  if (text.starts_with('@')) return text.size() > 1 && std::all_of(text.begin() + 1, text.end(), is_name);
  return integer_value(text, INT64_MIN, INT64_MAX).has_value();
}

Result<void> check_telegram(const json::Object& config) {
  const auto* chat = json::find(config, config.contains("chat_id") ? "chat_id" : "chatId");
  if (chat == nullptr || !is_telegram_chat(*chat)) return wrong("chat_id", "must be a chat's number or @name");
  auto given = json::optional_string(config, config.contains("message_template") ? "message_template" : "message");
  if (!given) return wrong("message_template", "must be a string");
  const std::string text = given->value_or(std::string(kDefaultTelegramMessage));
  if (text.empty() || text.size() > kMaxTelegramText)
    return wrong("message_template", fmt::format("must have 1 to {} bytes", kMaxTelegramText));
  if (auto checked = check_template(text); !checked) return wrong("message_template", checked.error().text);
  auto mode = json::optional_string(config, "parse_mode");
  if (!mode) return placed(mode);
  return {};
}

Result<void> check_mcp(const json::Object& config, const net::AddressGuard& guard) {
  auto url = json::optional_string(config, "server_url");
  if (!url) return placed(url);
  auto resolve = json::optional_bool(config, "resolve_endpoint");
  if (!resolve) return placed(resolve);
  if (!*url && !resolve->value_or(false)) return wrong("server_url", "must be given, unless resolve_endpoint is true");
  if (*url) {
    if (auto checked = check_url_template(**url); !checked)
      return fail(Code::invalid, "config.server_url", checked.error().text);
    if ((*url)->find("{{") != std::string::npos) return wrong("server_url", "takes no placeholders");
    if (auto allowed = check_receiver(**url, "server_url", guard); !allowed) return allowed;
  }
  auto tool = json::required_string(config, "tool_name");
  if (!tool) return wrong("tool_name", "must be a string");
  const auto is_name = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '/' || c == '.';
  };
  if (tool->empty() || tool->size() > 256 || !std::all_of(tool->begin(), tool->end(), is_name))
    return wrong("tool_name", "must have 1 to 256 letters, digits and _ - / .");
  for (const char* member : {"arguments_template", "payload_template"}) {
    if (const auto* value = json::find(config, member)) {
      if (auto checked = check_json_template(in_clear_sizes(*value)); !checked)
        return wrong(member, checked.error().text);
    }
  }
  auto timeout = json::optional_int(config, "timeout_ms", 1, 300'000);
  if (!timeout) return placed(timeout);
  return {};
}

json::Object default_payload(const json::Object& data) {
  json::Object event;
  const auto copy = [&](std::string_view name, std::string_view from) {
    if (const auto* value = json::find(data, from)) event[name] = *value;
  };
  copy("id", "event_id");
  copy("event_type", "event_type");
  copy("chain_id", "chain_id");
  copy("chain_name", "chain_name");
  copy("seq", "seq");
  copy("block_number", "block_number");
  std::string block_time;
  if (const auto* seconds = json::find(data, "timestamp"); seconds != nullptr && seconds->is_int64())
    block_time = to_rfc3339(from_unix_seconds(seconds->get_int64()));
  event["block_timestamp"] = block_time;
  copy("transaction_hash", "transaction_hash");
  copy("log_index", "log_index");
  copy("contract_address", "contract_address");
  json::Object fields;
  for (const auto& member : data) {
    if (!member.value().is_null()) fields[member.key()] = member.value();
  }
  event["data"] = std::move(fields);
  json::Object out;
  if (const auto* id = json::find(data, "trigger_id")) out["trigger_id"] = *id;
  if (const auto* name = json::find(data, "trigger_name")) out["trigger_name"] = *name;
  out["event"] = std::move(event);
  out["timestamp"] = block_time;
  return out;
}

}   // namespace

Result<WebhookConfig> parse_webhook_config(const json::Object& config) {
  WebhookConfig out;
  auto method = json::optional_string(config, "method");
  if (!method) return placed(method);
  if (*method) {
    out.method = **method;
    std::transform(out.method.begin(), out.method.end(), out.method.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    constexpr std::string_view kMethods[] = {"GET", "POST", "PUT", "DELETE", "PATCH"};
    if (std::find(std::begin(kMethods), std::end(kMethods), out.method) == std::end(kMethods))
      return wrong("method", "must be GET, POST, PUT, DELETE or PATCH");
  }
  auto url = json::required_string(config, "url");
  if (!url) return wrong("url", "must be a string");
  if (auto checked = check_url_template(*url); !checked) return fail(checked);
  out.url = std::move(*url);
  if (auto read = read_headers(config, out); !read) return fail(read);
  for (const char* member : {"body", "body_template"}) {
    const auto* body = json::find(config, member);
    if (body == nullptr || body->is_null() || out.body) continue;
    const json::Value clear = in_clear_sizes(*body);
    if (auto checked = check_json_template(clear); !checked) return wrong(member, checked.error().text);
    out.body = *body;
    out.sealed_bytes = json::dump(*body).size() - json::dump(clear).size();
  }
  if (auto read = read_timeout(config, out); !read) return fail(read);
  if (auto read = read_expected(config, out); !read) return fail(read);
  auto retries = json::optional_int(config, "retry_count", 0, 10);
  if (!retries) return placed(retries);
  if (*retries) out.retry_count = static_cast<int>(**retries);
  auto age = json::optional_int(config, "max_age_seconds", 1, kMaxAgeSeconds);
  if (!age) return placed(age);
  if (*age) out.max_age = std::chrono::seconds(**age);
  auto secret = json::optional_string(config, "secret");
  if (!secret) return placed(secret);
  out.secret = std::move(*secret);
  auto legacy = json::optional_bool(config, "legacy_json_coercion");
  if (!legacy) return placed(legacy);
  out.legacy_json_coercion = legacy->value_or(false);
  return out;
}

Result<void> check_action(domain::ActionType type, const json::Object& config, const net::AddressGuard& guard,
                          std::vector<Warning>* warnings) {
  switch (type) {
    case domain::ActionType::rest: {
      auto parsed = parse_webhook_config(config);
      if (!parsed) return fail(parsed);
      if (auto allowed = check_receiver(parsed->url, "url", guard); !allowed) return allowed;
      if (warnings != nullptr && lower(parsed->url.substr(0, 5)) == "http:")
        warnings->push_back(
            {"config.url", "plain_http", "the URL is not https: anybody on the way can read what is sent"});
      return {};
    }
    case domain::ActionType::telegram:
      return check_telegram(config);
    case domain::ActionType::mcp:
      return check_mcp(config, guard);
  }
  return {};
}

Result<std::string> render_webhook_body(const WebhookConfig& config, const json::Object& event_data) {
  if (config.method != "POST" && config.method != "PUT" && config.method != "PATCH") return std::string();
  if (!config.body) {
    std::string text = json::dump(default_payload(event_data));
    if (text.size() > kMaxRenderedBytes)
      return fail(Code::too_large, fmt::format("the body is longer than {} bytes", kMaxRenderedBytes));
    return text;
  }
  auto rendered =
      render_json(*config.body, event_data, config.legacy_json_coercion, kMaxRenderedBytes + config.sealed_bytes);
  if (!rendered) return fail(rendered);
  return json::dump(*rendered);
}

Result<std::string> render_webhook_url(const WebhookConfig& config, const json::Object& event_data) {
  return render_text(config.url, event_data, Escape::url_component, kMaxUrlBytes);
}

Result<std::string> render_webhook_header(std::string_view value, const json::Object& event_data) {
  return render_text(value, event_data, Escape::http_header, kMaxHeaderValueBytes);
}

Result<std::string> webhook_endpoint(const WebhookConfig& config) {
  const auto parsed = parse_sample(config.url, "");
  if (!parsed) return wrong("url", parsed.error().text);
  return parsed->endpoint();
}

}   // namespace agentauri::rules
