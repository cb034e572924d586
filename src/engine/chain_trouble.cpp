#include "engine/chain_trouble.hpp"

#include <algorithm>
#include <array>
#include <chrono>

namespace agentauri::engine {
namespace {

using namespace std::chrono_literals;

constexpr int kMaxAttempts = 5;
constexpr std::array<std::chrono::seconds, 5> kWaits{1s, 5s, 30s, 120s, 300s};
// A store that is away is asked again soon: a question costs it nothing, and every second of waiting delays alerts.
// Those of the indexer, the engine and the worker add up (follower.cpp, engine.cpp, dispatcher.cpp), and all of it is
// back within five seconds.
constexpr std::chrono::seconds kStall{1};
constexpr std::chrono::seconds kNewsEvery{60};

}   // namespace

bool is_passing(Code code) {
  switch (code) {
    case Code::busy:
    case Code::unavailable:
    case Code::timed_out:
    case Code::cancelled:
    case Code::fenced:
    case Code::commit_unknown:
      return true;
    default:
      return false;
  }
}

void ChainTrouble::note_failure(const Error& error, std::optional<std::string> at_event, bool setting_aside, Time now) {
  error_ = plain(error.text);
  // A store that does not even take this may have failed the event's attempts too: they count no longer.
  if (setting_aside) attempts_ = 0;
  if (is_passing(error.code)) {
    retry_at_ = now + kStall;
    ++stalls_;
    return;
  }
  stalls_ = 0;
  told_at_.reset();
  if (setting_aside) {
    retry_at_ = now + kWaits[0];
    return;
  }
  event_id_ = std::move(at_event);
  // The attempt of a whole batch accuses no single event.
  if (isolating_ && ++attempts_ == 1) first_seen_ = now;
  isolating_ = true;
  const auto last = static_cast<int>(kWaits.size()) - 1;
  retry_at_ = now + kWaits[static_cast<std::size_t>(std::min(attempts_, last))];
  if (attempts_ == kMaxAttempts) retry_at_ = now;   // it is set aside at once
}

bool ChainTrouble::note_success(std::int64_t events) {
  suspects_ -= std::max<std::int64_t>(events, 1);
  attempts_ = stalls_ = 0;
  told_at_.reset();
  event_id_.reset();
  retry_at_ = Time{};
  return !isolating_ || suspects_ <= 0;
}

// One attempt more than it takes to pass an event over.
bool ChainTrouble::stalled() const {
  return attempts_ > kMaxAttempts;
}

bool ChainTrouble::is_news(Time now) {
  if (stalls_ == 0) return true;
  if (told_at_ && now < *told_at_ + kNewsEvery) return false;
  told_at_ = now;
  return true;
}

std::optional<Poison> ChainTrouble::poison() const {
  if (attempts_ < kMaxAttempts) return std::nullopt;
  return Poison{error_, attempts_, event_id_, first_seen_};
}

}   // namespace agentauri::engine
