// What the store promises about units of work, the same on both engines. Values: contract_values_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <latch>
#include <mutex>
#include <set>
#include <thread>

#include "store/testing/temp_database.hpp"

namespace agentauri::store {
namespace {

const Query kPut{"test_put", "INSERT INTO counters (name, value) VALUES (:name, :value)"};
const Query kGet{"test_get", "SELECT value FROM counters WHERE name = :name"};
const Query kAll{"test_all", "SELECT name, value FROM counters WHERE name LIKE 'k%' ORDER BY name"};
const Query kBump{"test_bump", "UPDATE counters SET value = value + :by WHERE name = :name RETURNING value"};
const Query kErase{"test_erase", "DELETE FROM counters WHERE name = :name"};

class StoreContract : public testing::EngineTest {
 protected:
  Result<void> put(std::string name, std::int64_t value) {
    return in_tx<void>([=](Tx& tx) -> Result<void> {
      auto row = tx.run(kPut, Params().text("name", name).i64("value", value));
      if (!row) return fail(row);
      return {};
    });
  }
  std::optional<std::int64_t> get(std::string name) {
    auto rows = db().query_blocking(kGet, Params().text("name", std::move(name)));
    EXPECT_TRUE(rows) << rows.error().text;
    return rows && !rows->empty() ? std::optional(rows->i64(0, 0)) : std::nullopt;
  }
};

TEST_P(StoreContract, ABodyIsAllOrNothing) {
  const auto outcome = in_tx<void>([](Tx& tx) -> Result<void> {
    if (auto row = tx.run(kPut, Params().text("name", "k1").i64("value", 1)); !row) return fail(row);
    return fail(Code::invalid, "changed its mind");
  });
  EXPECT_EQ(outcome.error().text, "changed its mind");
  EXPECT_EQ(get("k1"), std::nullopt);
  EXPECT_TRUE(put("k1", 5));
  EXPECT_EQ(get("k1"), 5);
}

TEST_P(StoreContract, AFailedMemberLeavesTheOthersOfItsGroupAlone) {
  // Many units at once, every third of them fails: they share commits, not fates.
  std::latch done(60);
  std::vector<std::jthread> threads;
  std::atomic<int> failed{0};
  for (int i = 0; i < 60; ++i) {
    threads.emplace_back([&, i] {
      const auto outcome = in_tx<void>([i](Tx& tx) -> Result<void> {
        if (auto row = tx.run(kPut, Params().text("name", "k" + std::to_string(i)).i64("value", i)); !row)
          return fail(row);
        if (i % 3 == 0) return fail(Code::invalid, "on purpose");
        return {};
      });
      if (!outcome) ++failed;
      done.count_down();
    });
  }
  done.wait();
  EXPECT_EQ(failed, 20);
  for (int i = 0; i < 60; ++i) EXPECT_EQ(get("k" + std::to_string(i)).has_value(), i % 3 != 0) << i;
}

TEST_P(StoreContract, ManyRunsInOneGo) {
  std::vector<Params> sets;
  for (int i = 0; i < 2000; ++i) sets.push_back(Params().text("name", "k" + std::to_string(i)).i64("value", i));
  auto affected = in_tx<std::int64_t>([&](Tx& tx) { return tx.run_many(kPut, sets); });
  ASSERT_TRUE(affected) << affected.error().text;
  EXPECT_EQ(*affected, 2000);
  EXPECT_EQ(get("k1999"), 1999);
  // One bad row takes the whole unit back, and the connection stays usable.
  sets = {Params().text("name", "x1").i64("value", 1), Params().text("name", "k5").i64("value", 1),
          Params().text("name", "x2").i64("value", 1)};
  affected = in_tx<std::int64_t>([&](Tx& tx) { return tx.run_many(kPut, sets); });
  EXPECT_EQ(affected.error().code, Code::conflict);
  EXPECT_EQ(get("x1"), std::nullopt);
  EXPECT_EQ(get("k5"), 5);
}

TEST_P(StoreContract, SnapshotsSeeOneState) {
  ASSERT_TRUE(put("k1", 1));
  std::latch read(1), written(1);
  std::jthread writer([&] {
    read.wait();
    ASSERT_TRUE(put("k2", 2));
    written.count_down();
  });
  auto counts = db().snapshot_blocking<std::pair<std::size_t, std::size_t>>(
      [&](Tx& tx) -> Result<std::pair<std::size_t, std::size_t>> {
        auto before = tx.run(kAll);
        if (!before) return fail(before);
        read.count_down();
        written.wait();
        auto after = tx.run(kAll);
        if (!after) return fail(after);
        return std::pair(before->size(), after->size());
      });
  ASSERT_TRUE(counts);
  EXPECT_EQ(counts->first, 1U);
  EXPECT_EQ(counts->second, 1U);
  EXPECT_EQ(get("k2"), 2);
}

TEST_P(StoreContract, ReadersCannotWrite) {
  auto outcome = db().query_blocking(kPut, Params().text("name", "k1").i64("value", 1));
  EXPECT_FALSE(outcome);
  EXPECT_EQ(get("k1"), std::nullopt);
}

TEST_P(StoreContract, CountersNeverSkipOrRepeatUnderContention) {
  ASSERT_TRUE(put("k", 0));
  std::vector<std::jthread> threads;
  std::mutex mutex;
  std::vector<std::int64_t> drawn;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        auto row = in_tx<std::int64_t>([](Tx& tx) -> Result<std::int64_t> {
          auto bumped = tx.run(kBump, Params().text("name", "k").i64("by", 1));
          if (!bumped) return fail(bumped);
          return bumped->i64(0, 0);
        });
        ASSERT_TRUE(row) << row.error().text;
        const std::lock_guard lock(mutex);
        drawn.push_back(*row);
      }
    });
  }
  threads.clear();
  std::sort(drawn.begin(), drawn.end());
  for (std::size_t i = 0; i < drawn.size(); ++i) ASSERT_EQ(drawn[i], static_cast<std::int64_t>(i) + 1);
}

