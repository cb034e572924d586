// The jobs that a match makes: one for each action, with the body as it is now.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/settings.hpp"
#include "rules/action_config.hpp"
#include "rules/evaluate.hpp"
#include "store/jobs.hpp"

namespace agentauri::engine {

// UTF-8 text of at most `bytes` bytes, no character cut in two.
std::string clipped(std::string text, std::size_t bytes);
// What an exception or a driver says, as ASCII of at most 300 characters: it may hold anything.
std::string plain(std::string_view text);

// Of one batch: configurations do not change within it and are read once.
class AlertJobs {
 public:
  AlertJobs(const EngineSettings& settings, Time now) : settings_(settings), now_(now) {}

  // `evaluation` explains the match. A job that wants confirmations names the block that it waits for, whether or not
  // the chain is there already: that is decided where it is stored.
  std::vector<store::NewJob> make(const domain::Event& event, const domain::Trigger& trigger,
                                  const rules::Evaluation& evaluation, std::int64_t seq);

 private:
  const Result<rules::WebhookConfig>& webhook(const domain::Action& action);
  void fill_webhook(store::NewJob& job, const domain::Action& action, const json::Object& data);

  const EngineSettings& settings_;
  Time now_;
  std::map<domain::ActionId, Result<rules::WebhookConfig>> webhooks_;
};

}   // namespace agentauri::engine
