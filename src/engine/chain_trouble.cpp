#include "engine/chain_trouble.hpp"

#include <algorithm>
#include <array>
#include <chrono>

namespace agentauri::engine {
namespace {

using namespace std::chrono_literals;

constexpr int kMaxAttempts = 5;
constexpr std::array<std::chrono::seconds, 5> kWaits{1s, 5s, 30s, 120s, 300s};
constexpr std::chrono::seconds kMaxStall{60};
constexpr int kMaxDoublings = 6;   // 64 s: beyond the longest wait

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

void ChainTrouble::note_failure(const Error& error, std::optional<std::string> at_event, Time now) {
  error_ = plain(error.text);
  if (is_passing(error.code)) {
    retry_at_ = now + std::min(kMaxStall, std::chrono::seconds(1 << std::min(stalls_, kMaxDoublings)));
    ++stalls_;
    return;
  }
  stalls_ = 0;
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
  event_id_.reset();
  retry_at_ = Time{};
  return !isolating_ || suspects_ <= 0;
}

std::optional<Poison> ChainTrouble::poison() const {
  if (attempts_ < kMaxAttempts) return std::nullopt;
  return Poison{error_, attempts_, event_id_, first_seen_};
}

}   // namespace agentauri::engine
