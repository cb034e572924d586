// What the store promises, the same on both engines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <random>
#include <thread>

#include "store/leases.hpp"
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
        if (auto row = tx.run(kPut, Params().text("name", "k" + std::to_string(i)).i64("value", i)); !row) return fail(row);
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

TEST_P(StoreContract, ErrorsAreTellable) {
  ASSERT_TRUE(put("k1", 1));
  EXPECT_EQ(put("k1", 2).error().code, Code::conflict);
  EXPECT_EQ(put("bad\xff", 1).error().code, Code::invalid);
  EXPECT_EQ(put(std::string("nul\0x", 5), 1).error().code, Code::invalid);
  const auto missing = in_tx<void>([](Tx& tx) -> Result<void> {
    auto row = tx.run(kPut, Params().text("name", "k2"));
    if (!row) return fail(row);
    return {};
  });
  EXPECT_EQ(missing.error().code, Code::internal);
  EXPECT_THAT(missing.error().text, ::testing::HasSubstr(":value"));
  const auto null = in_tx<void>([](Tx& tx) -> Result<void> {
    auto row = tx.run(kPut, Params().text("name", "k2").null("value"));
    if (!row) return fail(row);
    return {};
  });
  EXPECT_EQ(null.error().code, Code::check_failed);
}

const Query kCheckBlocks{"test_check", "INSERT INTO block_log (chain_id, seq, op, block_hash, block_num) VALUES (1, :seq, :op, :hash, 1)"};

TEST_P(StoreContract, ChecksAreTheirOwnError) {
  const auto outcome = in_tx<void>([](Tx& tx) -> Result<void> {
    auto row = tx.run(kCheckBlocks, Params().i64("seq", 1).i64("op", 5).blob("hash", Bytes(32)));
    if (!row) return fail(row);
    return {};
  });
  EXPECT_EQ(outcome.error().code, Code::check_failed);
}

const Query kPutInstance{"test_put_instance",
                         "INSERT INTO instances (id, host, pid, pid_start, roles, started_at, heartbeat_at) "
                         "VALUES (:id, :host, :pid, 0, '', :at, :at) RETURNING id, host, pid, heartbeat_at"};

