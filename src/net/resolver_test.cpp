#include "net/resolver.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <semaphore>

namespace agentauri::net {
namespace {

using namespace std::chrono_literals;

Resolver::Answer one(const char* text) {
  return std::vector<IpAddress>{*parse_ip(text)};
}

TEST(Resolver, AnswersLiteralsWithoutAsking) {
  Resolver resolver(1, 1, [](const std::string&) -> Resolver::Answer {
    ADD_FAILURE();
    return one("1.1.1.1");
  });
  run_blocking([&resolver]() -> Task<void> {
    const auto v4 = co_await resolver.resolve("192.0.2.1", 1s);
    EXPECT_EQ(to_string(v4->at(0)), "192.0.2.1");
    const auto v6 = co_await resolver.resolve("2001:db8::1", 1s);
    EXPECT_EQ(to_string(v6->at(0)), "2001:db8::1");
  });
}

TEST(Resolver, KnowsTheLocalHost) {
  run_blocking([]() -> Task<void> {
    const auto found = co_await shared_resolver().resolve("localhost", 5s);
    EXPECT_TRUE(found.has_value());
    for (const auto& address : *found) EXPECT_FALSE(is_global_unicast(address));
  });
}

TEST(Resolver, GivesUpAtItsLimitAndSurvivesTheLateAnswer) {
  std::binary_semaphore answer_now{0};
  Resolver resolver(1, 8, [&answer_now](const std::string&) -> Resolver::Answer {
    answer_now.acquire();
    return one("192.0.2.1");
  });
  // The event loop of this caller is gone when the answer comes.
  run_blocking([&resolver]() -> Task<void> {
    const auto found = co_await resolver.resolve("slow.test", 20ms);
    EXPECT_FALSE(found.has_value());
    EXPECT_EQ(found.error(), Resolver::Failure::try_again);
  });
  answer_now.release();
  answer_now.release();
  run_blocking([&resolver]() -> Task<void> {
    const auto found = co_await resolver.resolve("fast.test", 5s);
    EXPECT_TRUE(found.has_value());
  });
}

TEST(Resolver, AsksNothingForThoseWhoGaveUpAndRefusesBeyondItsQueue) {
  std::atomic<int> asked{0};
  std::binary_semaphore entered{0}, answer_now{0};
  Resolver resolver(1, 2, [&](const std::string&) -> Resolver::Answer {
    if (++asked == 1) {
      entered.release();
      answer_now.acquire();
    }
    return one("192.0.2.1");
  });
  run_blocking([&]() -> Task<void> {
    TaskGroup group(co_await this_executor());
    group.spawn("first", [&resolver]() -> Task<void> {
      const auto found = co_await resolver.resolve("first.test", 5s);
      EXPECT_TRUE(found.has_value());
    });
    while (!entered.try_acquire()) co_await sleep_for(1ms);
    for (int i = 0; i < 2; ++i) {
      group.spawn("queued", [&resolver]() -> Task<void> {
        const auto found = co_await resolver.resolve("queued.test", 20ms);
        EXPECT_FALSE(found.has_value());
      });
    }
    co_await sleep_for(1ms);
    const auto before = std::chrono::steady_clock::now();
    const auto beyond = co_await resolver.resolve("beyond.test", 5s);
    EXPECT_FALSE(beyond.has_value());
    EXPECT_LT(std::chrono::steady_clock::now() - before, 1s);   // refused, not waited for
    while (group.size() > 1) co_await sleep_for(1ms);           // both gave up: their places are free again
    group.spawn("last", [&resolver]() -> Task<void> {
      const auto found = co_await resolver.resolve("last.test", 5s);
      EXPECT_TRUE(found.has_value());
    });
    co_await sleep_for(1ms);
    answer_now.release();
    co_await group.wait();
  });
  EXPECT_EQ(asked, 2);   // the first and the last
}

TEST(Resolver, EndsAtOnceWhenItsCallerIsCancelled) {
  std::binary_semaphore answer_now{0};
  Resolver resolver(1, 8, [&answer_now](const std::string&) -> Resolver::Answer {
    answer_now.acquire();
    return one("192.0.2.1");
  });
  run_blocking([&resolver]() -> Task<void> {
    TaskGroup group(co_await this_executor());
    group.spawn("caller", [&resolver]() -> Task<void> {
      const auto found = co_await resolver.resolve("slow.test", 1h);
      EXPECT_FALSE(found.has_value());
    });
    co_await sleep_for(5ms);
    group.cancel();
    co_await group.wait();
  });
  answer_now.release();
}

}   // namespace
}   // namespace agentauri::net
