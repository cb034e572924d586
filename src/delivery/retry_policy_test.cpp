#include "delivery/retry_policy.hpp"

#include <gtest/gtest.h>

#include "delivery/standard_webhooks.hpp"

namespace agentauri::delivery {
namespace {

using domain::JobState;
using domain::Outcome;

const Time kNow = from_unix_seconds(1'768'471'200);

Next after(AttemptEnd end, int attempt, std::optional<int> retry_count = std::nullopt,
           std::optional<Time> expires = std::nullopt, double random = 0.5) {
  return decide(end, attempt, webhook_ladder(), retry_count, expires, kNow, [random] { return random; });
}
AttemptEnd network() {
  AttemptEnd end;
  end.outcome = Outcome::network;
  end.retryable = true;
  return end;
}

TEST(RetryPolicy, FollowsTheLadderWithJitter) {
  const std::int64_t seconds[] = {5, 300, 1800, 7200, 18'000, 36'000, 50'400, 72'000, 86'400};
  for (int attempt = 1; attempt <= 9; ++attempt) {
    const auto next = after(network(), attempt);
    ASSERT_EQ(next.state, JobState::pending) << attempt;
    EXPECT_EQ(*next.at, kNow + std::chrono::seconds(seconds[attempt - 1]));
    EXPECT_EQ(*after(network(), attempt, {}, {}, 0).at, kNow + std::chrono::seconds(seconds[attempt - 1]) * 8 / 10);
  }
  EXPECT_EQ(after(network(), 10).state, JobState::dead);
  EXPECT_EQ(after(network(), 1, 0).state, JobState::dead);
  EXPECT_EQ(after(network(), 1, 1).state, JobState::pending);
  EXPECT_EQ(after(network(), 2, 1).state, JobState::dead);
}

TEST(RetryPolicy, StatusCodesAreToldApart) {
  for (int status : {200, 201, 204, 299})
    EXPECT_EQ(after(classify_status(status, {}), 1).state, JobState::succeeded) << status;
  for (int status : {408, 425, 429, 500, 502, 503, 504, 599})
    EXPECT_EQ(after(classify_status(status, {}), 1).state, JobState::pending) << status;
  for (int status : {301, 302, 400, 401, 403, 404, 405, 410, 422})
    EXPECT_EQ(after(classify_status(status, {}), 1).state, JobState::dead) << status;
  EXPECT_TRUE(classify_status(410, {}).gone);
  EXPECT_EQ(after(classify_status(200, {202}), 1).state, JobState::dead) << "an unexpected 2xx is no success";
  EXPECT_EQ(after(classify_status(404, {404}), 1).state, JobState::succeeded);
}

TEST(RetryPolicy, RetryAfterOnlyLengthensTheWait) {
  auto end = classify_status(503, {});
  end.retry_after = std::chrono::seconds(60);
  EXPECT_EQ(*after(end, 1).at, kNow + std::chrono::seconds(60));
  end.retry_after = std::chrono::seconds(1);
  EXPECT_EQ(*after(end, 1).at, kNow + std::chrono::seconds(5));
  EXPECT_EQ(parse_retry_after("120", kNow), std::chrono::seconds(120));
  EXPECT_EQ(parse_retry_after("Thu, 15 Jan 2026 10:01:00 GMT", kNow), std::chrono::seconds(60));
  EXPECT_EQ(parse_retry_after("Thu, 15 Jan 2026 09:00:00 GMT", kNow), std::chrono::seconds(0));
  EXPECT_EQ(parse_retry_after("99999999", kNow), std::chrono::hours(24));
  for (const char* bad : {"", "soon", "-5", "1.5"}) EXPECT_EQ(parse_retry_after(bad, kNow), std::nullopt) << bad;
}

TEST(RetryPolicy, UnknownHostsAndOldAlertsEndEarly) {
  auto end = network();
  end.no_such_host = true;
  EXPECT_EQ(after(end, 2).state, JobState::pending);
  EXPECT_EQ(after(end, 3).state, JobState::dead);
  EXPECT_EQ(after(network(), 2, {}, kNow + std::chrono::seconds(200)).state, JobState::expired);
  AttemptEnd refused;
  refused.outcome = Outcome::refused;
  refused.excerpt = "10.0.0.1 is not a public address";
  EXPECT_EQ(after(refused, 1).reason, "10.0.0.1 is not a public address");
}

// The operator's to mend: neither the ladder's end nor the action's own retry_count ends it.
TEST(RetryPolicy, WhatCannotBeDecryptedWaitsLongAndNeverEnds) {
  AttemptEnd end;
  end.outcome = Outcome::refused;
  end.unreadable = true;
  for (int attempt : {1, 10, 1000}) {
    const auto next = after(end, attempt, 0);
    ASSERT_EQ(next.state, JobState::pending) << attempt;
    EXPECT_EQ(*next.at, kNow + std::chrono::hours(24));
  }
  EXPECT_EQ(*after(end, 1, 0, {}, 0).at, kNow + std::chrono::seconds(86'400) * 8 / 10) << "not all at one moment";
  EXPECT_EQ(after(end, 1, 0, kNow + std::chrono::hours(1)).state, JobState::expired);
}

TEST(RetryPolicy, LaddersAreParsedStrictly) {
  ASSERT_TRUE(parse_ladder("0,5,300"));
  EXPECT_EQ(parse_ladder("0,0.5")->waits[1], std::chrono::milliseconds(500));
  for (const char* bad : {"", "5", "0,x", "0,-1", "0,,5", "0,9999999", "0,nan", "nan", "0,inf", "0,1e400"})
    EXPECT_FALSE(parse_ladder(bad)) << bad;
}

// The published example of the specification's reference libraries.
TEST(StandardWebhooks, SignsAsTheSpecificationDoes) {
  const auto signature = sign_webhook({"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "msg_p5jXN8AQM9LWM0D4loKWxJek",
                                      1614265330, R"({"test": 2432232314})");
  ASSERT_TRUE(signature);
  EXPECT_EQ(*signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  const auto both =
      sign_webhook({"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "a", 1, "b");
  EXPECT_NE(both->find(' '), std::string::npos);
  EXPECT_FALSE(sign_webhook({"plain"}, "a", 1, "b"));
  EXPECT_EQ(sign_legacy("key", "The quick brown fox jumps over the lazy dog"),
            "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8");
}

}   // namespace
}   // namespace agentauri::delivery
