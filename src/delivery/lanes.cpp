#include "delivery/lanes.hpp"

#include <algorithm>

namespace agentauri::delivery {
namespace {

constexpr auto kForgetIdle = std::chrono::minutes(1);
constexpr auto kForgetFailing = std::chrono::minutes(10);
// Jobs of a paused lane come back at this pace.
constexpr Micros kPausedPace{20'000};
constexpr Micros kShortestPace{100};
constexpr Micros kLongestPace{1'000'000};

Micros pace(Micros typical, std::size_t width) {
  return std::clamp(typical / static_cast<std::int64_t>(std::max<std::size_t>(width, 1)), kShortestPace, kLongestPace);
}

}   // namespace

Lanes::Ticket Lanes::start(const store::LaneKey& key, Time now) {
  auto& lane = lanes_[key];
  if (lane.width == 0) lane.width = settings_.first;
  ++lane.in_flight;
  lane.used = now;
  ++organizations_[key.organization].in_flight;
  const Ticket ticket = next_ticket_++;
  out_.emplace(ticket, Out{key, now});
  young_.push_back(ticket);
  return ticket;
}

void Lanes::end(Ticket ticket, End end, Time now) {
  const auto found = out_.find(ticket);
  ENSURE(found != out_.end(), "an attempt ended twice");
  const Out out = std::move(found->second);
  out_.erase(found);
  const auto took = std::max(Micros(0), now - out.since);

  auto& lane = lanes_.at(out.key);
  --lane.in_flight;
  lane.used = now;
  lane.typical = (lane.typical * 7 + took) / 8;
  const auto organization = organizations_.find(out.key.organization);
  organization->second.typical = (organization->second.typical * 7 + took) / 8;
  if (out.slow) {
    --slow_;
    --organization->second.slow;
  } else {
    --organization->second.in_flight;
  }
  if (organization->second.in_flight + organization->second.slow == 0) organizations_.erase(organization);

  if (end == End::not_tried) return;
  if (end == End::answered) {
    lane.failures = 0;
    lane.paused_until = Time{};
    lane.width = std::min(lane.width + 1, settings_.widest);
    return;
  }
  ++lane.failures;
  lane.width = std::max<std::size_t>(lane.width / 2, 1);
  if (lane.failures < settings_.failures_to_pause) return;
  lane.width = 1;
  const int doublings = std::min(lane.failures - settings_.failures_to_pause, 16);
  const auto pause = std::min<Micros>(settings_.first_pause * (std::int64_t{1} << doublings), settings_.longest_pause);
  lane.paused_until = now + pause;
}

std::size_t Lanes::room(Time now) {
  while (!young_.empty()) {
    const auto found = out_.find(young_.front());
    if (found != out_.end()) {
      if (now - found->second.since < settings_.slow_after || slow_ >= settings_.slow) break;
      auto& organization = organizations_.at(found->second.key.organization);
      if (organization.slow < settings_.slow_per_organization) {
        found->second.slow = true;
        ++slow_;
        ++organization.slow;
        --organization.in_flight;
      }
    }
    young_.pop_front();
  }
  const std::size_t quick = out_.size() - slow_;
  return settings_.concurrent - std::min(settings_.concurrent, quick);
}

store::ClaimRoom Lanes::claim_room(Time now) const {
  store::ClaimRoom out;
  out.usual = settings_.first;
  out.usual_per_organization = settings_.per_organization;
  std::map<store::LaneKey, Micros>
      longest;   // of what is in flight: a receiver that falls silent is seen before its first timeout
  for (const auto& [ticket, one] : out_) {
    auto& lane = longest[one.key];
    lane = std::max(lane, std::chrono::duration_cast<Micros>(now - one.since));
  }
  for (const auto& [key, lane] : lanes_) {
    store::ClaimRoom::Place place;
    place.rest = lane.width - std::min(lane.width, lane.in_flight);
    place.next_slot = lane.next_slot;
    const auto out_for = longest.find(key);
    place.pace = pace(std::max(lane.typical, out_for == longest.end() ? Micros(0) : out_for->second), lane.width);
    const bool failing = lane.failures >= settings_.failures_to_pause;
    if (failing && (now < lane.paused_until || place.rest == 0)) {
      place.closed = true;
      place.next_slot = std::max({lane.next_slot, lane.paused_until, now + settings_.first_pause});
      place.pace = kPausedPace;
    }
    out.lanes.emplace(key, place);
  }
  for (const auto& [id, organization] : organizations_) {
    store::ClaimRoom::Place place;
    place.rest = settings_.per_organization - std::min(settings_.per_organization, organization.in_flight);
    place.next_slot = organization.next_slot;
    place.pace = pace(organization.typical, settings_.per_organization);
    out.organizations.emplace(id, place);
  }
  return out;
}

void Lanes::remember_slots(const store::Claim& claim) {
  for (const auto& [key, slot] : claim.lane_slots) {
    auto& lane = lanes_[key];
    if (lane.width == 0) lane.width = settings_.first;
    lane.next_slot = slot;
    lane.used = std::max(lane.used, slot);
  }
  for (const auto& [id, slot] : claim.organization_slots) {
    const auto found = organizations_.find(id);
    if (found != organizations_.end()) found->second.next_slot = slot;
  }
}

void Lanes::prune(Time now) {
  std::erase_if(lanes_, [now](const auto& entry) {
    const Lane& lane = entry.second;
    const auto idle = now - lane.used;
    return lane.in_flight == 0 && (lane.failures > 0 ? idle > kForgetFailing : idle > kForgetIdle);
  });
}

}   // namespace agentauri::delivery
