#include "core/async/task.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>

namespace agentauri {
namespace {

using namespace std::chrono_literals;

TEST(TaskGroup, CancelEndsWhatItsChildrenWaitFor) {
  int ended = 0;
  run_blocking([&ended]() -> Task<void> {
    TaskGroup group(co_await this_executor());
    for (int i = 0; i < 10; ++i) {
      group.spawn("sleeper", [&ended]() -> Task<void> {
        const bool slept = co_await sleep_for(1h);
        if (!slept) ++ended;
      });
    }
    const bool done = co_await group.wait_for(1ms);
    EXPECT_FALSE(done);
    group.cancel();
    co_await group.wait();
  });
  EXPECT_EQ(ended, 10);
}

TEST(TaskGroup, SurvivesAChildThatThrows) {
  run_blocking([]() -> Task<void> {
    TaskGroup group(co_await this_executor());
    group.spawn("thrower", []() -> Task<void> {
      co_await sleep_for(1us);
      throw std::runtime_error("expected by this test");
    });
    co_await group.wait();
    EXPECT_EQ(group.size(), 0U);
  });
}

TEST(Signal, KeepsAHintThatCameBeforeTheWait) {
  run_blocking([]() -> Task<void> {
    Signal signal(co_await this_executor());
    signal.notify();
    signal.notify();
    EXPECT_TRUE(co_await signal.wait_for(1h));
    EXPECT_FALSE(co_await signal.wait_for(1ms));
  });
}

TEST(Signal, LosesNoHintFromAnotherThread) {
  constexpr int kHints = 20'000;
  std::atomic<int> sent{0};
  int seen = 0;
  run_blocking([&]() -> Task<void> {
    Signal signal(co_await this_executor());
    std::jthread sender([&] {
      for (int i = 0; i < kHints; ++i) {
        ++sent;
        signal.notify();
      }
    });
    // The last hint must arrive: a lost one would leave the loop waiting.
    while (seen < kHints) {
      const bool woken = co_await signal.wait_for(10s);
      EXPECT_TRUE(woken);
      if (!woken) co_return;
      seen = sent;
    }
  });
  EXPECT_EQ(seen, kHints);
}

TEST(Completion, WaitsForTheAnswerAlsoWhenCancelled) {
  std::atomic<bool> answered{false};
  run_blocking([&]() -> Task<void> {
    const auto executor = co_await this_executor();
    TaskGroup group(executor);
    std::jthread worker;
    group.spawn("waiter", [&]() -> Task<void> {
      Completion completion(executor);
      worker = std::jthread([&answered, completion]() mutable {
        std::this_thread::sleep_for(20ms);   // the answer comes after the cancellation, on purpose
        answered = true;
        completion.complete();
      });
      co_await completion.wait();
      EXPECT_TRUE(answered);
      // The cancellation is not forgotten: the next wait ends at once.
      EXPECT_TRUE(co_await cancelled());
      EXPECT_FALSE(co_await sleep_for(1h));
    });
    co_await sleep_for(1ms);
    group.cancel();
    co_await group.wait();
  });
}

// A store thread lets go of a unit some time after it has answered, and by then the loop may be gone.
TEST(Completion, MayOutliveItsLoop) {
  std::optional<Completion> kept;
  run_blocking([&kept]() -> Task<void> {
    kept.emplace(co_await this_executor());
    kept->complete();
    co_await kept->wait();
  });
  kept.reset();
}

TEST(Signal, MayOutliveItsLoop) {
  std::optional<Signal> kept;
  run_blocking([&kept]() -> Task<void> {
    kept.emplace(co_await this_executor());
    kept->notify();
    EXPECT_TRUE(co_await kept->wait_for(std::chrono::seconds(1)));
  });
  kept.reset();
}

TEST(StopFlag, TellsEverybodyOnce) {
  StopFlag stop;
  int calls = 0;
  stop.on_request([&calls] { ++calls; });
  EXPECT_FALSE(stop.requested());
  stop.request();
  stop.request();
  stop.on_request([&calls] { ++calls; });
  EXPECT_EQ(calls, 2);
  EXPECT_TRUE(stop.requested());
}

TEST(IoThread, RunsWhatIsSpawnedOnIt) {
  IoThread thread("test-io");
  const auto here = std::this_thread::get_id();
  std::atomic<bool> elsewhere{false};
  run_blocking([&]() -> Task<void> {
    co_await run_on(thread.executor(), [&]() -> Task<void> {
      elsewhere = std::this_thread::get_id() != here;
      co_return;
    });
  });
  EXPECT_TRUE(elsewhere);
}

}   // namespace
}   // namespace agentauri
