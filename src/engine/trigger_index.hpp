// Which triggers can match an event, without asking each: hashed by chain, registry, event type and agent, then by
// score bounds in order. The cost of a look-up grows with what it returns; an edit costs a logarithm.
//
// Used by one thread at a time.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <set>
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

  // Triggers that may match, by (created_at, id): complete, no cap. Good until the next call or edit.
  const std::vector<const rules::CompiledTrigger*>& candidates(const domain::Event& event);

 private:
  struct Place {
    domain::ChainId chain = 0;   // kAnyChain: every chain
    std::uint32_t type = 0;      // number of the event type; 0: any
    std::uint8_t registry = 0;
    bool has_agent = false;   // else any
    Uint256 agent{};
    bool operator==(const Place&) const = default;
  };
  struct PlaceHash {
    std::size_t operator()(const Place& place) const;
  };

  // The scores that a trigger can fire for. A bound on the score needs a score.
  struct Scores {
    std::int32_t lowest = std::numeric_limits<std::int32_t>::min();
    std::int32_t highest = std::numeric_limits<std::int32_t>::max();
    bool bounded = false;
  };
  // Where in its place a trigger stands. Bounded from both sides, it is found by the bound that turns more events away.
  enum class Kind : std::uint8_t { unbounded, exact, by_highest, by_lowest };
  struct Item {
    Kind kind = Kind::unbounded;
    std::int32_t key = 0;   // the score that it is ordered by
    Time created_at;
    domain::TriggerId id;
    Scores scores;
    const rules::CompiledTrigger* trigger = nullptr;
    bool operator<(const Item& other) const;
  };
  using Bucket = std::set<Item>;
  struct Found {
    Time created_at;
    domain::TriggerId id;
    const rules::CompiledTrigger* trigger;
    bool operator<(const Found& other) const;
  };

  static std::optional<Scores> scores_of(const rules::Selector& selector);
  static Item item_of(const rules::CompiledTrigger& trigger, const Scores& scores);
  std::vector<Place> places_of(const rules::CompiledTrigger& trigger, const rules::Selector& selector);
  std::uint32_t number_of(const std::string& event_type);
  void collect(const Place& place, const domain::Event& event, Time born_before);

  std::unordered_map<domain::TriggerId, TriggerPtr> triggers_;
  std::unordered_map<Place, Bucket, PlaceHash> buckets_;
  std::unordered_map<std::string, std::uint32_t> types_;   // from 1; never shrinks: as many as users ever named
  std::vector<Found> found_;
  std::vector<const rules::CompiledTrigger*> out_;
};

}   // namespace agentauri::engine
