#include "engine/alert_jobs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "rules/event_data.hpp"

namespace agentauri::engine {
namespace {

constexpr std::size_t kMaxReasonBytes = 300;
constexpr std::size_t kRequestIdDigits = 24;   // of the job's id: enough to find it, short enough to read

}   // namespace

std::string clipped(std::string text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) --bytes;
  text.resize(bytes);
  return text;
}

std::string plain(std::string_view text) {
  std::string out(text.substr(0, kMaxReasonBytes));
  std::replace_if(out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return out;
}

const Result<rules::WebhookConfig>& AlertJobs::webhook(const domain::Action& action) {
  if (const auto known = webhooks_.find(action.id); known != webhooks_.end()) return known->second;
  const auto config = json::parse(action.config);
  Result<rules::WebhookConfig> read = fail(Code::corrupt, "the action's configuration cannot be read");
  if (config && config->is_object()) read = rules::parse_webhook_config(config->get_object());
  return webhooks_.emplace(action.id, std::move(read)).first->second;
}

void AlertJobs::fill_webhook(store::NewJob& job, const domain::Action& action, const json::Object& data) {
  const auto& config = webhook(action);
  auto body = config ? rules::render_webhook_body(*config, data) : Result<std::string>(std::unexpected(config.error()));
  if (!body) {
    job.dead_reason = clipped(fmt::format("the body could not be made: {}", body.error().text), kMaxReasonBytes);
    return;
  }
  job.body = std::move(*body);
  if (auto endpoint = rules::webhook_endpoint(*config)) job.endpoint = std::move(*endpoint);
  if (config->max_age) job.expires_at = now_ + *config->max_age;
}

std::vector<store::NewJob> AlertJobs::make(const domain::Event& event, const domain::Trigger& trigger,
                                           const rules::Evaluation& evaluation, std::int64_t seq) {
  const auto name = settings_.chain_names.find(event.chain_id);
  const std::string chain_name =
      name == settings_.chain_names.end() ? fmt::format("chain {}", event.chain_id) : name->second;
  const auto data = rules::event_data(event, trigger, evaluation, chain_name, seq);
  const std::string data_text = json::dump(data);
  const std::string explanation = rules::explanation_json(evaluation);
  const auto usual = settings_.confirmations.find(event.chain_id);
  std::uint64_t confirmations = usual == settings_.confirmations.end() ? 0 : usual->second;
  if (trigger.min_confirmations) confirmations = static_cast<std::uint64_t>(std::max(*trigger.min_confirmations, 0));

  std::vector<store::NewJob> out;
  for (const auto& action : trigger.actions) {
    store::NewJob job;
    job.id = domain::occurrence_id(event, trigger.id, action.id);
    job.organization_id = trigger.organization_id;
    job.trigger_id = trigger.id;
    job.action_id = action.id;
    job.action_type = action.type;
    job.priority = action.priority;
    job.chain_id = event.chain_id;
    job.block_num = event.block_num;
    job.block_hash = event.block_hash;
    job.seq = seq;
    if (confirmations > 0) job.hold_until_block = event.block_num + confirmations;
    job.event_id = domain::event_id(event);
    job.event_data = data_text;
    job.explanation = explanation;
    job.request_id = "job-" + to_hex(job.id.view()).substr(0, kRequestIdDigits);
    if (action.type == domain::ActionType::rest) fill_webhook(job, action, data);
    out.push_back(std::move(job));
  }
  return out;
}

}   // namespace agentauri::engine
