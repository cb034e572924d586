// Which triggers can match an event, without asking each: hashed by chain, registry, event type and agent, then by score
// bounds in order. The cost of a look-up grows with what it returns.
//
// Used by the engine's thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "domain/event.hpp"
#include "rules/evaluate.hpp"

namespace agentauri::engine {

using TriggerPtr = std::shared_ptr<const rules::CompiledTrigger>;

class TriggerIndex {
 public:
  // Adds a trigger, or replaces the one with its id. Disabled triggers are known but never returned.
  void put(TriggerPtr trigger);
  void remove(domain::TriggerId id);
  std::size_t size() const { return triggers_.size(); }
  TriggerPtr find(domain::TriggerId id) const;

  // Triggers that may match, by (created_at, id): complete, no cap.
  std::vector<TriggerPtr> candidates(const domain::Event& event) const;

 private:
  // Triggers of one place, by the kind of bound on the score that they set.
  struct Bucket {
    std::vector<TriggerPtr> unbounded;
    std::multimap<int128, TriggerPtr> below;   // fires for scores up to the key
    std::multimap<int128, TriggerPtr> above;   // fires for scores from the key on
    bool empty() const { return unbounded.empty() && below.empty() && above.empty(); }
  };
  struct Place {
    domain::ChainId chain = 0;       // kAnyChain: every chain
    std::uint8_t registry = 0;
    std::string event_type;          // empty: any
    std::optional<Uint256> agent;    // nullopt: any
    bool operator==(const Place&) const = default;
  };
  struct PlaceHash {
    std::size_t operator()(const Place& place) const;
  };
  struct Entry {
    TriggerPtr trigger;
    std::vector<Place> places;
  };

  static std::vector<Place> places_of(const rules::CompiledTrigger& trigger, const rules::Selector& selector);
  void collect(const Place& place, const domain::Event& event, std::vector<TriggerPtr>& out) const;

  std::unordered_map<domain::TriggerId, Entry> triggers_;
  std::unordered_map<Place, Bucket, PlaceHash> buckets_;
};

}  // namespace agentauri::engine