TEST_P(StoreContract, ValuesComeBackAsTheyWent) {
  const Uuid id = make_uuid_v4();
  const std::string text = "quotes ' \" and \\ and \xe2\x82\xac and :name and $1";
  for (const std::int64_t number : {INT64_MIN, INT64_MAX, std::int64_t{0}, std::int64_t{-1}}) {
    const Time at = from_micros(1'768'471'200'123'456);
    auto row = in_tx<Rows>([&](Tx& tx) {
      const Uuid fresh = number == INT64_MIN ? id : make_uuid_v4();
      return tx.run(kPutInstance, Params().uuid("id", fresh).text("host", text).i64("pid", number).time("at", at));
    });
    ASSERT_TRUE(row) << row.error().text;
    if (number == INT64_MIN) EXPECT_EQ(row->uuid(0, 0), id);
    EXPECT_EQ(row->text(0, 1), text);
    EXPECT_EQ(row->i64(0, 2), number);
    EXPECT_EQ(row->time(0, 3), at);
  }
}

const Query kPutEvent{"test_put_event",
                      "INSERT INTO events (chain_id, block_hash, txn_index, log_index, block_time, id, txn_hash, contract, txn_ordinal, content_hash,"
                      " block_num, registry, event_type, value, feedback_index, canonical, live, inserted_at) VALUES (1, :hash, 0, :i, :at, :id, :hash,"
                      " :hash, 0, :hash, 1, 'reputation', 'NewFeedback', :value, :index, :yes, :yes, :at) RETURNING value, feedback_index, canonical"};

TEST_P(StoreContract, ExactNumbersStayExact) {
  std::int64_t i = 0;
  for (const char* number : {"0", "-1", "10000", "99990000", "170141183460469231731687303715884105727", "-170141183460469231731687303715884105728",
                             "100000000000000000000000000000000000000", "12345678901234567890"}) {
    auto row = in_tx<Rows>([&](Tx& tx) {
      return tx.run(kPutEvent, Params().blob("hash", Bytes(32)).i64("i", ++i).time("at", from_micros(0)).text("id", std::to_string(i))
                                   .numeric("value", number).numeric("index", "18446744073709551615").boolean("yes", true));
    });
    ASSERT_TRUE(row) << row.error().text;
    EXPECT_EQ(row->text(0, 0), number);
    EXPECT_EQ(row->text(0, 1), "18446744073709551615");
    EXPECT_TRUE(row->boolean(0, 2));
  }
}

TEST_P(StoreContract, ManyRunsInOneGo) {
  std::vector<Params> sets;
  for (int i = 0; i < 2000; ++i) sets.push_back(Params().text("name", "k" + std::to_string(i)).i64("value", i));
  auto affected = in_tx<std::int64_t>([&](Tx& tx) { return tx.run_many(kPut, sets); });
  ASSERT_TRUE(affected) << affected.error().text;
  EXPECT_EQ(*affected, 2000);
  EXPECT_EQ(get("k1999"), 1999);
  // One bad row takes the whole unit back, and the connection stays usable.
  sets = {Params().text("name", "x1").i64("value", 1), Params().text("name", "k5").i64("value", 1), Params().text("name", "x2").i64("value", 1)};
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
  auto counts = db().snapshot_blocking<std::pair<std::size_t, std::size_t>>([&](Tx& tx) -> Result<std::pair<std::size_t, std::size_t>> {
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

TEST_P(StoreContract, AfterStopUnitsAreCancelled) {
  db().stop();
  EXPECT_EQ(put("k1", 1).error().code, Code::cancelled);
}

TEST_P(StoreContract, NotesReachTheirHooks) {
  std::latch heard(1);
  db().on_notify("jobs", [&heard, once = std::make_shared<std::once_flag>()] { std::call_once(*once, [&heard] { heard.count_down(); }); });
  db().notify("other");
  db().notify("jobs");
  heard.wait();
}

TEST_P(StoreContract, EveryNamedQueryIsUnderstood) {
  // Parameters are NULL and every unit is rolled back: what counts is that the engine parses and plans the statement.
  ASSERT_GT(all_queries().size(), 10U);
  for (const Query* query : all_queries()) {
    const auto outcome = in_tx<void>([query](Tx& tx) -> Result<void> {
      if (auto planned = tx.prepare(*query); !planned) return planned;
      return fail(Code::cancelled, "only planned");
    });
    EXPECT_EQ(outcome.error().text, "only planned") << query->name << ": " << outcome.error().text;
  }
}

// 1,000 random bodies with injected failures, against a map.
TEST_P(StoreContract, RandomBodiesAgreeWithAModel) {
  std::mt19937 random(11);
  std::map<std::string, std::int64_t> model;
  for (int round = 0; round < 1000; ++round) {
    auto next = model;
    const int steps = 1 + static_cast<int>(random() % 5);
    const int fails_at = random() % 4 == 0 ? static_cast<int>(random() % 5) : -1;
    const unsigned seed = random();
    const bool fails = fails_at >= 0 && fails_at < steps;
    int runs = 0;
    bool broke = false;
    const auto outcome = in_tx<void>([&](Tx& tx) -> Result<void> {
      ++runs;
      next = model;
      broke = false;
      std::mt19937 steps_random(seed);
      for (int i = 0; i < steps; ++i) {
        if (i == fails_at) return fail(Code::invalid, "injected");
        const std::string name = "k" + std::to_string(steps_random() % 20);
        switch (steps_random() % 3) {
          case 0: {
            const auto row = tx.run(kPut, Params().text("name", name).i64("value", i));
            if (!row) {   // a duplicate: the model says so too, and the unit is over
              EXPECT_TRUE(next.contains(name));
              broke = true;
              return fail(row.error().code, row.error().text);
            }
            next[name] = i;
            break;
          }
          case 1: {
            const auto row = tx.run(kBump, Params().text("name", name).i64("by", 3));
            if (!row) return fail(row.error().code, row.error().text);
            EXPECT_EQ(row->size(), next.contains(name) ? 1U : 0U);
            if (next.contains(name)) EXPECT_EQ(row->i64(0, 0), next[name] += 3);
            break;
          }
          default: {
            const auto row = tx.run(kErase, Params().text("name", name));
            if (!row) return fail(row.error().code, row.error().text);
            EXPECT_EQ(row->affected(), next.erase(name) > 0 ? 1 : 0);
          }
        }
      }
      return {};
    });
    EXPECT_EQ(outcome.has_value(), !fails && !broke) << round;
    EXPECT_GE(runs, 1);
    if (outcome) model = next;
    if (round % 50 != 0) continue;
    const auto rows = db().query_blocking(kAll);
    ASSERT_TRUE(rows);
    std::map<std::string, std::int64_t> stored;
    for (std::size_t i = 0; i < rows->size(); ++i) stored[rows->text(i, 0)] = rows->i64(i, 1);
    ASSERT_EQ(stored, model) << round;
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, StoreContract, testing::kEngines, testing::engine_name);

// --- leases ----------------------------------------------------------------------------------------------------------

class Leases : public testing::EngineTest {
 protected:
  domain::InstanceId instance(std::int64_t pid_offset = 0) {
    const auto id = domain::InstanceId::make(SystemClock().now());
    auto process = this_process();
    process.pid_start += pid_offset;
    EXPECT_TRUE(in_tx<void>([&](Tx& tx) { return register_instance(tx, id, process, "all"); }));
    return id;
  }
  std::optional<std::int64_t> acquire(domain::InstanceId id) {
    return *in_tx<std::optional<std::int64_t>>([id](Tx& tx) { return acquire_lease(tx, "chain:1", id); });
  }
};

TEST_P(Leases, OneHolderUntilItIsDead) {
  const auto first = instance();
  const auto second = instance();
  const auto epoch = acquire(first);
  ASSERT_TRUE(epoch);
  EXPECT_EQ(acquire(second), std::nullopt);
  EXPECT_TRUE(in_tx<void>([&](Tx& tx) { return check_lease(tx, "chain:1", first, *epoch); }));
  EXPECT_TRUE(in_tx<void>([&](Tx& tx) { return remove_instance(tx, first); }));
  const auto taken = acquire(second);
  ASSERT_TRUE(taken);
  EXPECT_GT(*taken, *epoch);
  EXPECT_EQ(in_tx<void>([&](Tx& tx) { return check_lease(tx, "chain:1", first, *epoch); }).error().code, Code::fenced);
  EXPECT_EQ(in_tx<void>([&](Tx& tx) { return heartbeat(tx, first); }).error().code, Code::fenced);
}

TEST_P(Leases, AProcessThatIsGoneIsKnownAtOnce) {
  const auto living = instance();
  const auto gone = instance(1);   // the same pid, started at another time
  const auto removed = in_tx<std::int64_t>([](Tx& tx) { return remove_dead_instances(tx, this_process()); });
  EXPECT_EQ(removed.value(), 1);
  EXPECT_EQ(in_tx<void>([&](Tx& tx) { return heartbeat(tx, gone); }).error().code, Code::fenced);
  EXPECT_TRUE(in_tx<void>([&](Tx& tx) { return heartbeat(tx, living); }));
}

INSTANTIATE_TEST_SUITE_P(Engines, Leases, testing::kEngines, testing::engine_name);

}  // namespace
}  // namespace agentauri::store
