// The whole way: a follower over JSON-RPC and HTTP against a node that mines.
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "chain/evm/json_rpc_source.hpp"
#include "chain/fake/fake_node.hpp"
#include "chain/indexer/follower.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::chain {
namespace {

using namespace std::chrono_literals;

constexpr domain::ChainId kChain = 31337;

// Runs `body` on the loop of `thread` while the caller goes on.
std::jthread run_beside(IoThread& thread, std::function<Task<void>()> body) {
  return std::jthread([executor = thread.executor(), body = std::move(body)] {
    run_blocking([&]() -> Task<void> { co_await run_on(executor, body); });
  });
}

class FollowerOfANode : public ::testing::Test {
 protected:
  FollowerOfANode()
      : temp_(store::testing::make_temp_sqlite()),
        chain_(kChain, 1, SystemClock().now() - 1h, std::chrono::seconds(1)) {}

  FollowerSettings settings() {
    FollowerSettings s;
    s.chain_id = kChain;
    s.name = "fake";
    s.contracts = chain_.contracts();
    s.epoch = 1;
    s.finality_depth = 10;
    s.bloom_patience = 100ms;
    return s;
  }
  JsonRpcSettings rpc(const std::vector<std::string>& urls) {
    JsonRpcSettings s;
    s.chain_id = kChain;
    s.chain_name = "fake";
    for (const auto& url : urls) s.urls.emplace_back(url);
    s.timeout = 5s;
    s.breaker_reset = 200ms;
    return s;
  }
  store::ChainRow row() {
    auto found = temp_.db->snapshot_blocking<std::optional<store::ChainRow>>(
        [](store::Tx& tx) { return store::find_chain(tx, kChain); });
    return found && *found ? **found : store::ChainRow{};
  }
  std::set<std::string> stored() {
    auto page = temp_.db->snapshot_blocking<store::EventPage>(
        [](store::Tx& tx) { return store::list_events(tx, {}, 100'000, 0); });
    std::set<std::string> out;
    for (const auto& event : page->rows)
      out.insert(to_hex_0x(event.block_hash) + "/" + std::to_string(event.log_index));
    return out;
  }
  std::set<std::string> on_chain() {
    std::set<std::string> out;
    for (const auto& log : chain_.logs(0, chain_.head().num)) {
      out.insert(to_hex_0x(log.block_hash) + "/" + std::to_string(log.log_index));
    }
    return out;
  }
  // Runs a follower over the nodes until `done`, or fails after half a minute; then it must end at once when it is
  // asked.
  void follow(const std::vector<std::string>& urls, std::function<bool()> done) {
    IoThread thread("follower");
    Signal stop(thread.executor());
    auto running = run_beside(thread, [&]() -> Task<void> {
      net::HttpClient client(co_await this_executor(), {});
      JsonRpcSource source(client, rpc(urls), metrics_);
      ChainFollower follower(source, *temp_.db, clock_, settings(), metrics_, [] {});
      TaskGroup group(co_await this_executor());
      group.spawn("follower", [&follower]() -> Task<void> {
        const auto why = co_await follower.run();
        EXPECT_EQ(why.error().code, Code::cancelled) << why.error().text;
      });
      (void)co_await stop.wait_for(1min);
      group.cancel();
      EXPECT_TRUE(co_await group.wait_for(2s)) << "a follower ends when it is asked to";
      co_await group.wait();
    });
    const auto until = std::chrono::steady_clock::now() + 30s;
    while (!done() && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(5ms);
    EXPECT_TRUE(done());
    stop.notify();
    running.join();
    thread.stop();
  }

  SystemClock clock_;
  Metrics metrics_;
  store::testing::TempDatabase temp_;
  FakeChain chain_;
};

TEST_F(FollowerOfANode, KeepsUpWithAMiningChainAndItsReorg) {
  for (int i = 0; i < 40; ++i) {
    chain_.give_feedback(1, 1, 50, 0, "starred", "");
    chain_.mine();
  }
  IoThread thread("node");
  FakeNode node(thread.executor(), chain_, 25);
  ASSERT_TRUE(node.start());
  std::atomic<int> mined{0};
  Signal stop(thread.executor());
  auto mining = run_beside(thread, [&]() -> Task<void> {
    TaskGroup group(co_await this_executor());
    group.spawn("miner", [&]() -> Task<void> {
      co_await mine_every(chain_, 40ms, [&] {
        if (mined == 20) chain_.reorg(3, true);
        if (mined < 40) chain_.give_feedback(2, 2, 60, 0, "starred", "");
        ++mined;
      });
    });
    (void)co_await stop.wait_for(1min);
    group.cancel();
    co_await group.wait();
    co_await node.stop();
  });
  follow({node.url()}, [&] { return mined > 60 && stored() == on_chain(); });
  EXPECT_EQ(row().state, "ok");
  EXPECT_GT(row().last_seq, 0) << "the live part went through the log";
  stop.notify();
  mining.join();
  thread.stop();
}

TEST_F(FollowerOfANode, AProviderOfAnotherChainIsNotUsed) {
  chain_.give_feedback(1, 1, 50, 0, "starred", "");
  chain_.mine();
  FakeChain other_chain(kChain, 99, from_unix_seconds(1'600'000'000), std::chrono::seconds(1));
  for (int i = 0; i < 50; ++i) {
    other_chain.give_feedback(9, 9, 1, 0, "", "");
    other_chain.mine();
  }
  IoThread thread("nodes");
  FakeNode wrong(thread.executor(), other_chain), right(thread.executor(), chain_);
  wrong.set_faults({.wrong_chain = 1});
  ASSERT_TRUE(wrong.start());
  ASSERT_TRUE(right.start());
  for (int i = 0; i < 150; ++i) chain_.mine();   // history is read up to the finalized block, which is far below
  follow({wrong.url(), right.url()}, [&] { return row().head_num == chain_.head().num && stored() == on_chain(); });
  EXPECT_EQ(right.calls() > 0, true);
  run_beside(thread, [&]() -> Task<void> {
    co_await wrong.stop();
    co_await right.stop();
  }).join();
  thread.stop();
}

TEST_F(FollowerOfANode, IsDownWhileNobodyAnswersAndComesBack) {
  for (int i = 0; i < 3; ++i) chain_.mine();
  IoThread thread("node");
  FakeNode node(thread.executor(), chain_);
  std::atomic<bool> broken{false};
  node.set_faults({.fails = [&broken](std::string_view) { return broken.load(); }});
  ASSERT_TRUE(node.start());
  int stage = 0;
  follow({node.url()}, [&] {
    if (stage == 0 && row().head_num == 3) {
      broken = true;
      stage = 1;
    } else if (stage == 1 && row().state == "down") {
      EXPECT_TRUE(row().reason);
      broken = false;
      chain_.mine();
      stage = 2;
    }
    return stage == 2 && row().state == "ok" && row().head_num == 4;
  });
  run_beside(thread, [&]() -> Task<void> { co_await node.stop(); }).join();
  thread.stop();
}

}   // namespace
}   // namespace agentauri::chain
