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

// The first cancellation meets nothing that it could end; the wait that begins afterwards is not one of ours, so only
// the repetition reaches it.
TEST(TaskGroup, CancelsAgainWhatBeganAWaitAfterTheFirstCancellation) {
  run_blocking([]() -> Task<void> {
    const auto executor = co_await this_executor();
    TaskGroup group(executor);
    bool begun = false, ended = false;
    group.spawn("late", [&]() -> Task<void> {
      TaskGroup inner(executor);
      inner.spawn("sleeper", []() -> Task<void> { (void)co_await sleep_for(1h); });
      begun = true;
      co_await sleep_for(1h);
      while (inner.size() > 0) {   // as an Asio operation: looks at nothing but its own interruption
        if (co_await inner.wait_for(20ms)) break;
        if (co_await cancelled()) co_await inner.cancel_and_wait();
      }
      ended = true;
    });
    while (!begun) co_await sleep_for(1ms);
    co_await group.cancel_and_wait();
    EXPECT_TRUE(ended);
    EXPECT_EQ(group.size(), 0U);
  });
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

// The first wait takes the hint before its wake-up has come; the wake-up must not end the second one.
TEST(Signal, WaitsForItsWholeLimitAlsoAfterAHintThatWasTakenAtOnce) {
  run_blocking([]() -> Task<void> {
    Signal signal(co_await this_executor());
    signal.notify();
    EXPECT_TRUE(co_await signal.wait_for(1h));
    const auto before = std::chrono::steady_clock::now();
    EXPECT_FALSE(co_await signal.wait_for(50ms));
    EXPECT_GE(std::chrono::steady_clock::now() - before, 50ms);
  });
}

TEST(Signal, EndsItsWaitWhenTheCallerIsCancelled) {
  run_blocking([]() -> Task<void> {
    TaskGroup group(co_await this_executor());
    group.spawn("waiter", []() -> Task<void> {
      Signal signal(co_await this_executor());
      EXPECT_FALSE(co_await signal.wait_for(1h));
    });
    co_await sleep_for(1ms);
    co_await group.cancel_and_wait();
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

TEST(RunOn, RunsToItsEndAlsoWhenItsCallerIsCancelled) {
  IoThread thread("test-io");
  run_blocking([&]() -> Task<void> {
    TaskGroup group(co_await this_executor());
    std::atomic<bool> begun{false};
    bool slept = false;
    group.spawn("caller", [&]() -> Task<void> {
      co_await run_on(thread.executor(), [&]() -> Task<void> {
        begun = true;
        slept = co_await sleep_for(50ms);
      });
      EXPECT_TRUE(co_await cancelled());
    });
    while (!begun) co_await sleep_for(1ms);
    co_await group.cancel_and_wait();
    EXPECT_TRUE(slept);
  });
}

TEST(RunOn, BringsAnExceptionBack) {
  IoThread thread("test-io");
  run_blocking([&]() -> Task<void> {
    bool caught = false;
    try {
      co_await run_on(thread.executor(), []() -> Task<void> {
        co_await sleep_for(1us);
        throw std::runtime_error("expected by this test");
      });
    } catch (const std::runtime_error&) {
      caught = true;
    }
    EXPECT_TRUE(caught);
  });
}

}   // namespace
}   // namespace agentauri
