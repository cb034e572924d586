// Trigger revisions: every edit appends the whole trigger as the engine needs it, in one gap-free order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/trigger.hpp"
#include "store/database.hpp"

namespace agentauri::store {

struct Revision {
  std::int64_t revision = 0;
  bool deleted = false;
  domain::Trigger trigger;            // of a deleted one: its last form
  std::optional<std::string> fault;   // why the row cannot be read; then only trigger.id counts
};

// Draws the next revision inside the caller's transaction, which therefore also orders edits against each other.
Result<std::int64_t> append_revision(Tx& tx, const domain::Trigger& trigger, bool deleted, Time now);
// Revisions after `after`, in order. One that cannot be read does not stand in the way of the others.
Result<std::vector<Revision>> read_revisions(Tx& tx, std::int64_t after, std::int64_t limit);
// The newest revision of each trigger at or below `upto`, deleted ones left out; by (after) trigger id, in pages.
Result<std::vector<Revision>> read_triggers_at(Tx& tx, std::int64_t upto, domain::TriggerId after, std::int64_t limit);
Result<std::int64_t> newest_revision(Tx& tx);

std::string trigger_to_json(const domain::Trigger& trigger);
// Code::corrupt when the text is not what trigger_to_json writes.
Result<domain::Trigger> trigger_from_json(std::string_view text);

}   // namespace agentauri::store
