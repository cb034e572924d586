#include "net/resolver.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
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
    const auto found = co_await resolver_for_operator().resolve("localhost", 5s);
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
      group.spawn("queued", [&resolver, i]() -> Task<void> {
        const auto found = co_await resolver.resolve("queued" + std::to_string(i) + ".test", 20ms);
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

TEST(Resolver, AsksOnceForANameThatManyWaitForAndKeepsTheAnswer) {
  std::atomic<int> asked{0};
  std::binary_semaphore answer_now{0};
  Resolver resolver(4, 8, [&](const std::string&) -> Resolver::Answer {
    ++asked;
    answer_now.acquire();
    return one("192.0.2.1");
  });
  run_blocking([&]() -> Task<void> {
    TaskGroup group(co_await this_executor());
    int answered = 0;
    for (int i = 0; i < 20; ++i) {
      group.spawn("caller", [&resolver, &answered]() -> Task<void> {
        const auto found = co_await resolver.resolve("same.test", 5s);
        EXPECT_TRUE(found.has_value());
        ++answered;
      });
    }
    while (asked == 0) co_await sleep_for(1ms);
    answer_now.release();
    co_await group.wait();
    EXPECT_EQ(answered, 20);
    const auto again = co_await resolver.resolve("same.test", 5s);
    EXPECT_TRUE(again.has_value());
  });
  EXPECT_EQ(asked, 1);
}

TEST(Resolver, ForgetsAnswersAndFailuresInTheirTime) {
  std::atomic<int> asked{0};
  const auto look_up = [&asked](const std::string& host) -> Resolver::Answer {
    ++asked;
    if (host == "dead.test") return std::unexpected(Resolver::Failure::no_such_host);
    return one("192.0.2.1");
  };
  Resolver resolver(1, 8, look_up, {.answers = 10min, .failures = 20ms});
  run_blocking([&]() -> Task<void> {
    for (int i = 0; i < 2; ++i) {
      const auto found = co_await resolver.resolve("alive.test", 5s);
      EXPECT_TRUE(found.has_value());
      const auto missing = co_await resolver.resolve("dead.test", 5s);
      EXPECT_FALSE(missing.has_value());
      co_await sleep_for(25ms);
    }
  });
  EXPECT_EQ(asked, 3);   // once for what is kept, twice for what was forgotten meanwhile
}

// Names whose server is silent, as many as there are threads and more: the first round may hold every thread, from then
// on they get half of them.
TEST(Resolver, LeavesHalfOfItsThreadsToNamesThatAreNotSlow) {
  std::mutex mutex;
  std::condition_variable let_go;
  bool go = false;
  std::atomic<int> held{0};
  const auto look_up = [&](const std::string& host) -> Resolver::Answer {
    if (!host.starts_with("dead")) return one("192.0.2.1");
    ++held;
    std::unique_lock lock(mutex);
    let_go.wait(lock, [&go] { return go; });
    --held;
    return std::unexpected(Resolver::Failure::try_again);
  };
  Resolver resolver(4, 64, look_up, {.failures = 0s, .slow = 5ms});
  const auto ask_dead = [&resolver](TaskGroup& group) {
    for (int i = 0; i < 12; ++i) {
      group.spawn("dead", [&resolver, i]() -> Task<void> {
        (void)co_await resolver.resolve("dead" + std::to_string(i) + ".test", 10s);
      });
    }
  };
  const auto release = [&](bool value) {
    const std::lock_guard lock(mutex);
    go = value;
    let_go.notify_all();
  };
  run_blocking([&]() -> Task<void> {
    TaskGroup group(co_await this_executor());
    // Each of them takes long once.
    for (int i = 0; i < 12; i += 4) {
      for (int k = i; k < i + 4; ++k) {
        group.spawn("dead", [&resolver, k]() -> Task<void> {
          (void)co_await resolver.resolve("dead" + std::to_string(k) + ".test", 10s);
        });
      }
      while (held < 4) co_await sleep_for(1ms);
      co_await sleep_for(10ms);   // longer than `slow`
      release(true);
      co_await group.wait();
      release(false);
    }
    ask_dead(group);
    while (held < 2) co_await sleep_for(1ms);
    const auto found = co_await resolver.resolve("alive.test", 5s);
    EXPECT_TRUE(found.has_value());
    EXPECT_EQ(held, 2);
    release(true);
    co_await group.wait();
  });
}

}   // namespace
}   // namespace agentauri::net
