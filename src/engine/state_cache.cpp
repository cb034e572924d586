#include "engine/state_cache.hpp"

#include <string>

namespace agentauri::engine {
namespace {

constexpr std::size_t kEntryBytes = 400;   // of nodes, both copies of the key and the hash table's slot

}   // namespace

std::size_t StateCache::RowHash::operator()(const store::StateRow& row) const {
  std::size_t hash = std::hash<domain::TriggerId>{}(row.trigger);
  const auto mix = [&hash](std::size_t more) { hash ^= more + 0x9e3779b97f4a7c15 + (hash << 6) + (hash >> 2); };
  mix(static_cast<std::size_t>(row.condition));
  mix(static_cast<std::size_t>(row.condition_rev));
  mix(static_cast<std::size_t>(row.chain));
  mix(std::hash<std::string>{}(row.key));
  return hash;
}

std::size_t StateCache::size_of(const Entry& entry) {
  return kEntryBytes + 2 * entry.row.key.size() + (entry.value ? entry.value->state.size() : 0);
}

const std::optional<store::StateValue>* StateCache::find(const store::StateRow& row) {
  const auto found = places_.find(row);
  if (found == places_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return &found->second->value;
}

void StateCache::put(const store::StateRow& row, std::optional<store::StateValue> value) {
  if (const auto found = places_.find(row); found != places_.end()) {
    bytes_ -= size_of(*found->second);
    found->second->value = std::move(value);
    entries_.splice(entries_.begin(), entries_, found->second);
  } else {
    entries_.push_front({row, std::move(value)});
    places_.emplace(row, entries_.begin());
  }
  bytes_ += size_of(entries_.front());
  while (bytes_ > max_bytes_ && !entries_.empty()) {
    bytes_ -= size_of(entries_.back());
    places_.erase(entries_.back().row);
    entries_.pop_back();
  }
}

void StateCache::clear() {
  entries_.clear();
  places_.clear();
  bytes_ = 0;
}

}   // namespace agentauri::engine
