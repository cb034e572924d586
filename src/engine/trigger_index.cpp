#include "engine/trigger_index.hpp"

#include <algorithm>
#include <tuple>

namespace agentauri::engine {
namespace {

constexpr domain::ChainId kAnyChain = -1;
constexpr std::int32_t kLeast = std::numeric_limits<std::int32_t>::min();
constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();
// Scores are 0 to 100 by convention: the sum of two bounds tells which of them turns more events away.
constexpr std::int64_t kTwiceTheMiddle = 100;

// The greatest score at or below the bound (below it when exclusive); nullopt: there is none.
std::optional<std::int32_t> greatest(const Decimal& bound, bool inclusive) {
  if (compare(bound, {kMost, 0}) > 0) return kMost;
  if (compare(bound, {kLeast, 0}) < 0) return std::nullopt;
  int128 score = round_half_away(bound);
  while (compare({score, 0}, bound) > 0 || (!inclusive && compare({score, 0}, bound) == 0)) --score;
  if (score < kLeast) return std::nullopt;
  return static_cast<std::int32_t>(score);
}

// The least score at or above the bound (above it when exclusive); nullopt: there is none.
std::optional<std::int32_t> least(const Decimal& bound, bool inclusive) {
  if (compare(bound, {kLeast, 0}) < 0) return kLeast;
  if (compare(bound, {kMost, 0}) > 0) return std::nullopt;
  int128 score = round_half_away(bound);
  while (compare({score, 0}, bound) < 0 || (!inclusive && compare({score, 0}, bound) == 0)) ++score;
  if (score > kMost) return std::nullopt;
  return static_cast<std::int32_t>(score);
}

}   // namespace

std::size_t TriggerIndex::PlaceHash::operator()(const Place& place) const {
  std::size_t hash = static_cast<std::size_t>(place.chain);
  const auto mix = [&hash](std::size_t more) { hash ^= more + 0x9e3779b97f4a7c15 + (hash << 6) + (hash >> 2); };
  mix(place.type);
  mix(place.registry);
  if (place.has_agent) mix(std::hash<Uint256>{}(place.agent));
  return hash;
}

bool TriggerIndex::Item::operator<(const Item& other) const {
  return std::tie(kind, key, created_at, id) < std::tie(other.kind, other.key, other.created_at, other.id);
}

bool TriggerIndex::Found::operator<(const Found& other) const {
  return std::tie(created_at, id) < std::tie(other.created_at, other.id);
}

// nullopt: no score satisfies the bounds.
std::optional<TriggerIndex::Scores> TriggerIndex::scores_of(const rules::Selector& selector) {
  Scores out;
  if (selector.score_below) {
    const auto bound = greatest(*selector.score_below, selector.below_inclusive);
    if (!bound) return std::nullopt;
    out.highest = *bound;
    out.bounded = true;
  }
  if (selector.score_above) {
    const auto bound = least(*selector.score_above, selector.above_inclusive);
    if (!bound) return std::nullopt;
    out.lowest = *bound;
    out.bounded = true;
  }
  if (out.lowest > out.highest) return std::nullopt;
  return out;
}

TriggerIndex::Item TriggerIndex::item_of(const rules::CompiledTrigger& trigger, const Scores& scores) {
  Item item;
  item.created_at = trigger.trigger.created_at;
  item.id = trigger.trigger.id;
  item.scores = scores;
  item.trigger = &trigger;
  if (!scores.bounded) return item;
  if (scores.lowest == scores.highest) {
    item.kind = Kind::exact;
  } else if (scores.lowest == kLeast) {
    item.kind = Kind::by_highest;
  } else if (scores.highest == kMost) {
    item.kind = Kind::by_lowest;
  } else {
    const std::int64_t sum = std::int64_t{scores.lowest} + scores.highest;
    item.kind = sum < kTwiceTheMiddle ? Kind::by_highest : Kind::by_lowest;
  }
  item.key = item.kind == Kind::by_highest ? scores.highest : scores.lowest;
  return item;
}

std::uint32_t TriggerIndex::number_of(const std::string& event_type) {
  return types_.emplace(event_type, static_cast<std::uint32_t>(types_.size()) + 1).first->second;
}

std::vector<TriggerIndex::Place> TriggerIndex::places_of(const rules::CompiledTrigger& trigger,
                                                         const rules::Selector& selector) {
  Place place;
  place.chain = trigger.trigger.chain_id.value_or(kAnyChain);
  place.registry = static_cast<std::uint8_t>(trigger.trigger.registry);
  place.has_agent = selector.agent_id.has_value();
  if (selector.agent_id) place.agent = *selector.agent_id;
  if (!selector.event_types) return {place};
  std::vector<Place> out;
  for (const auto& type : *selector.event_types) {
    place.type = number_of(type);
    if (std::find(out.begin(), out.end(), place) == out.end()) out.push_back(place);
  }
  return out;
}

void TriggerIndex::put(TriggerPtr trigger) {
  remove(trigger->trigger.id);
  if (trigger->trigger.enabled) {
    const rules::Selector selector = rules::selector_of(*trigger);
    if (const auto scores = scores_of(selector)) {
      for (const auto& place : places_of(*trigger, selector)) buckets_[place].insert(item_of(*trigger, *scores));
    }
  }
  const auto id = trigger->trigger.id;
  triggers_.emplace(id, std::move(trigger));
}

void TriggerIndex::remove(domain::TriggerId id) {
  const auto found = triggers_.find(id);
  if (found == triggers_.end()) return;
  const rules::CompiledTrigger& trigger = *found->second;
  const rules::Selector selector = rules::selector_of(trigger);
  const auto scores = scores_of(selector);
  if (trigger.trigger.enabled && scores) {
    for (const auto& place : places_of(trigger, selector)) {
      const auto bucket = buckets_.find(place);
      bucket->second.erase(item_of(trigger, *scores));
      if (bucket->second.empty()) buckets_.erase(bucket);
    }
  }
  triggers_.erase(found);
}

TriggerPtr TriggerIndex::find(domain::TriggerId id) const {
  const auto found = triggers_.find(id);
  return found == triggers_.end() ? nullptr : found->second;
}

void TriggerIndex::collect(const Place& place, const domain::Event& event, Time born_before) {
  const auto found = buckets_.find(place);
  if (found == buckets_.end()) return;
  const Bucket& bucket = found->second;
  const auto from = [&bucket](Kind kind, std::int32_t key) {
    Item first;
    first.kind = kind;
    first.key = key;
    first.created_at = Time::min();
    return bucket.lower_bound(first);
  };
  const auto take = [this, born_before](const Item& item) {
    if (item.created_at < born_before) found_.push_back({item.created_at, item.id, item.trigger});
  };
  auto it = bucket.begin();
  for (; it != bucket.end() && it->kind == Kind::unbounded; ++it) take(*it);
  if (!event.score || it == bucket.end()) return;
  const std::int32_t score = *event.score;
  for (it = from(Kind::exact, score); it != bucket.end() && it->kind == Kind::exact && it->key == score; ++it) {
    take(*it);
  }
  for (it = from(Kind::by_highest, score); it != bucket.end() && it->kind == Kind::by_highest; ++it) {
    if (it->scores.lowest <= score) take(*it);
  }
  for (it = from(Kind::by_lowest, kLeast); it != bucket.end() && it->key <= score; ++it) {
    if (it->scores.highest >= score) take(*it);
  }
}

const std::vector<const rules::CompiledTrigger*>& TriggerIndex::candidates(const domain::Event& event) {
  found_.clear();
  // A trigger acts on events of its creation's second and later.
  const Time born_before = from_unix_seconds(to_unix_seconds(event.block_time) + 1);
  const auto type = types_.find(event.event_type);
  Place place;
  place.registry = static_cast<std::uint8_t>(event.registry);
  const auto collect_place = [&] {
    place.has_agent = false;
    place.agent = Uint256{};
    collect(place, event, born_before);
    if (!event.agent_id) return;
    place.has_agent = true;
    place.agent = *event.agent_id;
    collect(place, event, born_before);
  };
  for (const domain::ChainId chain : {event.chain_id, kAnyChain}) {
    place.chain = chain;
    place.type = 0;
    collect_place();
    if (type == types_.end()) continue;
    place.type = type->second;
    collect_place();
  }
  // Each run comes out in order; only several of them need sorting.
  if (!std::is_sorted(found_.begin(), found_.end())) std::sort(found_.begin(), found_.end());
  out_.clear();
  for (const auto& found : found_) out_.push_back(found.trigger);
  return out_;
}

}   // namespace agentauri::engine
