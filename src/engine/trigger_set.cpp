#include "engine/trigger_set.hpp"

#include <algorithm>

#include "rules/circuit_breaker.hpp"
#include "rules/condition_types.hpp"

namespace agentauri::engine {
namespace {

constexpr std::int64_t kPage = 500;

}   // namespace

Result<void> TriggerSet::load(store::Database& db, int shard) {
  auto target = db.snapshot_blocking<std::int64_t>([shard](store::Tx& tx) -> Result<std::int64_t> {
    auto adopted = store::adopted_revision(tx, shard);
    if (!adopted) return fail(adopted);
    if (*adopted) return **adopted;
    return store::newest_revision(tx);
  });
  if (!target) return fail(target);
  index_ = TriggerIndex();
  aftermath_ = {};
  domain::TriggerId after{};
  for (;;) {
    // Revisions never change: pages of different snapshots fit together.
    auto page = db.snapshot_blocking<std::vector<store::Revision>>(
        [&](store::Tx& tx) { return store::read_triggers_at(tx, *target, after, kPage); });
    if (!page) return fail(page);
    for (auto& revision : *page) {
      after = revision.trigger.id;
      if (revision.fault) {
        aftermath_.faults[after] = std::move(*revision.fault);
      } else {
        put(std::move(revision.trigger));
      }
    }
    if (page->size() < static_cast<std::size_t>(kPage)) break;
  }
  revision_ = *target;
  loaded_ = true;
  log_.info("triggers loaded", {{"triggers", static_cast<std::uint64_t>(index_.size())}, {"revision", revision_}});
  return {};
}

Result<void> TriggerSet::adopt(store::Tx& tx) {
  for (;;) {
    auto page = store::read_revisions(tx, revision_, kPage);
    if (!page) return fail(page);
    for (auto& revision : *page) {
      const std::int64_t number = revision.revision;
      apply(std::move(revision));
      revision_ = number;
    }
    if (page->size() < static_cast<std::size_t>(kPage)) return {};
  }
}

void TriggerSet::apply(store::Revision revision) {
  const auto id = revision.trigger.id;
  if (revision.deleted || revision.fault) {
    index_.remove(id);
    if (revision.deleted) {
      aftermath_.deleted.push_back(id);
      aftermath_.faults.erase(id);
    } else {
      log_.error("a trigger's revision cannot be read: it does not fire", {{"trigger_id", to_string(id)}});
      aftermath_.faults[id] = std::move(*revision.fault);
    }
    return;
  }
  if (const auto before = index_.find(id)) note_removed_parts(*before, revision.trigger);
  aftermath_.edited.push_back(id);
  aftermath_.faults.erase(id);
  put(std::move(revision.trigger));
}

void TriggerSet::note_removed_parts(const rules::CompiledTrigger& before, const domain::Trigger& after) {
  if (before.trigger.breaker.revision != after.breaker.revision) {
    aftermath_.gone_conditions.push_back({after.id, rules::kBreakerCondition, before.trigger.breaker.revision});
  }
  for (const auto& condition : before.conditions) {
    const auto same = [&](const domain::Condition& c) {
      return c.id == condition->id && c.revision == condition->revision;
    };
    if (!condition->is_stateful() || std::any_of(after.conditions.begin(), after.conditions.end(), same)) continue;
    aftermath_.gone_conditions.push_back({after.id, condition->id, condition->revision});
  }
  for (const auto& action : before.trigger.actions) {
    const auto same = [&](const domain::Action& a) { return a.id == action.id; };
    if (std::any_of(after.actions.begin(), after.actions.end(), same)) continue;
    aftermath_.deleted_actions.emplace_back(after.id, action.id);
  }
}

void TriggerSet::put(domain::Trigger trigger) {
  auto compiled = rules::compile_stored(std::move(trigger));
  // Their compiled forms are all that is needed here, and there may be a million.
  compiled.trigger.conditions = {};
  compiled.trigger.description.reset();
  index_.put(std::make_shared<const rules::CompiledTrigger>(std::move(compiled)));
}

bool TriggerSet::knows(const store::StateRow& row) const {
  const auto trigger = index_.find(row.trigger);
  if (!trigger) return false;
  if (row.condition == rules::kBreakerCondition) return row.condition_rev == trigger->trigger.breaker.revision;
  return std::any_of(trigger->conditions.begin(), trigger->conditions.end(), [&row](const auto& condition) {
    return condition->id == row.condition && condition->revision == row.condition_rev;
  });
}

}   // namespace agentauri::engine
