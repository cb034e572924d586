// Old events go; what may still be needed stays, and everybody is told what may be missing.
#include "store/forget_events.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/crypto/crypto.hpp"
#include "store/chain_log.hpp"
#include "store/event_counts.hpp"
#include "store/jobs.hpp"
#include "store/testing/temp_database.hpp"
#include "store/trigger_state.hpp"

namespace agentauri::store {
namespace {

using std::chrono::hours;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint64_t kFirst = 100;   // live from here on
constexpr std::uint64_t kUndo = 3;
const Time kStart = from_unix_seconds(1'768'471'200);

// A block a day, day n is block kFirst + n.
Time day(int n) {
  return kStart + hours(24 * n);
}

class ForgettingEvents : public testing::EngineTest {
 protected:
  void SetUp() override { attach(1); }
  void attach(domain::ChainId chain) {
    const auto row = in_tx<ChainRow>([&](Tx& tx) { return attach_chain(tx, chain, "test", 1, kFirst, 1, kStart); });
    ASSERT_TRUE(row) << row.error().text;
  }
  static Hash32 hash(std::uint64_t num, int branch) {
    return crypto::sha256(as_bytes(std::to_string(num) + "/" + std::to_string(branch)));
  }
  static IngestedBlock block(domain::ChainId chain, int n, int events, int branch = 0, int parent_branch = 0) {
    const auto num = static_cast<std::uint64_t>(static_cast<int>(kFirst) + n);
    IngestedBlock out;
    out.block = {hash(num, branch), num, hash(num - 1, parent_branch), day(n), day(n)};
    for (int i = 0; i < events; ++i) {
      domain::Event event;
      event.chain_id = chain;
      event.block_num = num;
      event.block_hash = out.block.hash;
      event.txn_hash = hash(num, 1000 * branch + i + 1);
      event.txn_index = event.log_index = static_cast<std::uint32_t>(i);
      event.registry = domain::Registry::identity;
      event.event_type = "Registered";
      event.agent_id = Uint256(static_cast<std::uint64_t>(n + 1000));
      out.events.push_back(event);
    }
    return out;
  }
  void append(const std::vector<IngestedBlock>& blocks, domain::ChainId chain = 1) {
    const auto done = in_tx<void>([&](Tx& tx) {
      return append_blocks(tx, chain, 1, blocks, {{Address{}}, true}, std::nullopt, std::nullopt, kStart);
    });
    ASSERT_TRUE(done) << done.error().text;
  }
  // Days [from, to], so many events in each.
  void append_days(int from, int to, int events = 1, domain::ChainId chain = 1) {
    std::vector<IngestedBlock> blocks;
    for (int n = from; n <= to; ++n) blocks.push_back(block(chain, n, events));
    append(blocks, chain);
  }
  void processed(std::int64_t seq, domain::ChainId chain = 1) {
    EngineCursor cursor;
    cursor.seq = seq;
    const auto done = in_tx<void>([&](Tx& tx) { return write_cursor(tx, 0, chain, cursor); });
    ASSERT_TRUE(done) << done.error().text;
  }
  ForgettableEvents forgettable(Time wanted) {
    auto out = in_tx<ForgettableEvents>([&](Tx& tx) { return find_forgettable_events(tx, wanted, kUndo); });
    EXPECT_TRUE(out) << out.error().text;
    return out.value_or(ForgettableEvents{});
  }
  void mark(Time before) {
    const auto done = in_tx<void>([&](Tx& tx) { return mark_forgotten_events(tx, before, kUndo); });
    ASSERT_TRUE(done) << done.error().text;
  }
  std::int64_t forget(Time before, std::int64_t batch = 1000) {
    auto gone = in_tx<std::int64_t>([&](Tx& tx) { return forget_events(tx, before, batch); });
    EXPECT_TRUE(gone) << gone.error().text;
    return gone.value_or(-1);
  }
  // Days whose events are there.
  std::vector<int> days() {
    auto page = in_tx<EventPage>([](Tx& tx) { return list_events(tx, {}, 1000, 0); });
    EXPECT_TRUE(page) << page.error().text;
    std::vector<int> out;
    for (const auto& event : page->rows) out.push_back(static_cast<int>(event.block_num - kFirst));
    std::sort(out.begin(), out.end());
    return out;
  }
  ForgottenEvents forgotten() {
    return *in_tx<ForgottenEvents>([](Tx& tx) { return read_forgotten_events(tx, 1); });
  }
};

TEST_P(ForgettingEvents, GoInBatchesUpToTheTimeAndNotBeyond) {
  append_days(0, 9, 3);
  EXPECT_EQ(forget(day(2), 4), 4);
  EXPECT_EQ(forget(day(2), 4), 2);
  EXPECT_EQ(forget(day(2), 4), 0) << "a block at that very moment stays";
  EXPECT_EQ(days().size(), 24U);
  EXPECT_EQ(days().front(), 2);
  const auto counts = in_tx<std::vector<EventCount>>([](Tx& tx) { return list_event_counts(tx); });
  ASSERT_EQ(counts->size(), 1U);
  EXPECT_EQ((*counts)[0].count, 30) << "what the chain has, not what is kept";
}

TEST_P(ForgettingEvents, AReorganisationKeepsItsBlocks) {
  append_days(0, 9);
  processed(10);
  EXPECT_EQ(forgettable(day(4)).before, day(4));
  EXPECT_FALSE(forgettable(day(4)).held_by);
  const auto held = forgettable(day(100));
  EXPECT_EQ(held.before, day(7)) << "the last three blocks";
  ASSERT_TRUE(held.held_by);
  EXPECT_EQ(held.held_by->chain_id, 1);
}

TEST_P(ForgettingEvents, AChainThatRestsHoldsTheOthersBackOnlyIfItHasEventsAtItsEnd) {
  append_days(0, 9);
  processed(10);
  attach(2);
  append_days(0, 0, 0, 2);
  EXPECT_EQ(forgettable(day(5)).before, day(5));
  append_days(1, 1, 1, 2);
  processed(1, 2);
  const auto held = forgettable(day(5));
  EXPECT_EQ(held.before, day(1));
  EXPECT_EQ(held.held_by->chain_id, 2);
}

TEST_P(ForgettingEvents, WhatTheEngineHasNotProcessedStays) {
  append_days(0, 9);
  EXPECT_EQ(forgettable(day(5)).before, day(0)) << "there has been no engine yet";
  processed(3);
  EXPECT_EQ(forgettable(day(5)).before, day(3)) << "of entry 4";
  EXPECT_EQ(forgettable(day(2)).before, day(2));
  processed(10);
  EXPECT_EQ(forgettable(day(5)).before, day(5));
}

TEST_P(ForgettingEvents, DeliveriesThatHaveNotEndedKeepTheirs) {
  append_days(0, 9);
  processed(10);
  NewJob job;
  job.id = crypto::sha256(as_bytes("waits"));
  job.organization_id = domain::OrganizationId::make(kStart);
  job.trigger_id = domain::TriggerId::make(kStart);
  job.chain_id = 1;
  job.block_num = kFirst + 2;
  job.block_hash = hash(kFirst + 2, 0);
  job.event_id = "e";
  job.event_data = job.explanation = "{}";
  job.endpoint = "https://example.org:443";
  ASSERT_TRUE(in_tx<std::int64_t>([&](Tx& tx) { return insert_jobs(tx, {job}, kStart); }));
  EXPECT_EQ(forgettable(day(5)).before, day(2));
  ASSERT_TRUE(
      in_tx<std::int64_t>([&](Tx& tx) { return cancel_jobs(tx, job.trigger_id, std::nullopt, "deleted", kStart); }));
  EXPECT_EQ(forgettable(day(5)).before, day(5));
}

TEST_P(ForgettingEvents, WhoReadsTheLogIsToldWhereItBegins) {
  append_days(0, 9);
  EXPECT_FALSE(forgotten().before);
  EXPECT_EQ(forgotten().seq, 0);
  mark(day(4));
  EXPECT_EQ(forgotten().before, day(4));
  EXPECT_EQ(forgotten().seq, 4) << "entries 1 to 4 are of days 0 to 3";
  mark(day(2));
  EXPECT_EQ(forgotten().before, day(4)) << "what is gone does not come back";
  mark(day(50));
  EXPECT_EQ(forgotten().seq, 10);
  append_days(10, 11);
  mark(day(51));
  EXPECT_EQ(forgotten().seq, 12);
}

// Entries of a reorganisation at the edge: some of those behind the first kept one are of older blocks.
TEST_P(ForgettingEvents, OlderEntriesBehindTheEdgeCountToo) {
  append_days(0, 4);
  ASSERT_TRUE(in_tx<void>([&](Tx& tx) { return rewind_chain(tx, 1, 1, kFirst + 2, hash(kFirst + 2, 0), kStart); }));
  append({block(1, 3, 1, 1, 0), block(1, 4, 1, 1, 1), block(1, 5, 1, 0, 1)});
  // +0 +1 +2 +3 +4 -4 -3 +3' +4' +5: of days before 4 the last is entry 8.
  mark(day(4));
  EXPECT_EQ(forgotten().seq, 8);
}

TEST_P(ForgettingEvents, HistoryAndLateEventsThatAreTooOldAreNotStored) {
  append_days(0, 9);
  mark(day(0));
  const auto history = in_tx<void>([&](Tx& tx) {
    return append_history(tx, 1, 1, {block(1, -2, 2), block(1, -1, 2)}, 1, 99, {{Address{}}, false}, kStart);
  });
  ASSERT_TRUE(history) << history.error().text;
  EXPECT_EQ(days().size(), 10U);
  const auto ranges = in_tx<std::vector<CoverageRow>>([](Tx& tx) { return read_coverage(tx, 1); });
  EXPECT_EQ(ranges->front().from_block, 1U) << "it was read all the same";
  mark(day(5));
  const auto late = [&](int n) {
    auto with = block(1, n, 2);
    return in_tx<std::int64_t>([&](Tx& tx) { return add_late_events(tx, 1, 1, {with}, kStart); });
  };
  EXPECT_EQ(late(4), 0);
  EXPECT_EQ(late(5), 1);
}

TEST_P(ForgettingEvents, ABlockThatIsUndoneAfterwardsIsOneThatHasItsEvents) {
  append_days(0, 9);
  processed(10);
  const auto safe = forgettable(day(100)).before;
  mark(safe);
  while (forget(safe, 2) > 0) {
  }
  EXPECT_THAT(days(), ElementsAre(7, 8, 9));
  ASSERT_TRUE(in_tx<void>([&](Tx& tx) { return rewind_chain(tx, 1, 1, kFirst + 6, hash(kFirst + 6, 0), kStart); }));
  EXPECT_THAT(days(), IsEmpty());
  const auto row = **in_tx<std::optional<ChainRow>>([](Tx& tx) { return find_chain(tx, 1); });
  EXPECT_EQ(row.last_seq, 13) << "each of the three leaves by an entry";
}

INSTANTIATE_TEST_SUITE_P(Engines, ForgettingEvents, testing::kEngines, testing::engine_name);

}   // namespace
}   // namespace agentauri::store
