#include "delivery/channels/webhook.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/json/json.hpp"
#include "delivery/redaction.hpp"
#include "delivery/standard_webhooks.hpp"
#include "rules/action_config.hpp"
#include "rules/action_secrets.hpp"

namespace agentauri::delivery {
namespace {

constexpr std::size_t kMaxAnswerBytes = 64 * 1024;
constexpr std::size_t kMaxExcerptBytes = 500;
constexpr auto kConnectTimeout = std::chrono::seconds(5);
constexpr std::string_view kUserAgent = "AgentAuri/1.0 (+https://agentauri.ai)";

AttemptEnd refused(std::string text) {
  AttemptEnd end;
  end.outcome = domain::Outcome::refused;
  end.excerpt = std::move(text);
  return end;
}

// What is stored encrypted, in clear.
struct Opened {
  json::Object config;
  std::vector<std::string> signing_secrets;
};

struct Prepared {
  net::ClientRequest request;
  rules::WebhookConfig config;
  Redaction redaction;   // of the secrets that leave with it
};

Result<std::vector<std::string>> signing_secrets(const store::ClaimedJob& job, const crypto::DataKeys& keys, Time now) {
  std::vector<std::string> out;
  const auto add = [&](const std::optional<std::string>& stored) -> Result<void> {
    if (!stored) return {};
    auto plain = keys.decrypt(*stored, rules::signing_secret_aad(job.action_id));
    if (!plain) return fail(plain);
    out.push_back(std::move(*plain));
    return {};
  };
  if (auto added = add(job.signing_secret); !added) return fail(added);
  if (job.previous_expires_at && *job.previous_expires_at > now) {
    if (auto added = add(job.previous_signing_secret); !added) return fail(added);
  }
  return out;
}

// Secrets of the body had placeholders in them: what leaves is not what the configuration says.
void redact_body(const std::string& body, Redaction& redaction) {
  const auto parsed = json::parse(body);
  if (!parsed) return;
  for (const auto& secret : rules::secret_texts(*parsed)) redaction.add(secret);
}

// Fails for one reason only: the data keys are not those that these values were encrypted with.
Result<Opened> open(json::Object stored, const store::ClaimedJob& job, const crypto::DataKeys& keys, Time now) {
  auto config = rules::decrypt_config(std::move(stored), job.action_id, keys);
  if (!config) return fail(config);
  auto secrets = signing_secrets(job, keys, now);
  if (!secrets) return fail(secrets);
  return Opened{std::move(*config), std::move(*secrets)};
}

// Everything that can be wrong with an action before a byte leaves.
Result<Prepared> prepare(Opened opened, const store::ClaimedJob& job, const crypto::DataKeys& keys, Time now) {
  auto config = rules::parse_webhook_config(opened.config);
  if (!config) return fail(config);
  auto data = json::parse(job.event_data);
  if (!data || !data->is_object()) return fail(Code::corrupt, "the job's event data cannot be read");
  auto url = rules::render_webhook_url(*config, data->get_object());
  if (!url) return fail(url);
  auto parsed = net::parse_url(*url);
  if (!parsed) return fail(parsed);

  Prepared out;
  out.config = std::move(*config);
  for (const auto& secret : rules::secret_texts(json::Value(std::move(opened.config)))) out.redaction.add(secret);
  auto& request = out.request;
  request.method = out.config.method;
  request.url = std::move(*parsed);
  auto body = rules::open_body(job.body.value_or(""), job.action_id, keys, data->get_object());
  if (!body) return fail(body);
  request.body = std::move(*body);
  if (request.body != job.body) redact_body(request.body, out.redaction);
  request.timeout = out.config.timeout;
  request.connect_timeout = kConnectTimeout;
  request.max_body_bytes = kMaxAnswerBytes;
  const std::string id = to_hex(job.id.view());
  const std::int64_t timestamp = to_unix_seconds(now);
  auto& headers = request.headers;
  if (!request.body.empty()) headers.set("Content-Type", "application/json");
  headers.set("User-Agent", std::string(kUserAgent));
  for (const auto& [name, value] : out.config.headers) {
    auto rendered = rules::render_webhook_header(value, data->get_object());
    if (!rendered) return fail(rendered);
    if (rules::is_secret_member(name)) out.redaction.add(*rendered);
    headers.set(name, std::move(*rendered));
  }
  headers.set("webhook-id", id);
  headers.set("webhook-timestamp", std::to_string(timestamp));
  if (!opened.signing_secrets.empty()) {
    auto signature = sign_webhook(opened.signing_secrets, id, timestamp, request.body);
    if (!signature) return fail(signature);
    headers.set("webhook-signature", std::move(*signature));
  }
  headers.set("X-AgentAuri-Trigger-Id", to_string(job.trigger_id));
  headers.set("X-AgentAuri-Event-Id", job.event_id);
  headers.set("X-AgentAuri-Delivery-Id", id);
  headers.set("X-AgentAuri-Attempt", std::to_string(job.attempt));
  headers.set("X-AgentAuri-Timestamp", std::to_string(timestamp));
  if (job.kind == domain::kTestKind) headers.set("X-AgentAuri-Test", "true");
  headers.set("X-Request-ID", job.request_id);
  if (out.config.secret) headers.set("X-AgentAuri-Signature", sign_legacy(*out.config.secret, request.body));
  return out;
}

AttemptEnd classify_error(const net::ClientError& error) {
  using Kind = net::ClientError::Kind;
  AttemptEnd end;
  end.excerpt = fmt::format("{}: {}", net::to_string(error.kind), error.text);
  // What the guard refuses, and a request that cannot be sent at all: trying again changes nothing.
  if (error.kind == Kind::refused || (error.kind == Kind::protocol && !error.sent)) {
    end.outcome = domain::Outcome::refused;
    return end;
  }
  end.outcome = error.sent ? domain::Outcome::unknown : domain::Outcome::network;
  end.retryable = true;
  end.no_such_host = error.kind == Kind::no_such_host;
  end.interrupted = error.kind == Kind::cancelled;
  return end;
}

}   // namespace

AttemptEnd WebhookChannel::unreadable(const store::ClaimedJob& job, const Error& why) const {
  log_.error("an alert waits: a secret of its action does not decrypt with the configured data keys",
             {{"request_id", job.request_id},
              {"job_id", to_hex(job.id.view())},
              {"action_id", job.action_id},
              {"why", why.text}});
  AttemptEnd end = refused("a secret of the action does not decrypt with the configured data keys");
  end.unreadable = true;
  return end;
}

Task<Sent> WebhookChannel::send(const store::ClaimedJob& job, Time now) {
  auto stored = json::parse(job.action_config);
  if (!stored || !stored->is_object())
    co_return Sent{refused("the action's configuration cannot be read"), std::nullopt};
  auto opened = open(std::move(stored->get_object()), job, keys_, now);
  if (!opened) co_return Sent{unreadable(job, opened.error()), std::nullopt};
  auto prepared = prepare(std::move(*opened), job, keys_, now);
  if (!prepared) co_return Sent{refused(prepared.error().text), std::nullopt};
  const auto expected = prepared->config.expected_status_codes;
  const auto retry_count = prepared->config.retry_count;
  const auto redaction = std::move(prepared->redaction);
  auto answer = co_await client_.send(std::move(prepared->request));
  if (!answer) {
    AttemptEnd end = classify_error(answer.error());
    end.excerpt = redaction.excerpt(end.excerpt, kMaxExcerptBytes);
    co_return Sent{std::move(end), retry_count};
  }
  AttemptEnd end = classify_status(answer->status, expected);
  end.excerpt = redaction.excerpt(answer->body, kMaxExcerptBytes);
  if (const auto* after = answer->headers.find("Retry-After")) end.retry_after = parse_retry_after(*after, now);
  co_return Sent{std::move(end), retry_count};
}

}   // namespace agentauri::delivery
