#include "gateway/auth/argon_lane.hpp"

#include <gtest/gtest.h>

#include "core/crypto/crypto.hpp"

namespace agentauri::gateway {
namespace {

TEST(ArgonLane, HashesAndVerifies) {
  ArgonLane lane(1);
  run_blocking([&]() -> Task<void> {
    auto hash = co_await lane.hash("a quiet river 77");
    EXPECT_TRUE(hash);
    EXPECT_TRUE(hash->starts_with("$argon2id$v=19$m=19456,t=2,p=1$")) << *hash;
    auto right = co_await lane.verify(*hash, "a quiet river 77");
    EXPECT_TRUE(right && *right);
    auto wrong = co_await lane.verify(*hash, "a quiet river 78");
    EXPECT_TRUE(wrong && !*wrong);
    auto nobody = co_await lane.verify_nobody("a quiet river 77");
    EXPECT_TRUE(nobody && !*nobody);
    auto garbage = co_await lane.verify("no PHC string", "x");
    EXPECT_TRUE(garbage && !*garbage);
  });
}

TEST(ArgonLane, BeyondItsQueueItSaysBusy) {
  ArgonLane lane(1, 2);
  int hashed = 0, busy = 0;
  run_blocking([&]() -> Task<void> {
    TaskGroup group(co_await this_executor());
    for (int i = 0; i < 10; ++i) {
      group.spawn("hash", [&]() -> Task<void> {
        auto hash = co_await lane.hash("x");
        if (!hash) EXPECT_EQ(hash.error().code, Code::busy);
        (hash ? hashed : busy) += 1;
      });
    }
    bool was_full = false;
    while (!was_full && group.size() > 0 && co_await sleep_for(std::chrono::microseconds(10)))
      was_full = lane.is_full();
    EXPECT_TRUE(was_full);
    co_await group.wait();
    EXPECT_FALSE(lane.is_full());
  });
  EXPECT_EQ(hashed + busy, 10);
  EXPECT_GE(hashed, 2);
  EXPECT_GE(busy, 1);
  // Room again once it is drained.
  run_blocking([&]() -> Task<void> {
    auto hash = co_await lane.hash("x");
    EXPECT_TRUE(hash);
  });
}

TEST(ArgonLane, ACancelledWaiterLeavesNothingBehind) {
  ArgonLane lane(1);
  run_blocking([&]() -> Task<void> {
    TaskGroup group(co_await this_executor());
    for (int i = 0; i < 4; ++i) {
      group.spawn("hash", [&]() -> Task<void> { (void)co_await lane.hash("x"); });
    }
    group.cancel();
    co_await group.wait();
  });
}

}   // namespace
}   // namespace agentauri::gateway
