// `agentauri chain rewind` and whoever follows the chain then: both meet in the lease and in the chain's row.
#include <gtest/gtest.h>

#include <thread>

#include "app/chain_roles.hpp"
#include "app/commands.hpp"
#include "app/exit_codes.hpp"
#include "app/membership.hpp"
#include "app/open_store.hpp"
#include "chain/fake/fake_node.hpp"
#include "store/chain_log.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::app {
namespace {

using namespace std::chrono_literals;

constexpr domain::ChainId kChain = 31337;

class ChainRewind : public ::testing::Test {
 protected:
  ChainRewind() : chain_(kChain, 1, SystemClock().now() - 1h, std::chrono::seconds(1)), node_thread_("node") {
    settings_.data_dir = folder_.path();
    node_ = std::make_unique<chain::FakeNode>(node_thread_.executor(), chain_);
    EXPECT_TRUE(node_->start());
  }
  ~ChainRewind() override {
    run_blocking([this]() -> Task<void> {
      co_await run_on(node_thread_.executor(), [this]() -> Task<void> { co_await node_->stop(); });
    });
    node_thread_.stop();
  }

  void mine(int blocks) {
    for (int i = 0; i < blocks; ++i) {
      chain_.give_feedback(1, 1, 50, 0, "starred", "");
      chain_.mine();
    }
  }
  static store::ChainRow row(store::Database& db) {
    auto found = db.snapshot_blocking<std::optional<store::ChainRow>>(
        [](store::Tx& tx) { return store::find_chain(tx, kChain); });
    return found && *found ? **found : store::ChainRow{};
  }
  // One life of a process that follows the chain: opens the store, calls `meanwhile`, and stops.
  void live(std::function<void(store::Database&)> meanwhile) {
    auto db = open_store(settings_, clock_, metrics_);
    ASSERT_TRUE(db) << db.error().text;
    IoThread thread("roles");
    Signal stop(thread.executor());
    const auto follow = [&]() -> Task<void> {
      net::HttpClient client(co_await this_executor(), {});
      Membership membership(**db, domain::InstanceId::make(clock_.now()), "indexer");
      EXPECT_TRUE(co_await membership.join());
      ChainSetting setting;
      setting.id = kChain;
      setting.rpc_urls.emplace_back(node_->url());
      setting.identity = chain_.contracts().identity;
      setting.reputation = chain_.contracts().reputation;
      setting.validation = chain_.contracts().validation;
      setting.poll_interval = 20ms;
      TaskGroup group(co_await this_executor());
      group.spawn("indexer", [&]() -> Task<void> {
        co_await follow_chain({**db, clock_, metrics_, client, membership, [] {}}, setting);
      });
      (void)co_await stop.wait_for(2min);
      co_await group.cancel_and_wait();
      co_await membership.leave();
    };
    std::thread life([&] { run_blocking([&]() -> Task<void> { co_await run_on(thread.executor(), follow); }); });
    meanwhile(**db);
    stop.notify();
    life.join();
    thread.stop();
  }
  // Blocks that are mined from now on are live ones.
  static bool is_attached(store::Database& db) {
    const auto until = std::chrono::steady_clock::now() + 20s;
    while (row(db).chain_id == 0 && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(5ms);
    return row(db).chain_id == kChain;
  }
  bool reaches_the_head(store::Database& db) {
    const auto until = std::chrono::steady_clock::now() + 20s;
    while (row(db).head_num != chain_.head().num && std::chrono::steady_clock::now() < until)
      std::this_thread::sleep_for(5ms);
    return row(db).head_num == chain_.head().num;
  }

  SystemClock clock_;
  Metrics metrics_;
  store::testing::TempFolder folder_;
  Settings settings_;
  chain::FakeChain chain_;
  IoThread node_thread_;
  std::unique_ptr<chain::FakeNode> node_;
};

TEST_F(ChainRewind, TheNextProcessGoesOnFromThereHoweverOftenItWasRewound) {
  live([this](store::Database& db) {
    EXPECT_TRUE(is_attached(db));
    mine(30);
    EXPECT_TRUE(reaches_the_head(db));
  });
  EXPECT_EQ(run_chain_rewind(settings_, kChain, 20), kExitOk);
  EXPECT_EQ(run_chain_rewind(settings_, kChain, 15), kExitOk);
  live([this](store::Database& db) {
    mine(1);
    EXPECT_TRUE(reaches_the_head(db)) << "the chain's head stays at " << row(db).head_num;
    EXPECT_EQ(row(db).state, "ok");
  });
}

// With PostgreSQL the command runs beside the process that follows the chain.
TEST_F(ChainRewind, AProcessThatFollowsTheChainTakesItUpAgain) {
  live([this](store::Database& db) {
    EXPECT_TRUE(is_attached(db));
    mine(30);
    EXPECT_TRUE(reaches_the_head(db));
    for (const std::uint64_t to : {25U, 20U}) {
      const auto before = row(db).epoch;
      const auto done = db.transact_blocking<std::uint64_t>(store::Priority::interactive, [this, to](store::Tx& tx) {
        return take_chain_back(tx, kChain, to, clock_.now() - std::chrono::days(30), clock_.now());
      });
      ASSERT_TRUE(done) << done.error().text;
      EXPECT_EQ(*done, to);
      mine(1);
      EXPECT_TRUE(reaches_the_head(db)) << "the chain's head stays at " << row(db).head_num;
      EXPECT_GT(row(db).epoch, before);
      EXPECT_EQ(row(db).state, "ok");
    }
  });
}

TEST_F(ChainRewind, RefusesWhatItCannotDo) {
  live([this](store::Database& db) {
    EXPECT_TRUE(is_attached(db));
    mine(5);
    EXPECT_TRUE(reaches_the_head(db));
  });
  EXPECT_EQ(run_chain_rewind(settings_, kChain, 5), kExitUsage) << "the head itself";
  EXPECT_EQ(run_chain_rewind(settings_, kChain + 1, 1), kExitUsage);
  EXPECT_EQ(run_chain_rewind(settings_, kChain, 4), kExitOk);
}

}   // namespace
}   // namespace agentauri::app
