#include "rules/circuit_breaker.hpp"

#include <gtest/gtest.h>

namespace agentauri::rules {
namespace {

using Phase = BreakerState::Phase;

class CircuitBreaker : public ::testing::Test {
 protected:
  // As the engine does it: through the stored text, at a second of block time.
  bool call(std::int64_t second, bool good) {
    const Time now = from_unix_seconds(1'700'000'000 + second);
    auto state = read_breaker(stored_);
    if (!allow(state, config_, now)) return false;
    if (good)
      note_success(state);
    else
      note_failure(state, config_, now);
    stored_ = breaker_text(state);
    return true;
  }
  BreakerState state() const { return read_breaker(stored_); }

  domain::CircuitBreaker config_{.failure_threshold = 3, .recovery_timeout_seconds = 60, .half_open_max_calls = 1};
  std::optional<std::string> stored_;
};

TEST_F(CircuitBreaker, OpensAtTheThresholdOfFailuresInARow) {
  EXPECT_TRUE(call(1, false));
  EXPECT_TRUE(call(2, false));
  EXPECT_EQ(state().failure_count, 2);
  EXPECT_TRUE(call(3, true));
  EXPECT_EQ(stored_, std::nullopt) << "a success forgets them, and the state of the beginning takes no room";
  for (int i = 4; i < 7; ++i) EXPECT_TRUE(call(i, false));
  EXPECT_EQ(state().phase, Phase::open);
  EXPECT_EQ(state().opened_at, from_unix_seconds(1'700'000'006));
  EXPECT_FALSE(call(7, true));
  EXPECT_FALSE(call(65, true));
}

TEST_F(CircuitBreaker, TriesAgainAfterItsRecoveryTime) {
  for (int i = 0; i < 3; ++i) call(i, false);
  EXPECT_TRUE(call(62, false));
  EXPECT_EQ(state().phase, Phase::open);
  EXPECT_EQ(state().opened_at, from_unix_seconds(1'700'000'062));
  EXPECT_FALSE(call(121, true));
  EXPECT_TRUE(call(122, true));
  EXPECT_EQ(stored_, std::nullopt);
}

TEST_F(CircuitBreaker, LetsNoMoreThanItsCallsThroughWhileHalfOpen) {
  BreakerState half{.phase = Phase::half_open};
  config_.half_open_max_calls = 2;
  EXPECT_TRUE(allow(half, config_, {}));
  EXPECT_TRUE(allow(half, config_, {}));
  EXPECT_FALSE(allow(half, config_, {}));
}

TEST_F(CircuitBreaker, AnOpenOneWithoutATimeIsTriedAtOnce) {
  BreakerState open{.phase = Phase::open};
  EXPECT_TRUE(allow(open, config_, {}));
  EXPECT_EQ(open.phase, Phase::half_open);
}

TEST_F(CircuitBreaker, ReadsWhatItWroteAndNothingElse) {
  const BreakerState state{.phase = Phase::half_open,
                           .failure_count = 7,
                           .last_failure = from_unix_seconds(5),
                           .opened_at = from_unix_seconds(6),
                           .half_open_calls = 1};
  EXPECT_EQ(read_breaker(breaker_text(state)), state);
  for (const char* text : {"", "{", "[]", "{}", R"({"state":"open"})", R"({"state":7})"}) {
    EXPECT_EQ(read_breaker(text), BreakerState{}) << text;
  }
}

}   // namespace
}   // namespace agentauri::rules
