// The indexer's status as strangers see it, on both engines.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/testing/gateway_fixture.hpp"
#include "store/chain_log.hpp"
#include "store/leases.hpp"

namespace agentauri::gateway {
namespace {

using testing::Answer;
using testing::EngineHarness;
using testing::Harness;
using namespace std::chrono_literals;

constexpr const char* kStatus = "/api/v1/ponder/status";
constexpr const char* kEvents = "/api/v1/ponder/events";

domain::Event event_of(domain::ChainId chain, const store::BlockRow& block, std::uint32_t index, std::string type) {
  domain::Event e;
  e.chain_id = chain;
  e.block_num = block.num;
  e.block_hash = block.hash;
  e.block_time = block.time;
  e.txn_hash.data[0] = static_cast<std::uint8_t>(index);
  e.txn_hash.data[1] = static_cast<std::uint8_t>(block.num);
  e.txn_index = index;
  e.log_index = index;
  e.registry = domain::Registry::reputation;
  e.event_type = std::move(type);
  e.agent_id = Uint256(7);
  return e;
}

class IndexerStatus : public EngineHarness {
 protected:
  template <class Body>
  void store(Body body) {
    auto done = h.db().transact_blocking<void>(store::Priority::interactive,
                                               [&](store::Tx& tx) -> Result<void> { return body(tx); });
    ASSERT_TRUE(done) << done.error().text;
  }
  void attach(domain::ChainId chain, std::string name, std::uint64_t live_from = 100) {
    store([&](store::Tx& tx) -> Result<void> {
      auto row = store::attach_chain(tx, chain, name, 0, live_from, 1, h.clock_.now());
      if (!row) return fail(row);
      return {};
    });
  }
  // The next block of a chain, mined `age` ago, seen a second later.
  store::IngestedBlock block(domain::ChainId chain, std::uint64_t num, std::chrono::seconds age,
                             std::vector<std::string> events) {
    store::IngestedBlock out;
    out.block.num = num;
    out.block.hash.data[0] = static_cast<std::uint8_t>(num);
    out.block.hash.data[1] = static_cast<std::uint8_t>(chain);
    out.block.time = h.clock_.now() - age;
    out.block.seen_at = out.block.time + 1s;
    for (std::uint32_t i = 0; i < events.size(); ++i) out.events.push_back(event_of(chain, out.block, i, events[i]));
    return out;
  }
  void append(domain::ChainId chain, store::IngestedBlock block, std::optional<std::uint64_t> tip = std::nullopt) {
    store([&](store::Tx& tx) {
      return store::append_blocks(tx, chain, 1, {block}, {}, std::nullopt, block.block.num - 10, h.clock_.now(), tip);
    });
  }
  void follow(domain::ChainId chain) {
    store([&](store::Tx& tx) -> Result<void> {
      const auto me = domain::InstanceId::make(h.clock_.now());
      if (auto made = store::register_instance(tx, me, store::this_process(), "indexer"); !made) return made;
      auto held = store::acquire_lease(tx, fmt::format("chain:{}", chain), me);
      if (!held) return fail(held);
      return {};
    });
  }
  void forget_instances() {
    store([](store::Tx& tx) -> Result<void> {
      auto gone = tx.run(kForget);
      if (!gone) return fail(gone);
      return {};
    });
  }
  static inline const store::Query kForget{store::Query::Unlisted{}, "test_forget_instances", "DELETE FROM instances"};
};
INSTANTIATE_TEST_SUITE_P(Engines, IndexerStatus, ::testing::Values("sqlite", "postgres"));

TEST_P(IndexerStatus, NothingIsKnownYet) {
  const auto status = h.get(kStatus);
  EXPECT_EQ(status.status, 200);
  EXPECT_EQ(status.text,
            R"({"status":"initializing","schema":"public","namespace":"agentauri","chains":[],"total_events":0,)"
            R"("last_activity_at":null,"debug_error":"No chain is indexed yet"})");
  EXPECT_EQ(h.get(kEvents).text, R"({"total_types":0,"events":[]})");
}

TEST_P(IndexerStatus, SaysHowFarEachChainIs) {
  attach(8453, "baseMainnet");
  attach(84532, "baseSepolia");
  attach(31337, "chain31337");
  follow(84532);
  append(84532, block(84532, 100, 30s, {"NewFeedback", "NewFeedback", "Registered"}));
  append(84532, block(84532, 101, 5s, {}));
  append(8453, block(8453, 100, 90s, {"Registered"}), 5000);
  const auto status = h.get(kStatus);
  ASSERT_EQ(status.status, 200) << status.text;
  EXPECT_EQ(status.at("status"), "partial");
  EXPECT_EQ(status.at("total_events"), "4");
  const auto now = to_unix_seconds(h.clock_.now());
  EXPECT_EQ(status.at("last_activity_at"), std::to_string(now - 30));
  EXPECT_EQ(status.at("chains.0.chain"), "baseSepolia") << "testnets first";
  EXPECT_EQ(status.at("chains.0.current_block"), "100") << "the newest with an event";
  EXPECT_EQ(status.at("chains.0.indexed_block"), "101");
  EXPECT_EQ(status.at("chains.0.head_block"), "101");
  EXPECT_EQ(status.at("chains.0.lag_blocks"), "0");
  EXPECT_EQ(status.at("chains.0.lag_seconds"), "5");
  EXPECT_EQ(status.at("chains.0.finalized_block"), "91");
  EXPECT_EQ(status.at("chains.0.last_sync_at"), to_rfc3339(h.clock_.now() - 4s));
  EXPECT_EQ(status.at("chains.0.is_synced"), "true");
  EXPECT_EQ(status.at("chains.1.chain_id"), "8453");
  EXPECT_EQ(status.at("chains.1.head_block"), "5000");
  EXPECT_EQ(status.at("chains.1.lag_blocks"), "4900");
  EXPECT_EQ(status.at("chains.1.is_synced"), "false");
  EXPECT_EQ(status.at("chains.2.chain_id"), "31337");
  EXPECT_EQ(status.at("chains.2.current_block"), "0");
  for (const auto* unknown :
       {"last_sync_at", "head_block", "lag_blocks", "lag_seconds", "finalized_block", "providers"})
    EXPECT_EQ(status.find(std::string("chains.2.") + unknown), nullptr) << unknown;
}

TEST_P(IndexerStatus, SyncedMeansCloseAndLookedAfter) {
  attach(31337, "chain31337");
  const auto synced = [&] { return h.get(kStatus).at("chains.0.is_synced"); };
  append(31337, block(31337, 100, 3600s, {"NewFeedback"}));
  EXPECT_EQ(synced(), "false") << "nobody follows it";
  follow(31337);
  EXPECT_EQ(synced(), "true") << "a quiet chain: its head is old, and ours";
  EXPECT_EQ(h.get(kStatus).at("status"), "healthy");
  append(31337, block(31337, 101, 3600s, {}), 105);
  EXPECT_EQ(synced(), "false") << "four blocks behind";
  append(31337, block(31337, 102, 3600s, {}), 105);
  EXPECT_EQ(synced(), "true") << "three";
  append(31337, block(31337, 103, 60s, {}), 1000);
  EXPECT_EQ(synced(), "true") << "many, but a minute at most";
  h.clock_.advance(1s);
  EXPECT_EQ(synced(), "false");
  append(31337, block(31337, 104, 0s, {}));
  EXPECT_EQ(synced(), "true");
  store([&](store::Tx& tx) {
    return store::set_chain_state(tx, 31337, 1, "down", "no provider answers", h.clock_.now());
  });
  EXPECT_EQ(synced(), "false");
  store([&](store::Tx& tx) { return store::set_chain_state(tx, 31337, 1, "ok", std::nullopt, h.clock_.now()); });
  EXPECT_EQ(synced(), "true");
  forget_instances();
  EXPECT_EQ(synced(), "false") << "its process is gone";
}

TEST_P(IndexerStatus, EventsAreCountedByChainAndType) {
  attach(8453, "baseMainnet");
  attach(31337, "chain31337");
  append(31337, block(31337, 100, 9s, {"Registered", "NewFeedback", "NewFeedback"}));
  append(8453, block(8453, 100, 9s, {"Registered"}));
  EXPECT_EQ(
      h.get(kEvents).text,
      R"({"total_types":3,"events":[{"chain_id":8453,"event_name":"Registered","count":1},)"
      R"({"chain_id":31337,"event_name":"NewFeedback","count":2},{"chain_id":31337,"event_name":"Registered","count":1}]})");
  // What leaves the chain is not counted any more.
  append(31337, block(31337, 101, 8s, {"NewFeedback"}));
  EXPECT_EQ(h.get(kStatus).at("total_events"), "5");
  const auto ancestor = block(31337, 100, 9s, {}).block.hash;
  store([&](store::Tx& tx) { return store::rewind_chain(tx, 31337, 1, 100, ancestor, h.clock_.now()); });
  EXPECT_EQ(h.get(kStatus).at("total_events"), "4");
  EXPECT_EQ(h.get(kStatus).at("chains.1.current_block"), "100");
}

TEST_P(IndexerStatus, CountsAsAReadOfWhoeverAsks) {
  const auto first = h.get(kStatus);
  EXPECT_EQ(first.header("X-RateLimit-Limit"), "60");
  EXPECT_EQ(first.header("Cache-Control"), "public, max-age=5");
  EXPECT_FALSE(first.header("ETag").empty());
  for (int i = 0; i < 59; ++i) ASSERT_EQ(h.get(i % 2 == 0 ? kStatus : kEvents).status, 200) << i;
  EXPECT_EQ(h.get(kStatus).status, 429);
  EXPECT_EQ(h.get(kEvents, {{"Authorization", "Bearer x"}}).status, 429) << "a bad credential is as none";
  const auto user = h.signed_in("orbit7");
  EXPECT_EQ(h.get(kStatus, user).header("X-RateLimit-Limit"), "300");
  const auto key = h.post("/api/v1/api-keys?organization_id=" + h.organization_id(user),
                          R"({"name":"k","environment":"live","permissions":["write"]})", user);
  EXPECT_EQ(h.get(kStatus, Harness::with_key(key.at("data.key"))).header("X-RateLimit-Limit"), "50");
}

TEST(IndexerStatusOfConfigured, ChainsThatNoIndexerHasMet) {
  Harness h([](GatewaySettings& s) {
    s.public_chains = {{1, "Ethereum", "ethereumMainnet", {}}, {59141, "Linea Sepolia", "lineaSepolia", {}}};
  });
  EXPECT_EQ(h.get(kStatus).at("chains"),
            R"([{"chain":"lineaSepolia","chain_id":59141,"current_block":0,"is_synced":false},)"
            R"({"chain":"ethereumMainnet","chain_id":1,"current_block":0,"is_synced":false}])");
}

}   // namespace
}   // namespace agentauri::gateway
