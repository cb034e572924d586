#include "engine/trigger_index.hpp"

#include <algorithm>

namespace agentauri::engine {
namespace {

constexpr domain::ChainId kAnyChain = -1;

// The greatest whole score that is below (or at) the bound, the least that is above (or at) it.
int128 greatest(const Decimal& bound, bool inclusive) {
  int128 score = round_half_away(bound);
  while (compare({score, 0}, bound) > 0 || (!inclusive && compare({score, 0}, bound) == 0)) --score;
  return score;
}
int128 least(const Decimal& bound, bool inclusive) {
  int128 score = round_half_away(bound);
  while (compare({score, 0}, bound) < 0 || (!inclusive && compare({score, 0}, bound) == 0)) ++score;
  return score;
}

template <class Map>
void erase_from(Map& map, int128 key, const TriggerPtr& trigger) {
  auto [first, last] = map.equal_range(key);
  for (; first != last; ++first) {
    if (first->second != trigger) continue;
    map.erase(first);
    return;
  }
}

}  // namespace

std::size_t TriggerIndex::PlaceHash::operator()(const Place& place) const {
  std::size_t hash = std::hash<std::string>{}(place.event_type);
  const auto mix = [&hash](std::size_t more) { hash ^= more + 0x9e3779b97f4a7c15 + (hash << 6) + (hash >> 2); };
  mix(static_cast<std::size_t>(place.chain));
  mix(place.registry);
  mix(place.agent ? std::hash<Uint256>{}(*place.agent) : 0);
  return hash;
}

std::vector<TriggerIndex::Place> TriggerIndex::places_of(const rules::CompiledTrigger& trigger, const rules::Selector& selector) {
  Place place;
  place.chain = trigger.trigger.chain_id.value_or(kAnyChain);
  place.registry = static_cast<std::uint8_t>(trigger.trigger.registry);
  place.agent = selector.agent_id;
  std::vector<Place> out;
  if (!selector.event_types) return {place};
  for (const auto& type : *selector.event_types) {
    place.event_type = type;
    if (std::find(out.begin(), out.end(), place) == out.end()) out.push_back(place);
  }
  return out;
}

void TriggerIndex::put(TriggerPtr trigger) {
  remove(trigger->trigger.id);
  const rules::Selector selector = rules::selector_of(*trigger);
  Entry entry{trigger, {}};
  if (trigger->trigger.enabled) {
    entry.places = places_of(*trigger, selector);
    for (const auto& place : entry.places) {
      Bucket& bucket = buckets_[place];
      if (selector.score_below) bucket.below.emplace(greatest(*selector.score_below, selector.below_inclusive), trigger);
      else if (selector.score_above) bucket.above.emplace(least(*selector.score_above, selector.above_inclusive), trigger);
      else bucket.unbounded.push_back(trigger);
    }
  }
  const auto id = trigger->trigger.id;
  triggers_.emplace(id, std::move(entry));
}

void TriggerIndex::remove(domain::TriggerId id) {
  const auto found = triggers_.find(id);
  if (found == triggers_.end()) return;
  const TriggerPtr trigger = found->second.trigger;
  const rules::Selector selector = rules::selector_of(*trigger);
  for (const auto& place : found->second.places) {
    const auto bucket = buckets_.find(place);
    if (selector.score_below) erase_from(bucket->second.below, greatest(*selector.score_below, selector.below_inclusive), trigger);
    else if (selector.score_above) erase_from(bucket->second.above, least(*selector.score_above, selector.above_inclusive), trigger);
    else std::erase(bucket->second.unbounded, trigger);
    if (bucket->second.empty()) buckets_.erase(bucket);
  }
  triggers_.erase(found);
}

TriggerPtr TriggerIndex::find(domain::TriggerId id) const {
  const auto found = triggers_.find(id);
  return found == triggers_.end() ? nullptr : found->second.trigger;
}

void TriggerIndex::collect(const Place& place, const domain::Event& event, std::vector<TriggerPtr>& out) const {
  const auto found = buckets_.find(place);
  if (found == buckets_.end()) return;
  const Bucket& bucket = found->second;
  out.insert(out.end(), bucket.unbounded.begin(), bucket.unbounded.end());
  if (!event.score) return;   // a bound on the score needs one
  for (auto it = bucket.below.lower_bound(*event.score); it != bucket.below.end(); ++it) out.push_back(it->second);
  for (auto it = bucket.above.begin(); it != bucket.above.end() && it->first <= *event.score; ++it) out.push_back(it->second);
}

std::vector<TriggerPtr> TriggerIndex::candidates(const domain::Event& event) const {
  std::vector<TriggerPtr> out;
  Place place;
  place.registry = static_cast<std::uint8_t>(event.registry);
  for (const domain::ChainId chain : {event.chain_id, kAnyChain}) {
    place.chain = chain;
    for (const bool typed : {true, false}) {
      place.event_type = typed ? event.event_type : std::string();
      place.agent.reset();
      collect(place, event, out);
      if (!event.agent_id) continue;
      place.agent = event.agent_id;
      collect(place, event, out);
    }
  }
  std::erase_if(out, [&event](const TriggerPtr& trigger) { return !rules::candidate(event, trigger->trigger); });
  std::sort(out.begin(), out.end(), [](const TriggerPtr& a, const TriggerPtr& b) {
    return std::pair(a->trigger.created_at, a->trigger.id) < std::pair(b->trigger.created_at, b->trigger.id);
  });
  return out;
}

}  // namespace agentauri::engine
