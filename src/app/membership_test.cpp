#include "app/membership.hpp"

#include <gtest/gtest.h>

#include "store/testing/temp_database.hpp"

namespace agentauri::app {
namespace {

const store::Query kBeatAt{"test_membership_beat_at", "UPDATE instances SET heartbeat_at = :at WHERE id = :id"};
const store::Query kThere{"test_membership_there", "SELECT heartbeat_at FROM instances WHERE id = :id"};

class Members : public store::testing::EngineTest {
 protected:
  static domain::InstanceId name() { return domain::InstanceId::make(SystemClock().now()); }
  void silence(domain::InstanceId id) {
    ASSERT_TRUE(in_tx<void>([id](store::Tx& tx) -> Result<void> {
      auto row = tx.run(kBeatAt, store::Params().id("id", id).time("at", from_unix_seconds(1'000'000)));
      if (!row) return fail(row);
      return {};
    }));
  }
  bool is_there(domain::InstanceId id) { return !db().query_blocking(kThere, store::Params().id("id", id))->empty(); }
};

TEST_P(Members, WhoeverIsBackFirstLeavesTheOthersInPeace) {
  const auto holder_name = name();
  run_blocking([&]() -> Task<void> {
    Membership holder(db(), holder_name, "all"), first(db(), name(), "all");
    EXPECT_TRUE(co_await holder.join());
    EXPECT_TRUE(co_await holder.hold("chain:1"));
    silence(holder_name);   // as after an outage
    EXPECT_TRUE(co_await first.join());
    TaskGroup group(co_await this_executor());
    group.spawn("first", [&]() -> Task<void> { co_await first.run(); });
    std::optional<std::int64_t> taken;
    group.spawn("wants", [&]() -> Task<void> { taken = co_await first.hold("chain:1"); });
    co_await sleep_for(store::kHeartbeat + store::kHeartbeat / 2);
    EXPECT_TRUE(is_there(holder_name));
    EXPECT_FALSE(taken);
    // Nothing more was heard of it although it could have been.
    for (int i = 0; i < 100 && !taken; ++i) co_await sleep_for(std::chrono::milliseconds(100));
    EXPECT_EQ(taken, 2);
    group.cancel();
    co_await group.wait();
  });
}

TEST_P(Members, OneThatWasDeclaredDeadEntersAgain) {
  const auto id = name();
  run_blocking([&]() -> Task<void> {
    Membership frozen(db(), id, "all");
    EXPECT_TRUE(co_await frozen.join());
    EXPECT_TRUE(in_tx<void>([id](store::Tx& tx) { return store::remove_instance(tx, id); }));
    TaskGroup group(co_await this_executor());
    group.spawn("beats", [&]() -> Task<void> { co_await frozen.run(); });
    for (int i = 0; i < 100 && !is_there(id); ++i) co_await sleep_for(std::chrono::milliseconds(50));
    EXPECT_TRUE(is_there(id));
    group.cancel();
    co_await group.wait();
  });
}

INSTANTIATE_TEST_SUITE_P(Engines, Members, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::app
