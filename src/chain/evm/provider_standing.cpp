#include "chain/evm/provider_standing.hpp"

#include <algorithm>

namespace agentauri::chain {

bool ProviderStanding::available(Time now) {
  if (now < paused_until_) return false;
  if (state_ == State::open && now - opened_at_ >= settings_.reset) {
    state_ = State::half_open;
    successes_ = 0;
  }
  return state_ != State::open;
}

std::chrono::milliseconds ProviderStanding::reserve(Time now) {
  const double rate = settings_.requests_per_second;
  if (refilled_at_ != Time{}) {
    const double passed = std::chrono::duration<double>(now - refilled_at_).count();
    tokens_ = std::min(rate, tokens_ + passed * rate);
  }
  refilled_at_ = now;
  tokens_ -= 1;
  if (tokens_ >= 0) return std::chrono::milliseconds(0);
  return std::chrono::milliseconds(static_cast<std::int64_t>(-tokens_ / rate * 1000) + 1);
}

void ProviderStanding::succeeded() {
  failures_ = 0;
  if (state_ != State::half_open) return;
  if (++successes_ >= settings_.successes_to_close) state_ = State::closed;
}

void ProviderStanding::failed(Time now) {
  ++failures_;
  if (state_ == State::half_open || failures_ >= settings_.failures_to_open) {
    state_ = State::open;
    opened_at_ = now;
    failures_ = 0;
  }
}

}   // namespace agentauri::chain
