// Instances and leases, the same on both engines.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "store/instances.hpp"
#include "store/leases.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::store {
namespace {

using domain::InstanceId;

// The one way to make an instance silent without waiting for it.
const Query kSetHeartbeat{"test_set_heartbeat", "UPDATE instances SET heartbeat_at = :at WHERE id = :id"};

// Field 22 of its stat; the name in the second field is this program's, without spaces.
std::int64_t start_time_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string field;
  for (int i = 1; i <= 22; ++i) file >> field;
  return std::stoll(field);
}

class Leases : public testing::EngineTest {
 protected:
  InstanceId instance(const ProcessIdentity& process = this_process()) {
    const auto id = InstanceId::make(SystemClock().now());
    EXPECT_TRUE(in_tx<void>([&](Tx& tx) { return register_instance(tx, id, process, "all"); }));
    return id;
  }
  std::optional<std::int64_t> acquire(InstanceId id) {
    auto epoch = in_tx<std::optional<std::int64_t>>([id](Tx& tx) { return acquire_lease(tx, "chain:1", id); });
    EXPECT_TRUE(epoch) << epoch.error().text;
    return epoch.value_or(std::nullopt);
  }
  Result<void> check(InstanceId id, std::int64_t epoch) {
    return in_tx<void>([=](Tx& tx) { return check_lease(tx, "chain:1", id, epoch); });
  }
  std::int64_t remove_dead(const ProcessIdentity& me = this_process()) {
    return in_tx<std::int64_t>([&](Tx& tx) { return remove_dead_instances(tx, me); }).value();
  }
  // As if its last heartbeat had been `ago` before now, on the database's clock.
  void silence(InstanceId id, std::chrono::milliseconds ago) {
    EXPECT_TRUE(in_tx<void>([=](Tx& tx) -> Result<void> {
      auto now = tx.now();
      if (!now) return fail(now);
      auto row = tx.run(kSetHeartbeat, Params().id("id", id).time("at", *now - ago));
      if (!row) return fail(row);
      return {};
    }));
  }
  Result<void> beat(InstanceId id) {
    return in_tx<void>([id](Tx& tx) { return heartbeat(tx, id); });
  }
};

TEST_P(Leases, OneHolderUntilItIsDead) {
  const auto first = instance();
  const auto second = instance();
  const auto epoch = acquire(first);
  ASSERT_TRUE(epoch);
  EXPECT_EQ(acquire(second), std::nullopt);
  EXPECT_TRUE(check(first, *epoch));
  EXPECT_TRUE(in_tx<void>([&](Tx& tx) { return remove_instance(tx, first); }));
  const auto taken = acquire(second);
  ASSERT_TRUE(taken);
  EXPECT_GT(*taken, *epoch);
  EXPECT_EQ(check(first, *epoch).error().code, Code::fenced);
  EXPECT_EQ(beat(first).error().code, Code::fenced);
}

TEST_P(Leases, OperatorsSeeWhoIsThereAndWhoHoldsWhat) {
  const auto holder = instance();
  const auto waiting = instance();
  const auto epoch = acquire(holder);
  ASSERT_TRUE(epoch);
  silence(waiting, std::chrono::seconds(10));
  const auto look = [this] { return in_tx<Presence>([](Tx& tx) { return read_presence(tx); }); };
  const auto seen = look();
  ASSERT_TRUE(seen) << seen.error().text;
  ASSERT_EQ(seen->instances.size(), 2U);
  EXPECT_TRUE(seen->free.empty());
  for (const auto& row : seen->instances) {
    EXPECT_EQ(row.roles, "all");
    EXPECT_EQ(row.pid, this_process().pid);
    EXPECT_EQ(row.leases.size(), row.id == holder ? 1U : 0U);
    EXPECT_EQ(row.silent >= std::chrono::seconds(10), row.id == waiting);
  }
  EXPECT_TRUE(in_tx<void>([&](Tx& tx) { return remove_instance(tx, holder); }));
  const auto later = look();
  ASSERT_TRUE(later) << later.error().text;
  ASSERT_EQ(later->free.size(), 1U);
  EXPECT_EQ(later->free[0].name, "chain:1");
  EXPECT_EQ(later->free[0].epoch, *epoch);
}

TEST_P(Leases, AskingAgainKeepsTheEpoch) {
  const auto holder = instance();
  const auto epoch = acquire(holder);
  ASSERT_TRUE(epoch);
  EXPECT_EQ(acquire(holder), epoch);
  EXPECT_TRUE(check(holder, *epoch));
}

TEST_P(Leases, RaisingFencesTheHolderUntilItAsksAgain) {
  const auto raise = [this](std::int64_t above) {
    return in_tx<std::int64_t>([above](Tx& tx) { return raise_lease(tx, "chain:1", above); }).value();
  };
  const auto holder = instance();
  const auto epoch = acquire(holder);
  ASSERT_TRUE(epoch);
  EXPECT_EQ(raise(0), *epoch + 1);
  EXPECT_EQ(check(holder, *epoch).error().code, Code::fenced);
  EXPECT_EQ(acquire(instance()), std::nullopt) << "it still has its holder";
  EXPECT_EQ(acquire(holder), *epoch + 1);
  EXPECT_EQ(raise(*epoch + 10), *epoch + 11);
  EXPECT_EQ(acquire(holder), *epoch + 11);
}

