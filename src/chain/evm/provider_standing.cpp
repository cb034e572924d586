#include "chain/evm/provider_standing.hpp"

#include <algorithm>

namespace agentauri::chain {
namespace {

constexpr double kFirstRetryMs = 125;
constexpr unsigned kMaxDoublings = 6;
constexpr double kJitter = 0.2;

}   // namespace

bool ProviderStanding::available(Time now) {
  if (now < paused_until_) return false;
  if (state_ == State::open && now - opened_at_ >= settings_.reset) {
    state_ = State::half_open;
    successes_ = 0;
  }
  return state_ != State::open;
}

std::chrono::milliseconds ProviderStanding::reserve(Time now) {
  if (settings_.requests_per_second <= 0) return std::chrono::milliseconds(0);
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
  demotions_ = 0;
  demoted_until_ = {};
  if (state_ != State::half_open) return;
  if (++successes_ >= settings_.successes_to_close) state_ = State::closed;
}

void ProviderStanding::failed(Time now) {
  demoted_until_ = now + demotion_of(demotions_++);
  ++failures_;
  if (state_ == State::half_open || failures_ >= settings_.failures_to_open) {
    state_ = State::open;
    opened_at_ = now;
    failures_ = 0;
  }
}

void ProviderStanding::fell_behind(Time now) {
  behind_until_ = now + std::max(demotion_of(times_behind_++), settings_.shortest_lag_demotion);
}

void ProviderStanding::kept_up() {
  times_behind_ = 0;
  behind_until_ = {};
}

std::chrono::milliseconds ProviderStanding::demotion_of(unsigned times) const {
  auto length = settings_.first_demotion;
  for (unsigned i = 0; i < times && length < settings_.max_demotion; ++i) length *= 2;
  return std::min(length, settings_.max_demotion);
}

void ProviderStanding::pause_until(Time until) {
  paused_until_ = std::max(paused_until_, until);
}

std::chrono::milliseconds retry_wait(unsigned retry, double random) {
  const double base = kFirstRetryMs * static_cast<double>(1U << std::min(retry, kMaxDoublings));
  return std::chrono::milliseconds(static_cast<std::int64_t>(base * (1 - kJitter + 2 * kJitter * random)));
}

}   // namespace agentauri::chain
