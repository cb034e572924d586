// What follows an attempt: the ladders and the table of pipeline.md 8.2 and 8.6. Pure.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/time.hpp"
#include "domain/job.hpp"
#include "domain/trigger.hpp"

namespace agentauri::delivery {

// Waits before attempt 1, 2, 3, …; data per channel.
struct RetryLadder {
  std::vector<std::chrono::milliseconds> waits;
  double jitter = 0.2;
};
RetryLadder webhook_ladder();
RetryLadder message_ladder();   // Telegram and MCP
// Seconds between commas, the first is 0; nullopt when malformed.
std::optional<RetryLadder> parse_ladder(std::string_view text);

// How an attempt ended, before it is known what follows.
struct AttemptEnd {
  domain::Outcome outcome = domain::Outcome::ok;
  std::optional<int> status;
  bool retryable = false;
  bool no_such_host = false;   // at most two retries
  bool gone = false;           // 410: the action is disabled
  bool interrupted = false;    // we stopped: due again at once, whatever the ladder says
  bool unreadable = false;     // a secret of ours does not decrypt: the ladder's longest wait, however often
  std::optional<std::chrono::seconds> retry_after;
  std::string excerpt;
};

struct Next {
  domain::JobState state = domain::JobState::succeeded;
  std::optional<Time> at;
  std::string reason;
};

// `attempt` is the number of the one that ended; `retry_count` shortens the ladder; `random` gives [0, 1).
Next decide(const AttemptEnd& end, int attempt, const RetryLadder& ladder, std::optional<int> retry_count,
            std::optional<Time> expires_at, Time now, const std::function<double()>& random);

// Status codes of a webhook. `expected`: empty means 200..299.
AttemptEnd classify_status(int status, const std::vector<int>& expected);
// Seconds or an HTTP date, at most a day.
std::optional<std::chrono::seconds> parse_retry_after(std::string_view value, Time now);

}   // namespace agentauri::delivery
