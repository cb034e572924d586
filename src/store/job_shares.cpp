#include "store/job_shares.hpp"

#include <algorithm>

namespace agentauri::store {
namespace {

ClaimRoom::Place usual(std::size_t rest) {
  ClaimRoom::Place place;
  place.rest = rest;
  return place;
}

// A job whose turn comes this soon stays where it is: to put it back costs more than to look at it again.
constexpr std::chrono::milliseconds kSoon{250};

// Slots follow each other at the pace of the place, so that a long queue comes back bit by bit.
Time take_slot(ClaimRoom::Place& place, Time now) {
  place.next_slot = std::min(std::max(place.next_slot, now) + place.pace, now + kMaxPutBack);
  return place.next_slot;
}

}   // namespace

Shares share_out(std::span<const LaneKey> due, const ClaimRoom& room, std::size_t limit, bool more, Time now) {
  auto lanes = room.lanes;
  auto organizations = room.organizations;
  Shares out;
  for (std::size_t i = 0; i < due.size(); ++i) {
    auto& lane = lanes.try_emplace(due[i], usual(room.usual)).first->second;
    auto& organization =
        organizations.try_emplace(due[i].organization, usual(room.usual_per_organization)).first->second;
    if (lane.rest == 0 || lane.closed) {
      if (!more && !lane.closed) continue;
      const Time slot = take_slot(lane, now);
      if (slot <= now + kSoon && !lane.closed) continue;
      out.put_back.emplace_back(i, slot);
      out.lane_slots[due[i]] = slot;
    } else if (organization.rest == 0) {
      if (!more) continue;
      const Time slot = take_slot(organization, now);
      if (slot <= now + kSoon) continue;
      out.put_back.emplace_back(i, slot);
      out.organization_slots[due[i].organization] = slot;
    } else if (out.chosen.size() < limit) {
      --lane.rest;
      --organization.rest;
      out.chosen.push_back(i);
    }
  }
  return out;
}

}   // namespace agentauri::store
