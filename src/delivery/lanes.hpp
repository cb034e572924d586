// How many attempts each receiver and each organization may have in flight. Pure: time is an argument.
//
// A lane is one organization's jobs for one endpoint. It starts narrow and widens by one with each answer; attempts
// that end without an answer narrow it, and after some in a row it pauses, longer each time, and then tries one job at
// a time. An attempt that has been out for a second counts as slow and stands in nobody's way: silent receivers fill a
// bound of their own.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <unordered_map>

#include "domain/job.hpp"
#include "store/jobs.hpp"

namespace agentauri::delivery {

struct LaneSettings {
  std::size_t concurrent = 512;   // attempts in flight that are not slow
  std::size_t slow = 1536;        // beside them
  std::chrono::milliseconds slow_after{1000};
  std::size_t first = 4;     // of a lane that has not answered yet
  std::size_t widest = 16;   // of one that has
  std::size_t per_organization = 256;
  std::size_t slow_per_organization = 512;   // beside them
  int failures_to_pause = 3;                 // attempts without an answer in a row
  std::chrono::milliseconds first_pause{1000};
  std::chrono::milliseconds longest_pause{60'000};
};

class Lanes {
 public:
  using Ticket = std::uint64_t;

  explicit Lanes(LaneSettings settings) : settings_(settings) {}

  Ticket start(const store::LaneKey& key, Time now);
  // Exactly once for each ticket. `unanswered`: the receiver could not be reached or said nothing.
  enum class End : std::uint8_t { answered, unanswered, not_tried };
  void end(Ticket ticket, End end, Time now);

  std::size_t in_flight() const { return out_.size(); }
  // So many more attempts may start.
  std::size_t room(Time now);
  store::ClaimRoom claim_room(Time now) const;
  // The slots that a claim gave away.
  void remember_slots(const store::Claim& claim);
  // Forgets lanes that have been idle for long.
  void prune(Time now);
  std::size_t size() const { return lanes_.size(); }

 private:
  struct Place {
    std::size_t in_flight = 0;   // of an organization: those that are not slow
    Time next_slot;
    Micros typical{20'000};   // of an attempt: a moving average
  };
  struct Lane : Place {
    std::size_t width = 0;
    int failures = 0;
    Time paused_until;
    Time used;
  };
  struct Organization : Place {
    std::size_t slow = 0;
  };
  struct Out {
    store::LaneKey key;
    Time since;
    bool slow = false;
  };

  LaneSettings settings_;
  Ticket next_ticket_ = 1;
  std::unordered_map<Ticket, Out> out_;
  std::deque<Ticket> young_;   // by start; some have ended
  std::size_t slow_ = 0;
  std::map<store::LaneKey, Lane> lanes_;
  std::map<domain::OrganizationId, Organization> organizations_;   // with something in flight
};

}   // namespace agentauri::delivery