TEST_P(StoreContract, AThrowingBodyIsAnErrorAndHarmsNobody) {
  const auto outcome = in_tx<void>([](Tx& tx) -> Result<void> {
    (void)tx.run(kPut, Params().text("name", "k1").i64("value", 1));
    throw std::runtime_error("on purpose");
  });
  EXPECT_EQ(outcome.error().code, Code::internal);
  EXPECT_EQ(get("k1"), std::nullopt);
  EXPECT_TRUE(put("k1", 1));
}

TEST_P(StoreContract, CoroutinesAwaitUnits) {
  run_blocking([this]() -> Task<void> {
    auto body = [](Tx& tx) -> Result<std::int64_t> {
      auto row = tx.run(kPut, Params().text("name", "k1").i64("value", 7));
      if (!row) return fail(row);
      return row->affected();
    };
    const auto affected = co_await db().transact<std::int64_t>(Priority::bulk, body);
    EXPECT_TRUE(affected);
    const auto rows = co_await db().query(kGet, Params().text("name", "k1"));
    EXPECT_EQ(rows->i64(0, 0), 7);
    const auto health = co_await db().check_health();
    EXPECT_TRUE(health.reachable) << health.detail;
    EXPECT_TRUE(health.migrated);
  });
}

TEST_P(StoreContract, AfterAFailureNothingMoreIsDone) {
  const auto outcome = in_tx<void>([](Tx& tx) -> Result<void> {
    (void)tx.run(kPut, Params().text("name", "k1").i64("value", 1));
    const auto doubled = tx.run(kPut, Params().text("name", "k1").i64("value", 2));
    EXPECT_EQ(doubled.error().code, Code::conflict);
    const auto later = tx.run(kPut, Params().text("name", "k2").i64("value", 2));
    EXPECT_EQ(later.error(), doubled.error());
    EXPECT_EQ(tx.run_many(kErase, {Params().text("name", "k1")}).error(), doubled.error());
    return {};   // a bug of the body: it hides the failure
  });
  EXPECT_EQ(outcome.error().code, Code::internal);
  EXPECT_THAT(outcome.error().text, ::testing::HasSubstr("hid the failure"));
  EXPECT_EQ(get("k1"), std::nullopt);
  EXPECT_EQ(get("k2"), std::nullopt);
}

// A database with one store thread for writing, and a unit that holds it until it is released.
class OneWriter : public ::testing::TestWithParam<std::string> {
 protected:
  OneWriter() {
    temp_ = GetParam() == "sqlite" ? testing::make_temp_sqlite()
                                   : testing::make_temp_postgres([](auto& s) { s.threads = 1; });
    gate_ = std::jthread([this] {
      (void)db().transact_blocking<void>(Priority::interactive, [this](Tx&) -> Result<void> {
        held_.count_down();
        release_.wait();
        return {};
      });
    });
    held_.wait();
  }
  ~OneWriter() override {
    if (!release_.try_wait()) release_.count_down();
  }
  Database& db() { return *temp_.db; }
  // Runs `count` units at once and returns their outcomes; `between` runs when all are queued.
  std::vector<Result<void>> run_all(std::size_t count, const std::function<Priority(std::size_t)>& priority,
                                    const std::function<Result<void>(std::size_t, Tx&)>& body,
                                    const std::function<void()>& between) {
    std::vector<Result<void>> outcomes(count);
    run_blocking([&]() -> Task<void> {
      TaskGroup group(co_await this_executor());
      for (std::size_t i = 0; i < count; ++i) {
        group.spawn("unit", [&, i]() -> Task<void> {
          auto unit = [&body, i](Tx& tx) { return body(i, tx); };
          outcomes[i] = co_await db().transact<void>(priority(i), std::move(unit));
        });
      }
      group.spawn("between", [&]() -> Task<void> {
        between();
        co_return;
      });
      co_await group.wait();
    });
    return outcomes;
  }

