#include "store/chain_log.hpp"

#include <gtest/gtest.h>

#include "core/crypto/crypto.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::store {
namespace {

constexpr domain::ChainId kChain = 31337;

// A small chain of our own: block n of branch b, with a number of events.
class ChainLog : public testing::EngineTest {
 protected:
  Hash32 hash(std::uint64_t num, int branch) { return crypto::sha256(as_bytes(std::to_string(num) + "/" + std::to_string(branch))); }

  IngestedBlock block(std::uint64_t num, int branch, int parent_branch, int events) {
    IngestedBlock out;
    out.block = {hash(num, branch), num, hash(num - 1, parent_branch), from_unix_seconds(static_cast<std::int64_t>(1'700'000'000 + num)), from_unix_seconds(1'800'000'000)};
    for (int i = 0; i < events; ++i) {
      domain::Event event;
      event.chain_id = kChain;
      event.block_num = num;
      event.block_hash = out.block.hash;
      event.txn_hash = hash(num, 1000 + i);
      event.txn_index = static_cast<std::uint32_t>(i);
      event.log_index = static_cast<std::uint32_t>(i);
      event.registry = domain::Registry::reputation;
      event.event_type = "NewFeedback";
      event.agent_id = Uint256(42);
      event.value = 87;
      event.value_decimals = 0;
      event.score = 87;
      event.feedback_index = UINT64_MAX;
      out.events.push_back(event);
    }
    return out;
  }
  void attach(std::uint64_t live_from = 100, std::int64_t epoch = 1) {
    auto row = in_tx<ChainRow>([=](Tx& tx) { return attach_chain(tx, kChain, "test", 10, live_from, epoch, from_micros(1)); });
    ASSERT_TRUE(row) << row.error().text;
  }
  Result<void> append(std::vector<IngestedBlock> blocks, std::int64_t epoch = 1) {
    return in_tx<void>([&, epoch](Tx& tx) { return append_blocks(tx, kChain, epoch, blocks, {{Address{}}, true}, std::nullopt, std::nullopt, from_micros(2)); });
  }
  Result<void> rewind(std::uint64_t num, int branch, std::int64_t epoch = 1) {
    return in_tx<void>([=, this](Tx& tx) { return rewind_chain(tx, kChain, epoch, num, hash(num, branch), from_micros(3)); });
  }
  std::vector<std::pair<int, std::uint64_t>> log() {
    auto entries = in_tx<std::vector<LogEntry>>([](Tx& tx) { return read_block_log(tx, kChain, 0, 1000); });
    EXPECT_TRUE(entries);
    std::vector<std::pair<int, std::uint64_t>> out;
    std::int64_t expected = 0;
    for (const auto& entry : *entries) {
      EXPECT_EQ(entry.seq, ++expected) << "the sequence has no gap";
      out.emplace_back(entry.op, entry.block_num);
    }
    return out;
  }
  std::vector<CoverageRow> coverage() { return *in_tx<std::vector<CoverageRow>>([](Tx& tx) { return read_coverage(tx, kChain); }); }
  std::int64_t canonical_events() { return in_tx<EventPage>([](Tx& tx) { return list_events(tx, {}, 100, 0); })->total; }
};

using Entries = std::vector<std::pair<int, std::uint64_t>>;

TEST_P(ChainLog, BlocksWithEventsJoinInOrder) {
  attach();
  ASSERT_TRUE(append({block(100, 0, 0, 1), block(101, 0, 0, 0), block(102, 0, 0, 2)}));
  EXPECT_EQ(log(), (Entries{{1, 100}, {1, 102}}));
  EXPECT_EQ(canonical_events(), 3);
  const auto ranges = coverage();
  ASSERT_EQ(ranges.size(), 1U);
  EXPECT_EQ(ranges[0].from_block, 100U);
  EXPECT_EQ(ranges[0].to_block, 102U);
  auto events = in_tx<std::vector<domain::Event>>([&](Tx& tx) { return read_block_events(tx, kChain, hash(102, 0), from_unix_seconds(1'700'000'102), 1, 10); });
  ASSERT_TRUE(events) << events.error().text;
  ASSERT_EQ(events->size(), 1U);
  EXPECT_EQ((*events)[0].log_index, 1U);
  EXPECT_EQ((*events)[0].value, 87);
  EXPECT_EQ((*events)[0].feedback_index, UINT64_MAX);
}

TEST_P(ChainLog, AReorgLeavesFromTheTop) {
  attach();
  ASSERT_TRUE(append({block(100, 0, 0, 1), block(101, 0, 0, 1), block(102, 0, 0, 1)}));
  ASSERT_TRUE(rewind(100, 0));
  EXPECT_EQ(log(), (Entries{{1, 100}, {1, 101}, {1, 102}, {-1, 102}, {-1, 101}}));
  EXPECT_EQ(canonical_events(), 1);
  EXPECT_EQ(coverage()[0].to_block, 100U);
  const auto row = **in_tx<std::optional<ChainRow>>([](Tx& tx) { return find_chain(tx, kChain); });
  EXPECT_EQ(row.head_num, 100U);
  EXPECT_EQ(row.head_hash, hash(100, 0));
  ASSERT_TRUE(append({block(101, 1, 0, 2)}));
  EXPECT_EQ(canonical_events(), 3);
  // And back to the first branch: the same rows are canonical again.
  ASSERT_TRUE(rewind(100, 0));
  ASSERT_TRUE(append({block(101, 0, 0, 1), block(102, 0, 0, 1)}));
  EXPECT_EQ(canonical_events(), 3);
  EXPECT_EQ(log().size(), 9U);
  EXPECT_EQ(coverage().size(), 1U);
}

TEST_P(ChainLog, AnOldEpochIsFenced) {
  attach(100, 5);
  ASSERT_TRUE(append({block(100, 0, 0, 1)}, 5));
  attach(100, 6);
  EXPECT_EQ(append({block(101, 0, 0, 1)}, 5).error().code, Code::fenced);
  EXPECT_EQ(rewind(99, 0, 5).error().code, Code::fenced);
  auto late = in_tx<ChainRow>([](Tx& tx) { return attach_chain(tx, kChain, "test", 10, 100, 4, from_micros(1)); });
  EXPECT_EQ(late.error().code, Code::fenced);
  EXPECT_EQ(log(), (Entries{{1, 100}}));
  ASSERT_TRUE(append({block(101, 0, 0, 1)}, 6));
}

TEST_P(ChainLog, HistoryHasNoLogEntry) {
  attach();
  ASSERT_TRUE(in_tx<void>([&](Tx& tx) { return append_history(tx, kChain, 1, {block(50, 0, 0, 2)}, 10, 60, {{Address{}}, false}, from_micros(5)); }));
  ASSERT_TRUE(in_tx<void>([&](Tx& tx) { return append_history(tx, kChain, 1, {}, 61, 99, {{Address{}}, false}, from_micros(5)); }));
  EXPECT_TRUE(log().empty());
  EXPECT_EQ(canonical_events(), 2);
  const auto ranges = coverage();
  ASSERT_EQ(ranges.size(), 1U);
  EXPECT_EQ(ranges[0].from_block, 10U);
  EXPECT_EQ(ranges[0].to_block, 99U);
  auto live = in_tx<std::vector<domain::Event>>([&](Tx& tx) { return read_block_events(tx, kChain, hash(50, 0), from_unix_seconds(1'700'000'050), 0, 10); });
  EXPECT_TRUE(live->empty());
}

TEST_P(ChainLog, ALateLogEntersOnce) {
  attach();
  ASSERT_TRUE(append({block(100, 0, 0, 0), block(101, 0, 0, 1)}));
  const auto add = [&](std::uint64_t num, int events) { return in_tx<std::int64_t>([&, num, events](Tx& tx) { return add_late_events(tx, kChain, 1, {block(num, 0, 0, events)}, from_micros(9)); }); };
  EXPECT_EQ(add(100, 1).value(), 1);
  EXPECT_EQ(add(100, 1).value(), 0);
  EXPECT_EQ(add(101, 1).value(), 0);
  EXPECT_EQ(canonical_events(), 2);
  EXPECT_EQ(log().size(), 1U);
}

TEST_P(ChainLog, EventsAreFilteredAndPaged) {
  attach();
  std::vector<IngestedBlock> blocks;
  for (std::uint64_t num = 100; num < 110; ++num) blocks.push_back(block(num, 0, 0, 3));
  ASSERT_TRUE(append(blocks));
  const auto page = [&](EventFilter filter, std::int64_t limit, std::int64_t offset) {
    auto out = in_tx<EventPage>([&](Tx& tx) { return list_events(tx, filter, limit, offset); });
    EXPECT_TRUE(out) << out.error().text;
    return *out;
  };
  EXPECT_EQ(page({}, 5, 0).total, 30);
  EXPECT_EQ(page({}, 5, 28).rows.size(), 2U);
  EXPECT_EQ(page({}, 5, 0).rows[0].block_num, 109U);
  EXPECT_EQ(page({.chain_id = 1}, 5, 0).total, 0);
  EXPECT_EQ(page({.agent_id = "42"}, 5, 0).total, 30);
  EXPECT_EQ(page({.search = "FEEDB"}, 5, 0).total, 30);
  EXPECT_EQ(page({.search = "F%K"}, 5, 0).total, 0);
}

INSTANTIATE_TEST_SUITE_P(Engines, ChainLog, testing::kEngines, testing::engine_name);

}  // namespace
}  // namespace agentauri::store
