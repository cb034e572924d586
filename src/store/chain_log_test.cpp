#include "store/chain_log.hpp"

#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "core/crypto/crypto.hpp"
#include "store/event_counts.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::store {
namespace {

constexpr domain::ChainId kChain = 31337;
const Query kCountAnew{Query::Unlisted{}, "test_count_anew",
                       "SELECT event_type, count(*) FROM events WHERE canonical = :yes GROUP BY event_type"};

// A small chain of our own: block n of branch b, with a number of events.
class ChainLog : public testing::EngineTest {
 protected:
  // Whatever a test did, the numbers that are kept are those that counting gives.
  void TearDown() override {
    const auto kept = in_tx<std::vector<EventCount>>([](Tx& tx) { return list_event_counts(tx); });
    const auto anew = in_tx<Rows>([](Tx& tx) { return tx.run(kCountAnew, Params().boolean("yes", true)); });
    ASSERT_TRUE(kept && anew);
    TypeCounts a, b;
    for (const auto& count : *kept) a[count.event_type] += count.count;
    for (std::size_t i = 0; i < anew->size(); ++i) b[anew->text(i, 0)] = anew->i64(i, 1);
    EXPECT_EQ(a, b);
  }

  Hash32 hash(std::uint64_t num, int branch) {
    return crypto::sha256(as_bytes(std::to_string(num) + "/" + std::to_string(branch)));
  }

