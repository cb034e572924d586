// A job: one alert on its way to one action, identified by what happened on chain.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "domain/event.hpp"
#include "domain/ids.hpp"
#include "domain/trigger.hpp"

namespace agentauri::domain {

// What a job is about: an event that a trigger matched, or somebody who tries an action out.
inline constexpr std::string_view kAlertKind = "alert", kTestKind = "test";

enum class JobState : std::uint8_t { held, pending, leased, succeeded, dead, cancelled, expired };
std::string_view to_string(JobState state);
std::optional<JobState> parse_job_state(std::string_view text);

// What became of one attempt. `unknown`: bytes left and no answer came; also what a crashed worker leaves behind.
enum class Outcome : std::uint8_t { ok, refused, network, http, unknown };
std::string_view to_string(Outcome outcome);
std::optional<Outcome> parse_outcome(std::string_view text);

// SHA-256 over the occurrence: chain, transaction hash, contract, ordinal of the log among that contract's logs in that
// transaction, hash of the log's content, trigger, action, and for notices their kind and count. No block hash (a
// transaction mined again in another block is the same occurrence) and no trigger version.
JobId occurrence_id(const Event& event, TriggerId trigger, ActionId action, std::string_view kind = "alert",
                    std::uint32_t count = 0);
// Of a test: new each time (`nonce`), and by its beginning never that of an occurrence.
JobId test_job_id(TriggerId trigger, ActionId action, const Uuid& nonce);

}   // namespace agentauri::domain
