#include "delivery/retry_policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>

namespace agentauri::delivery {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr seconds kMaxRetryAfter = hours(24);
constexpr int kMaxUnknownHostAttempts = 3;

bool is_retryable(int status) {
  return status == 408 || status == 425 || status == 429 || status >= 500;
}

Next wait_until(Time at, std::optional<Time> expires_at) {
  using domain::JobState;
  if (expires_at && at > *expires_at)
    return {JobState::expired, std::nullopt, "the alert is older than max_age_seconds"};
  return {JobState::pending, at, {}};
}

}   // namespace

RetryLadder webhook_ladder() {
  return {
      {seconds(0), seconds(5), minutes(5), minutes(30), hours(2), hours(5), hours(10), hours(14), hours(20), hours(24)},
      0.2};
}

RetryLadder message_ladder() {
  return {{seconds(0), seconds(1), seconds(5), seconds(30), minutes(5)}, 0.2};
}

std::optional<RetryLadder> parse_ladder(std::string_view text) {
  RetryLadder out;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    double value = 0;
    const auto [end, error] = std::from_chars(item.data(), item.data() + item.size(), value);
    // Written so that "nan" is refused as well: it compares as false with everything.
    const bool in_range = std::isfinite(value) && value >= 0 && value <= 7 * 86'400;
    if (error != std::errc{} || end != item.data() + item.size() || !in_range) return std::nullopt;
    out.waits.emplace_back(static_cast<std::int64_t>(value * 1000));
  }
  if (out.waits.empty() || out.waits.size() > 20 || out.waits.front().count() != 0) return std::nullopt;
  return out;
}

AttemptEnd classify_status(int status, const std::vector<int>& expected) {
  AttemptEnd end;
  end.status = status;
  const bool good = expected.empty() ? status >= 200 && status <= 299
                                     : std::find(expected.begin(), expected.end(), status) != expected.end();
  end.outcome = good ? domain::Outcome::ok : domain::Outcome::http;
  end.retryable = !good && is_retryable(status);
  end.gone = !good && status == 410;
  return end;
}

std::optional<seconds> parse_retry_after(std::string_view value, Time now) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error == std::errc{} && end == value.data() + value.size()) {
    if (number < 0) return std::nullopt;
    return std::min(seconds(number), kMaxRetryAfter);
  }
  std::tm parts{};
  const char* rest = ::strptime(std::string(value).c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (rest == nullptr) return std::nullopt;
  const std::int64_t wait = ::timegm(&parts) - to_unix_seconds(now);
  return std::clamp(seconds(wait), seconds(0), kMaxRetryAfter);
}

Next decide(const AttemptEnd& end, int attempt, const RetryLadder& ladder, std::optional<int> retry_count,
            std::optional<Time> expires_at, Time now, const std::function<double()>& random) {
  using domain::JobState;
  if (end.outcome == domain::Outcome::ok) return {JobState::succeeded, std::nullopt, {}};
  if (end.interrupted) return {JobState::pending, now, {}};
  const double factor = 1 + ladder.jitter * (2 * random() - 1);
  if (end.unreadable) {
    const auto longest = *std::max_element(ladder.waits.begin(), ladder.waits.end());
    return wait_until(now + std::chrono::duration_cast<Micros>(longest * factor), expires_at);
  }
  if (end.gone) return {JobState::dead, std::nullopt, "the receiver answered 410 Gone: the action is disabled"};
  if (!end.retryable)
    return {JobState::dead, std::nullopt,
            end.status ? fmt::format("HTTP {} is not retried", *end.status) : end.excerpt};
  int limit = static_cast<int>(ladder.waits.size());
  if (retry_count) limit = std::min(limit, *retry_count + 1);
  if (end.no_such_host) limit = std::min(limit, kMaxUnknownHostAttempts);
  if (attempt >= limit) return {JobState::dead, std::nullopt, fmt::format("gave up after {} attempts", attempt)};
  auto wait = std::chrono::duration_cast<Micros>(ladder.waits[static_cast<std::size_t>(attempt)] * factor);
  if (end.retry_after) wait = std::max<Micros>(wait, *end.retry_after);
  return wait_until(now + wait, expires_at);
}

}   // namespace agentauri::delivery