  testing::TempDatabase temp_;
  std::latch held_{1}, release_{1};
  std::jthread gate_;
};

TEST_P(OneWriter, ServesInteractiveUnitsFirstAndEachKindInOrder) {
  std::vector<std::size_t> order;
  const auto priority = [](std::size_t i) { return i < 3 ? Priority::bulk : Priority::interactive; };
  const auto note = [&order](std::size_t i, Tx&) -> Result<void> {
    order.push_back(i);
    return {};
  };
  run_all(6, priority, note, [this] { release_.count_down(); });
  EXPECT_THAT(order, ::testing::ElementsAre(3, 4, 5, 0, 1, 2));
}

TEST_P(OneWriter, RefusesOneUnitTooMany) {
  const auto bulk = [](std::size_t) { return Priority::bulk; };
  const auto nothing = [](std::size_t, Tx&) -> Result<void> { return {}; };
  const auto outcomes = run_all(kMaxWaitingUnits + 1, bulk, nothing, [this] { release_.count_down(); });
  for (std::size_t i = 0; i < kMaxWaitingUnits; ++i) ASSERT_TRUE(outcomes[i]) << i;
  EXPECT_EQ(outcomes.back().error().code, Code::busy);
}

TEST_P(OneWriter, StopFinishesWhatIsQueued) {
  std::jthread stopper;
  const auto interactive = [](std::size_t) { return Priority::interactive; };
  const auto put = [](std::size_t i, Tx& tx) -> Result<void> {
    auto row = tx.run(kPut, Params().text("name", "k" + std::to_string(i)).i64("value", 1));
    if (!row) return fail(row);
    return {};
  };
  const auto outcomes = run_all(20, interactive, put, [&] {
    stopper = std::jthread([this] { db().stop(); });
    release_.count_down();
  });
  for (const auto& outcome : outcomes) EXPECT_TRUE(outcome) << outcome.error().text;
}

TEST_P(OneWriter, HealthWaitsBehindNothing) {
  // Every reader is held too.
  std::latch release(1);
  std::vector<std::jthread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      (void)db().snapshot_blocking<int>([&](Tx& tx) -> Result<int> {
        auto rows = tx.run(kAll);
        release.wait();
        return 0;
      });
    });
  }
  run_blocking([this]() -> Task<void> {
    const auto health = co_await db().check_health();
    EXPECT_TRUE(health.reachable) << health.detail;
    EXPECT_TRUE(health.migrated) << health.detail;
  });
  release.count_down();
  release_.count_down();
}

INSTANTIATE_TEST_SUITE_P(Engines, OneWriter, testing::kEngines, testing::engine_name);

TEST_P(StoreContract, AfterStopUnitsAreCancelled) {
  db().stop();
  EXPECT_EQ(put("k1", 1).error().code, Code::cancelled);
}

TEST_P(StoreContract, NotesReachTheirHooks) {
  std::latch heard(1);
  db().on_notify("jobs", [&heard, once = std::make_shared<std::once_flag>()] {
    std::call_once(*once, [&heard] { heard.count_down(); });
  });
  db().notify("other");
  db().notify("jobs");
  heard.wait();
}

TEST_P(StoreContract, HooksMayUseTheStore) {
  std::latch heard(1);
  db().on_notify("first", [this] { db().notify("second"); });
  db().on_notify("second", [&heard, once = std::make_shared<std::once_flag>()] {
    std::call_once(*once, [&heard] { heard.count_down(); });
  });
  db().notify("first");
  heard.wait();
}

TEST_P(StoreContract, EveryNamedQueryIsUnderstood) {
  // Only planned, and rolled back. The test program holds the whole module, so every statement of src/store is here.
  ASSERT_GT(all_queries().size(), 100U);
  for (const Query* query : all_queries()) {
    const auto outcome = in_tx<void>([query](Tx& tx) -> Result<void> {
      if (auto planned = tx.prepare(*query); !planned) return planned;
      return fail(Code::cancelled, "only planned");
    });
    EXPECT_EQ(outcome.error().text, "only planned") << query->name << ": " << outcome.error().text;
  }
}

// The name is the label of its metric and the name of the prepared statement.
TEST(Queries, HaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  for (const Query* query : all_queries()) EXPECT_TRUE(names.insert(query->name).second) << query->name;
}

INSTANTIATE_TEST_SUITE_P(Engines, StoreContract, testing::kEngines, testing::engine_name);

}   // namespace
}   // namespace agentauri::store
