// A chain whose batches fail (pipeline.md 6.9): it waits longer each time while the store is at fault; when an event
// is, the events are taken one by one until the one is found, and after five attempts it is set aside. A block that
// leaves cannot be passed over: if its undo fails for good, the chain stands and says so.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/result.hpp"
#include "engine/batch.hpp"

namespace agentauri::engine {

// Whether the store is at fault, or somebody who wants this process to stop: time heals it.
bool is_passing(Code code);

class ChainTrouble {
 public:
  // `batch_events`: of the batch that failed, all of which are suspects.
  ChainTrouble(std::int64_t batch_events, Time now) : suspects_(batch_events), first_seen_(now) {}

  // `setting_aside`: what failed was to set an event aside.
  void note_failure(const Error& error, std::optional<std::string> at_event, bool setting_aside, Time now);
  // A batch of `events` went through. true: the trouble is over.
  bool note_success(std::int64_t events);

  bool waits(Time now) const { return now < retry_at_; }
  Time retry_at() const { return retry_at_; }
  bool one_by_one() const { return isolating_; }
  // The chain stands: what fails for good is an entry that cannot be passed over.
  bool stalled() const;
  const std::string& error() const { return error_; }
  // Whether the last failure says more than those before it: not each try of a store that is away.
  bool is_news(Time now);
  // What to set aside, when there have been enough attempts.
  std::optional<Poison> poison() const;

 private:
  std::int64_t suspects_;
  Time first_seen_, retry_at_;
  std::optional<Time> told_at_;   // of the stall
  bool isolating_ = false;
  int stalls_ = 0;     // in a row, of the store
  int attempts_ = 0;   // in a row, of the same event alone
  std::string error_;
  std::optional<std::string> event_id_;
};

}   // namespace agentauri::engine