TEST_P(Leases, WhatNobodyHasHeldCanBeRaised) {
  ASSERT_EQ(in_tx<std::int64_t>([](Tx& tx) { return raise_lease(tx, "chain:1", 4); }).value(), 5);
  const auto taken = acquire(instance());
  ASSERT_TRUE(taken);
  EXPECT_GT(*taken, 5);
}

TEST_P(Leases, SilenceBeyondThreeSecondsIsDeath) {
  const auto holder = instance();
  const auto other = instance();
  const auto epoch = acquire(holder);
  ASSERT_TRUE(epoch);
  silence(holder, kSilence - kHeartbeat);
  EXPECT_EQ(acquire(other), std::nullopt);
  EXPECT_EQ(remove_dead(), 0);
  silence(holder, kSilence + std::chrono::milliseconds(1));
  const auto taken = acquire(other);   // also before anybody has cleaned up
  ASSERT_TRUE(taken);
  EXPECT_GT(*taken, *epoch);
  EXPECT_EQ(remove_dead(), 1);
  EXPECT_EQ(beat(holder).error().code, Code::fenced);
  EXPECT_TRUE(beat(other));
}

TEST_P(Leases, AHeartbeatEndsTheSilence) {
  const auto holder = instance();
  const auto other = instance();
  ASSERT_TRUE(acquire(holder));
  silence(holder, std::chrono::seconds(10));
  ASSERT_TRUE(beat(holder));
  EXPECT_EQ(acquire(other), std::nullopt);
}

TEST_P(Leases, AProcessThatIsGoneIsKnownAtOnce) {
  auto earlier = this_process();
  earlier.pid_start += 1;   // the same pid, started at another time
  const auto living = instance();
  const auto gone = instance(earlier);
  EXPECT_EQ(remove_dead(), 1);
  EXPECT_EQ(beat(gone).error().code, Code::fenced);
  EXPECT_TRUE(beat(living));
}

TEST_P(Leases, AProcessThatHasEndedButIsNotYetReapedIsGone) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  auto ended = this_process();
  ended.pid = child;
  ended.pid_start = start_time_of(child);
  const auto gone = instance(ended);
  EXPECT_EQ(remove_dead(), 1);
  EXPECT_EQ(beat(gone).error().code, Code::fenced);
  ::waitpid(child, nullptr, 0);
}

// Whoever is back first after an outage of the store finds everybody silent.
TEST_P(Leases, SilenceCountsOnlyForThoseWhoCouldHaveHeard) {
  const auto holder = instance(), newcomer = instance();
  ASSERT_TRUE(acquire(holder));
  silence(holder, std::chrono::hours(1));
  const Reach back;
  EXPECT_EQ(in_tx<std::int64_t>([&](Tx& tx) { return remove_dead_instances(tx, this_process(), back); }).value(), 0);
  EXPECT_EQ(
      in_tx<std::optional<std::int64_t>>([&](Tx& tx) { return acquire_lease(tx, "chain:1", newcomer, back); }).value(),
      std::nullopt);
  EXPECT_TRUE(acquire(newcomer)) << "one that has heard nothing for long";
  EXPECT_EQ(remove_dead(), 1);
}

TEST(StoreReach, IsSteadyOnceItHasLastedAsLongAsASilence) {
  const auto start = Reach::Steady::now();
  Reach reach;
  EXPECT_FALSE(reach.steady(start));
  for (int s = 0; s < 3; ++s) {
    reach.reached(start + std::chrono::seconds(s));
    EXPECT_FALSE(reach.steady(start + std::chrono::seconds(s)));
  }
  EXPECT_TRUE(reach.steady(start + std::chrono::seconds(3)));
  EXPECT_TRUE(reach.steady(start + std::chrono::seconds(5)));
  // A unit of work that waited through an outage, and what comes after it.
  const auto later = start + std::chrono::seconds(10);
  EXPECT_FALSE(reach.steady(later));
  reach.reached(later);
  EXPECT_FALSE(reach.steady(later + std::chrono::seconds(2)));
  reach.reached(later + std::chrono::seconds(2));
  EXPECT_TRUE(reach.steady(later + std::chrono::seconds(3)));
}

TEST_P(Leases, NothingIsKnownOfProcessesElsewhere) {
  auto elsewhere = this_process();
  elsewhere.host = "another boot pid:[1]";
  elsewhere.pid = 1;
  elsewhere.pid_start = 12345;
  const auto stranger = instance(elsewhere);
  EXPECT_EQ(remove_dead(), 0);
  EXPECT_TRUE(beat(stranger));
}

INSTANTIATE_TEST_SUITE_P(Engines, Leases, testing::kEngines, testing::engine_name);

}   // namespace
}   // namespace agentauri::store