  IngestedBlock block(std::uint64_t num, int branch, int parent_branch, int events) {
    IngestedBlock out;
    out.block = {hash(num, branch), num, hash(num - 1, parent_branch),
                 from_unix_seconds(static_cast<std::int64_t>(1'700'000'000 + num)), from_unix_seconds(1'800'000'000)};
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
    auto row =
        in_tx<ChainRow>([=](Tx& tx) { return attach_chain(tx, kChain, "test", 10, live_from, epoch, from_micros(1)); });
    ASSERT_TRUE(row) << row.error().text;
  }
  Result<void> append(std::vector<IngestedBlock> blocks, std::int64_t epoch = 1) {
    return in_tx<void>([&, epoch](Tx& tx) {
      return append_blocks(tx, kChain, epoch, blocks, {{Address{}}, true}, std::nullopt, std::nullopt, from_micros(2));
    });
  }
  Result<void> rewind(std::uint64_t num, int branch, std::int64_t epoch = 1) {
    return in_tx<void>(
        [=, this](Tx& tx) { return rewind_chain(tx, kChain, epoch, num, hash(num, branch), from_micros(3)); });
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
  std::vector<CoverageRow> coverage() {
    return *in_tx<std::vector<CoverageRow>>([](Tx& tx) { return read_coverage(tx, kChain); });
  }
  std::int64_t canonical_events() {
    return in_tx<EventPage>([](Tx& tx) { return list_events(tx, {}, 100, 0); })->total;
  }
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
  auto events = in_tx<std::vector<domain::Event>>(
      [&](Tx& tx) { return read_block_events(tx, kChain, hash(102, 0), from_unix_seconds(1'700'000'102), 1, 10); });
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
  const auto history = in_tx<void>([&](Tx& tx) {
    return append_history(tx, kChain, 5, {block(50, 0, 0, 2)}, 10, 60, {{Address{}}, false}, from_micros(5));
  });
  EXPECT_EQ(history.error().code, Code::fenced);
  const auto found = in_tx<std::int64_t>(
      [&](Tx& tx) { return add_late_events(tx, kChain, 5, {block(100, 0, 0, 2)}, from_micros(5)); });
  EXPECT_EQ(found.error().code, Code::fenced);
  EXPECT_EQ(canonical_events(), 1) << "nothing of what was fenced stays";
  auto late = in_tx<ChainRow>([](Tx& tx) { return attach_chain(tx, kChain, "test", 10, 100, 4, from_micros(1)); });
  EXPECT_EQ(late.error().code, Code::fenced);
  EXPECT_EQ(log(), (Entries{{1, 100}}));
  ASSERT_TRUE(append({block(101, 0, 0, 1)}, 6));
}

TEST_P(ChainLog, HistoryHasNoLogEntry) {
  attach();
  ASSERT_TRUE(in_tx<void>([&](Tx& tx) {
    return append_history(tx, kChain, 1, {block(50, 0, 0, 2)}, 10, 60, {{Address{}}, false}, from_micros(5));
  }));
  ASSERT_TRUE(in_tx<void>(
      [&](Tx& tx) { return append_history(tx, kChain, 1, {}, 61, 99, {{Address{}}, false}, from_micros(5)); }));
  EXPECT_TRUE(log().empty());
  EXPECT_EQ(canonical_events(), 2);
  const auto ranges = coverage();
  ASSERT_EQ(ranges.size(), 1U);
  EXPECT_EQ(ranges[0].from_block, 10U);
  EXPECT_EQ(ranges[0].to_block, 99U);
  auto live = in_tx<std::vector<domain::Event>>(
      [&](Tx& tx) { return read_block_events(tx, kChain, hash(50, 0), from_unix_seconds(1'700'000'050), 0, 10); });
  EXPECT_TRUE(live->empty());
}

TEST_P(ChainLog, ALateLogEntersOnce) {
  attach();
  ASSERT_TRUE(append({block(100, 0, 0, 0), block(101, 0, 0, 1)}));
  const auto add = [&](std::uint64_t num, int events) {
    return in_tx<std::int64_t>([&, num, events](Tx& tx) {
      return add_late_events(tx, kChain, 1, {block(num, 0, 0, events)}, from_micros(9));
    });
  };
  EXPECT_EQ(add(100, 1).value(), 1);
  EXPECT_EQ(add(100, 1).value(), 0);
  EXPECT_EQ(add(101, 1).value(), 0);
  EXPECT_EQ(canonical_events(), 2);
  EXPECT_EQ(log().size(), 1U);
}

// History that was read before a reorganisation and is stored after it.
TEST_P(ChainLog, HistoryDoesNotBringABlockBack) {
  attach();
  ASSERT_TRUE(append({block(100, 0, 0, 1), block(101, 0, 0, 1), block(102, 0, 0, 1)}));
  ASSERT_TRUE(rewind(100, 0));
  const auto history = [&](std::uint64_t num, int branch, std::uint64_t to) {
    return in_tx<void>([&, num, branch, to](Tx& tx) {
      return append_history(tx, kChain, 1, {block(num, branch, 0, 2)}, 101, to, {{Address{}}, false}, from_micros(5));
    });
  };
  EXPECT_EQ(history(101, 0, 101).error().code, Code::conflict) << "the head is at 100";
  ASSERT_TRUE(append({block(101, 1, 0, 1), block(102, 1, 1, 0)}));
  ASSERT_EQ(canonical_events(), 2);
  EXPECT_TRUE(history(101, 0, 102)) << "what is known to have left does no harm";
  EXPECT_EQ(canonical_events(), 2);
  EXPECT_EQ(history(101, 2, 102).error().code, Code::conflict) << "two blocks at one height";
  EXPECT_EQ(canonical_events(), 2);
  EXPECT_TRUE(history(101, 1, 102)) << "the same block, for another contract";
  EXPECT_EQ(canonical_events(), 3);

  const auto late = [&](std::uint64_t num, int branch) {
    return in_tx<std::int64_t>([&, num, branch](Tx& tx) {
      return add_late_events(tx, kChain, 1, {block(num, branch, 0, 3)}, from_micros(9));
    });
  };
  EXPECT_TRUE(late(101, 0));
  EXPECT_EQ(late(101, 3).error().code, Code::conflict);
  EXPECT_EQ(late(103, 0).error().code, Code::conflict);
  EXPECT_EQ(canonical_events(), 3);
  EXPECT_EQ(log(), (Entries{{1, 100}, {1, 101}, {1, 102}, {-1, 102}, {-1, 101}, {1, 101}}));
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
  EXPECT_EQ(page({.agent_id = "42"}, 5, 0).rows[0].block_num, 109U);
  EXPECT_EQ(page({.chain_id = kChain, .agent_id = "43"}, 5, 0).total, 0);
  EXPECT_EQ(page({.chain_id = 1, .agent_id = "42"}, 5, 0).total, 0);
  EXPECT_EQ(page({.registry = "identity", .event_type = "NewFeedback"}, 5, 0).total, 0);
  EXPECT_EQ(page({.chain_id = kChain, .event_type = "NewFeedback"}, 5, 2).rows.size(), 5U);
  EXPECT_EQ(page({.chain_id = kChain}, 5, 29).rows.size(), 1U);
  EXPECT_EQ(page({.search = "FEEDB"}, 5, 0).total, 30);
  EXPECT_EQ(page({.search = "F%K"}, 5, 0).total, 0);
}

TEST_P(ChainLog, TheSameBlocksTwiceAreRefused) {
  attach();
  ASSERT_TRUE(append({block(100, 0, 0, 1), block(101, 0, 0, 1)}));
  // As after a COMMIT whose answer was lost.
  EXPECT_EQ(append({block(100, 0, 0, 1), block(101, 0, 0, 1)}).error().code, Code::conflict);
  EXPECT_EQ(append({block(103, 0, 0, 1)}).error().code, Code::conflict);
  EXPECT_EQ(log(), (Entries{{1, 100}, {1, 101}}));
  ASSERT_TRUE(rewind(100, 0));
  ASSERT_TRUE(rewind(100, 0));
  EXPECT_EQ(rewind(105, 0).error().code, Code::conflict);
  EXPECT_EQ(log(), (Entries{{1, 100}, {1, 101}, {-1, 101}}));
}

TEST_P(ChainLog, WhatNoTriggerSawLeavesWithoutAnEntry) {
  attach();
  ASSERT_TRUE(append({block(100, 0, 0, 0), block(101, 0, 0, 0)}));
  ASSERT_TRUE(in_tx<std::int64_t>(
      [&](Tx& tx) { return add_late_events(tx, kChain, 1, {block(101, 0, 0, 2)}, from_micros(9)); }));
  ASSERT_TRUE(rewind(100, 0));
  EXPECT_TRUE(log().empty());
  EXPECT_EQ(canonical_events(), 0) << "late events of a block that left are not canonical either";
}

TEST_P(ChainLog, ABlockThatReturnsWithoutItsLogsKeepsItsRow) {
  attach();
  ASSERT_TRUE(append({block(100, 0, 0, 0), block(101, 0, 0, 1)}));
  ASSERT_TRUE(rewind(100, 0));
  ASSERT_TRUE(append({block(101, 0, 0, 0)}));   // a provider withholds them this time
  ASSERT_TRUE(in_tx<std::int64_t>([&](Tx& tx) { return prune_blocks(tx, kChain, 1000); }));
  EXPECT_EQ(log(), (Entries{{1, 101}, {-1, 101}})) << "the log reads its blocks' times from their rows";
  ASSERT_TRUE(rewind(100, 0));
  EXPECT_EQ(log().size(), 2U);
}

class CoverageLedger : public ChainLog {
 protected:
  using Ranges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;
  void read(std::uint64_t from, std::uint64_t to, bool checked, Address contract = {}) {
    const auto done = in_tx<void>(
        [=](Tx& tx) { return append_history(tx, kChain, 1, {}, from, to, {{contract}, checked}, from_micros(5)); });
    ASSERT_TRUE(done) << done.error().text;
  }
  Ranges ranges(std::string_view level = {}, Address contract = {}) {
    Ranges out;
    for (const auto& row : coverage()) {
      if (row.contract == contract && (level.empty() || row.level == level)) {
        out.emplace_back(row.from_block, row.to_block);
      }
    }
    return out;
  }
};

TEST_P(CoverageLedger, RangesThatTouchBecomeOne) {
  attach();
  read(10, 20, false);
  read(40, 50, false);
  EXPECT_EQ(ranges(), (Ranges{{10, 20}, {40, 50}}));
  read(30, 39, false);
  EXPECT_EQ(ranges(), (Ranges{{10, 20}, {30, 50}}));
  read(21, 29, false);
  EXPECT_EQ(ranges(), (Ranges{{10, 50}}));
  read(51, 51, true);
  EXPECT_EQ(ranges(), (Ranges{{10, 50}, {51, 51}})) << "levels stay apart";
}

TEST_P(CoverageLedger, WhatIsReadAgainReplacesWhatWasKnown) {
  attach();
  read(10, 50, false);
  read(20, 30, true);
  EXPECT_EQ(ranges("provider_trusted"), (Ranges{{10, 19}, {31, 50}}));
  EXPECT_EQ(ranges("header_checked"), (Ranges{{20, 30}}));
  read(0, 80, false);
  EXPECT_EQ(ranges(), (Ranges{{0, 80}}));
  Address other;
  other.data[0] = 1;
  read(5, 6, false, other);
  EXPECT_EQ(ranges(), (Ranges{{0, 80}}));
  EXPECT_EQ(ranges({}, other), (Ranges{{5, 6}}));
}

TEST_P(CoverageLedger, SettlingTakesTheLesserLevelAndLeavesHoles) {
  attach();
  const auto settle = [&](std::uint64_t from, std::uint64_t to) {
    ASSERT_TRUE(in_tx<void>([=](Tx& tx) { return settle_coverage(tx, kChain, {Address{}}, from, to); }));
  };
  for (std::uint64_t num = 10; num < 30; ++num) read(num, num, num % 2 == 0);
  EXPECT_EQ(ranges().size(), 20U);
  settle(10, 19);
  EXPECT_EQ(ranges().size(), 11U);
  EXPECT_EQ(ranges("provider_trusted").front(), (std::pair<std::uint64_t, std::uint64_t>{10, 19}));
  settle(20, 35);
  EXPECT_EQ(ranges().size(), 11U) << "30 to 35 were never read";
  settle(20, 29);
  EXPECT_EQ(ranges(), (Ranges{{10, 29}}));
}

// Against a plain array of levels: whatever is read, cut and settled, the ledger says the same, without overlap and
// with ranges as long as they can be.
TEST_P(CoverageLedger, AgreesWithAModel) {
  attach(1000);
  std::mt19937 random(7);
  std::vector<int> model(101, 0);
  for (int step = 0; step < 150; ++step) {
    const std::uint64_t a = random() % 100, b = a + random() % std::min<std::uint64_t>(100 - a, 12);
    const int level = 1 + static_cast<int>(random() % 2);
    read(a, b, level == 2);
    for (auto i = a; i <= b; ++i) model[i] = level;
    Ranges expected;
    for (std::uint64_t i = 0; i <= 100; ++i) {
      if (model[i] == 0) continue;
      if (i > 0 && model[i - 1] == model[i])
        expected.back().second = i;
      else
        expected.emplace_back(i, i);
    }
    ASSERT_EQ(ranges(), expected) << step;
  }
}

// History, late logs and a chain that reorganises, at once: see TearDown.
TEST_P(ChainLog, TheNumbersOfEventsAreExactWhoeverWrites) {
  attach(100);
  const auto coverage = store::Coverage{{Address{}}, false};
  std::jthread history([&] {
    for (std::uint64_t from = 10; from < 60; from += 10) {
      std::vector<IngestedBlock> blocks;
      for (std::uint64_t num = from; num < from + 10; ++num) {
        blocks.push_back(block(num, 0, 0, static_cast<int>(num % 3)));
        for (auto& event : blocks.back().events) event.event_type = num % 2 == 0 ? "Registered" : "NewFeedback";
      }
      // Twice: the second time nothing is new.
      for (int i = 0; i < 2; ++i) {
        auto done = in_tx<void>(
            [&](Tx& tx) { return append_history(tx, kChain, 1, blocks, from, from + 9, coverage, from_micros(5)); });
        EXPECT_TRUE(done) << done.error().text;
      }
    }
  });
  std::jthread late([&] {
    for (std::uint64_t num = 100; num < 120; ++num) {
      // A conflict when the block is not there yet, or not any more: then nothing is counted either.
      (void)in_tx<std::int64_t>(
          [&](Tx& tx) { return add_late_events(tx, kChain, 1, {block(num, 0, 0, 3)}, from_micros(6)); });
    }
  });
  std::mt19937 random(7);
  std::uint64_t head = 99;
  int branch = 0;
  for (int step = 0; step < 60; ++step) {
    if (head > 103 && random() % 4 == 0) {
      const std::uint64_t to = head - random() % 3 - 1;
      ASSERT_TRUE(rewind(to, branch));
      head = to;
      branch = static_cast<int>(random() % 2);
    }
    ++head;
    const auto done = append({block(head, branch, branch, static_cast<int>(random() % 4))});
    ASSERT_TRUE(done) << done.error().text;
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, CoverageLedger, testing::kEngines, testing::engine_name);
INSTANTIATE_TEST_SUITE_P(Engines, ChainLog, testing::kEngines, testing::engine_name);

}   // namespace
}   // namespace agentauri::store
