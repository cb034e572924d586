// The triggers as the engine knows them: compiled, indexed, at one revision, with what their edits entail in the store.
//
// Used by the thread that steps the engine, and inside the store bodies that it waits for.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/telemetry/log.hpp"
#include "engine/trigger_index.hpp"
#include "store/revisions.hpp"
#include "store/trigger_state.hpp"

namespace agentauri::engine {

// Owed to the store by the edits that were adopted; done by the next commit, which records the revision too. Doing it
// twice does no harm.
struct Aftermath {
  std::vector<domain::TriggerId> deleted;
  std::vector<std::pair<domain::TriggerId, domain::ActionId>> deleted_actions;
  std::vector<store::ConditionVersion> gone_conditions;
  std::vector<domain::TriggerId> edited;             // whatever error was recorded is out of date
  std::map<domain::TriggerId, std::string> faults;   // cannot be read, and so cannot fire

  bool empty() const {
    return deleted.empty() && deleted_actions.empty() && gone_conditions.empty() && edited.empty() && faults.empty();
  }
};

class TriggerSet {
 public:
  // As the last committed batch of the shard knew them; with no cursor yet, as they are now.
  Result<void> load(store::Database& db, int shard);
  bool loaded() const { return loaded_; }
  // Every revision that `tx` sees. Doing it again, also after a failure in the middle, does no harm.
  Result<void> adopt(store::Tx& tx);

  std::int64_t revision() const { return revision_; }
  TriggerIndex& index() { return index_; }
  // Whether the state belongs to a condition as it is today.
  bool knows(const store::StateRow& row) const;

  const Aftermath& aftermath() const { return aftermath_; }
  void settled() { aftermath_ = {}; }

 private:
  void put(domain::Trigger trigger);
  void apply(store::Revision revision);
  void note_removed_parts(const rules::CompiledTrigger& before, const domain::Trigger& after);

  TriggerIndex index_;
  std::int64_t revision_ = 0;
  bool loaded_ = false;
  Aftermath aftermath_;
  Log log_{"engine"};
};

}   // namespace agentauri::engine
