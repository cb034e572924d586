// event_data: the flat record that templates see and jobs keep (pipeline.md 7.2).
#pragma once

#include <optional>
#include <string>

#include "core/json/json.hpp"
#include "domain/event.hpp"
#include "domain/trigger.hpp"
#include "rules/evaluate.hpp"

namespace agentauri::rules {

// Of a text that somebody wrote to the chain, as JSON (an escape counts as long as it is); what is longer ends in
// `… [clipped: N bytes in full]`. The event itself keeps all of it. So event_data as a whole stays below 64 KiB, and
// nobody can make the alerts of others too large, or the engine's memory.
inline constexpr std::size_t kMaxChainTextBytes = 4096;

// Every key is always present, null when there is no value. Numbers above 2^53 - 1 are strings.
json::Object event_data(const domain::Event& event, const domain::Trigger& trigger, const Evaluation& evaluation,
                        std::string_view chain_name, std::int64_t seq);

}   // namespace agentauri::rules
