// Dead deliveries of a trigger: shown, sent again, put away. Tests (kind `test`) are none: they are made anew instead.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/database.hpp"
#include "store/jobs.hpp"

namespace agentauri::store {

// The last to die first.
Result<DeliveryPage> list_dead_jobs(Tx& tx, domain::TriggerId trigger, std::int64_t limit, std::int64_t offset);

// What decides whether a job can be sent again.
struct DeadJob {
  domain::JobId id;
  domain::ActionId action_id = 0;
  domain::ActionType action_type = domain::ActionType::rest;
  std::string state;       // `dead`, or what has become of it meanwhile
  bool orphaned = false;   // its block has left the chain
  std::int32_t attempts = 0;
  bool has_body = false;
  std::string event_data;
  // Of its action, as it is now:
  bool action_exists = false;
  std::optional<std::string> disabled_reason;
  std::string action_config;
};
// Nobody else changes these jobs until the transaction ends. `job`: that one, whatever its state.
Result<std::optional<DeadJob>> lock_job(Tx& tx, domain::TriggerId trigger, const domain::JobId& job);
// The dead ones of one event: one for each action at most.
Result<std::vector<DeadJob>> lock_dead_jobs_of(Tx& tx, domain::TriggerId trigger, const std::string& event_id);
// Dead ones that can be sent again as far as the store can tell (action there and not disabled, block part of the
// chain), the first to die first.
Result<std::vector<DeadJob>> lock_replayable_jobs(Tx& tx, domain::TriggerId trigger, std::int64_t limit);

// What is written of a job that is sent again: its id, event and attempts stay, and with an attempt its body.
struct Replay {
  domain::JobId job;
  std::optional<std::string> body, endpoint;   // of one that was never tried and has none
  std::string request_id = {};                 // of whoever sends it again; empty: it keeps its own
};
// Dead jobs become due at once, with the waits between attempts from the start and without an age limit; one that was
// never tried waits for its confirmations as it would have. Only what is dead is touched. Returns how many were.
Result<std::int64_t> replay_jobs(Tx& tx, const std::vector<Replay>& replays, Time now);
// It stays dead for a new reason, and goes to the end of the queue.
Result<void> set_dead_reason(Tx& tx, const domain::JobId& job, std::string_view reason, Time now);

// Dead jobs become `cancelled` with reason `purged`: they are a history from then on, and never sent. The rows stay, so
// that an event that is mined again makes no second alert. `job`: that one only. Returns how many; at most `limit`.
Result<std::int64_t> purge_dead_jobs(Tx& tx, domain::TriggerId trigger, const std::optional<domain::JobId>& job,
                                     const std::optional<std::string>& event_id, std::int64_t limit, Time now);
// How many dead ones are left, counted to kMaxCounted.
Result<std::int64_t> count_dead_jobs(Tx& tx, domain::TriggerId trigger);

}   // namespace agentauri::store
