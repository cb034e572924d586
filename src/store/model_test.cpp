// 1,000 random units of work, many at once, with failures, retries, cancelled callers and a full disk, against a map in
// memory: whatever happens, a unit is stored whole or not at all, and its caller knows which.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <latch>
#include <map>
#include <random>
#include <thread>

#include "store/postgres/session.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::store {
namespace {

constexpr int kUnits = 1000;
constexpr int kWave = 8;   // units at once, each on keys of its own, so that the model needs no order between them
constexpr int kKeys = 6;   // of each place in a wave

const Query kPut{Query::Unlisted{}, "model_put", "INSERT INTO counters (name, value) VALUES (:name, :value)"};
const Query kBump{Query::Unlisted{}, "model_bump",
                  "UPDATE counters SET value = value + :by WHERE name = :name RETURNING value"};
const Query kErase{Query::Unlisted{}, "model_erase", "DELETE FROM counters WHERE name = :name"};
const Query kAll{Query::Unlisted{}, "model_all", "SELECT name, value FROM counters WHERE name LIKE 'k%'"};
// PostgreSQL's disk is not ours to fill: its error is raised by hand, and so is its wish that a unit runs again.
const Query kRaise{Query::Unlisted{}, "model_raise", "SELECT test_raise(:state)"};
const Query kKillMyself{Query::Unlisted{}, "model_kill_myself", "SELECT pg_terminate_backend(pg_backend_pid())"};
constexpr const char* kMakeRaise =
    "CREATE FUNCTION test_raise(state text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'injected' USING "
    "ERRCODE = state; END $$";

using Model = std::map<std::string, std::int64_t>;

enum class Fault : std::uint8_t { none, fails, throws, hides, full_disk, breaks_once };

struct Unit {
  int place = 0;
  unsigned seed = 0;
  int steps = 0;
  Fault fault = Fault::none;
  int fault_step = 0;
  Priority priority = Priority::interactive;
  // What came of it.
  int runs = 0;
  Model next;               // its keys, as of its last run
  bool duplicate = false;   // it met a key that was there already, which is an error of its own
  Result<void> outcome;
};

class StoreModel : public ::testing::TestWithParam<std::string> {
 protected:
  StoreModel() {
    if (is_sqlite()) {
      SqliteSettings settings;
      settings.max_pages = 400;
      settings.group_time = std::chrono::milliseconds(50);
      temp_ = testing::make_temp_sqlite(settings);
    } else {
      temp_ = testing::make_temp_postgres();
      auto session = postgres::Session::connect(temp_.postgres);
      EXPECT_TRUE((*session)->execute(kMakeRaise, std::chrono::seconds(10)));
    }
  }
  bool is_sqlite() const { return GetParam() == "sqlite"; }
  Database& db() { return *temp_.db; }

  Unit draw(int place) {
    Unit unit;
    unit.place = place;
    unit.seed = random_();
    unit.steps = 1 + static_cast<int>(random_() % 6);
    unit.fault_step = static_cast<int>(random_() % static_cast<unsigned>(unit.steps));
    const unsigned kind = random_() % 16;
    unit.fault = kind < 6 ? static_cast<Fault>(kind) : Fault::none;
    unit.priority = random_() % 3 == 0 ? Priority::bulk : Priority::interactive;
    return unit;
  }

  Result<void> run(Unit& unit, const Model& before, Tx& tx);
  void check_outcome(const Unit& unit);
  Result<void> step(Unit& unit, std::mt19937& random, Tx& tx);
  Result<void> strike(Unit& unit, Tx& tx);
  void run_wave(std::vector<Unit>& wave, const std::vector<Model>& before, bool cancel);
  Model read_all();

  testing::TempDatabase temp_;
  std::mt19937 random_{20240817};
};

Result<void> StoreModel::step(Unit& unit, std::mt19937& random, Tx& tx) {
  const std::string name = fmt::format("k{}_{}", unit.place, random() % kKeys);
  const std::int64_t value = random() % 1000;
  const auto known = unit.next.find(name);
  switch (random() % 4) {
    case 0: {
      const auto row = tx.run(kPut, Params().text("name", name).i64("value", value));
      unit.duplicate = known != unit.next.end();
      EXPECT_EQ(row.has_value(), !unit.duplicate);
      if (!row) return std::unexpected(row.error());
      unit.next[name] = value;
      return {};
    }
    case 1: {
      const auto row = tx.run(kErase, Params().text("name", name));
      if (!row) return std::unexpected(row.error());
      EXPECT_EQ(row->affected(), static_cast<std::int64_t>(unit.next.erase(name)));
      return {};
    }
    case 2: {
      // Several rows in one go, new ones where the name is free.
      std::vector<Params> sets;
      for (int i = 0; i < kKeys; ++i) {
        const std::string each = fmt::format("k{}_{}", unit.place, i);
        if (unit.next.contains(each)) continue;
        sets.push_back(Params().text("name", each).i64("value", value + i));
        unit.next[each] = value + i;
      }
      const auto affected = tx.run_many(kPut, sets);
      if (!affected) return std::unexpected(affected.error());
      EXPECT_EQ(*affected, static_cast<std::int64_t>(sets.size()));
      return {};
    }
    default: {
      const auto row = tx.run(kBump, Params().text("name", name).i64("by", value));
      if (!row) return std::unexpected(row.error());
      EXPECT_EQ(row->size(), known == unit.next.end() ? 0U : 1U);
      if (!row->empty()) EXPECT_EQ(row->i64(0, 0), known->second += value);
      return {};
    }
  }
}

Result<void> done(const Result<Rows>& row) {
  if (!row) return std::unexpected(row.error());
  return {};
}

// The fault itself; success means that the unit goes on.
Result<void> StoreModel::strike(Unit& unit, Tx& tx) {
  switch (unit.fault) {
    case Fault::none:
      return {};
    case Fault::fails:
      return fail(Code::forbidden, "injected");
    case Fault::throws:
      throw std::runtime_error("injected");
    case Fault::hides: {
      const auto twice = Params().text("name", fmt::format("k{}_hidden", unit.place)).i64("value", 1);
      EXPECT_TRUE(tx.run(kPut, twice));
      EXPECT_FALSE(tx.run(kPut, twice));
      return {};
    }
    case Fault::full_disk:
      if (!is_sqlite()) return done(tx.run(kRaise, Params().text("state", "53100")));
      return done(tx.run(kPut, Params().text("name", std::string(4'000'000, 'x')).i64("value", 1)));
    case Fault::breaks_once:
      // On SQLite units run again when another member of their group meets the full disk.
      if (is_sqlite() || unit.runs > 1) return {};
      return unit.seed % 2 == 0 ? done(tx.run(kRaise, Params().text("state", "40001"))) : done(tx.run(kKillMyself));
  }
  return {};
}

Result<void> StoreModel::run(Unit& unit, const Model& before, Tx& tx) {
  ++unit.runs;
  unit.next = before;
  unit.duplicate = false;
  std::mt19937 random(unit.seed);
  for (int i = 0; i < unit.steps; ++i) {
    if (i == unit.fault_step) {
      if (auto struck = strike(unit, tx); !struck) return struck;
      if (unit.fault == Fault::hides) return {};
    }
    if (auto stepped = step(unit, random, tx); !stepped) return stepped;
  }
  return {};
}

void StoreModel::check_outcome(const Unit& unit) {
  static const std::map<Fault, Code> codes{{Fault::fails, Code::forbidden},
                                           {Fault::throws, Code::internal},
                                           {Fault::hides, Code::internal},
                                           {Fault::full_disk, Code::unavailable}};
  const auto expected = codes.find(unit.fault);
  if (unit.duplicate) {
    EXPECT_EQ(unit.outcome.error().code, Code::conflict);
  } else if (expected != codes.end()) {
    ASSERT_FALSE(unit.outcome);
    EXPECT_EQ(unit.outcome.error().code, expected->second) << unit.outcome.error().text;
  } else {
    EXPECT_TRUE(unit.outcome) << unit.outcome.error().text;
  }
}

// All of them at once, behind a unit that holds a writer until they are queued; then, perhaps, nobody wants to know any
// more.
void StoreModel::run_wave(std::vector<Unit>& wave, const std::vector<Model>& before, bool cancel) {
  std::latch held(1), release(1);
  std::jthread gate([&] {
    (void)db().transact_blocking<void>(Priority::interactive, [&](Tx&) -> Result<void> {
      held.count_down();
      release.wait();
      return {};
    });
  });
  held.wait();
  run_blocking([&]() -> Task<void> {
    TaskGroup group(co_await this_executor());
    for (auto& unit : wave) {
      group.spawn("unit", [&]() -> Task<void> {
        auto body = [&](Tx& tx) { return run(unit, before[static_cast<std::size_t>(unit.place)], tx); };
        unit.outcome = co_await db().transact<void>(unit.priority, std::move(body));
      });
    }
    group.spawn("release", [&]() -> Task<void> {
      if (cancel) group.cancel();
      release.count_down();
      co_return;
    });
    co_await group.wait();
  });
}

Model StoreModel::read_all() {
  Model out;
  const auto rows = db().query_blocking(kAll);
  EXPECT_TRUE(rows) << rows.error().text;
  for (std::size_t i = 0; rows && i < rows->size(); ++i) out[rows->text(i, 0)] = rows->i64(i, 1);
  return out;
}

TEST_P(StoreModel, StoresEachUnitWholeOrNotAtAll) {
  std::vector<Model> model(kWave);
  std::map<Fault, int> struck;
  int ran_again = 0, cancelled = 0;
  for (int done_units = 0; done_units < kUnits; done_units += kWave) {
    std::vector<Unit> wave;
    for (int place = 0; place < kWave; ++place) wave.push_back(draw(place));
    const bool cancel = random_() % 5 == 0;
    run_wave(wave, model, cancel);
    Model expected;
    for (const Unit& unit : wave) {
      check_outcome(unit);
      auto& mine = model[static_cast<std::size_t>(unit.place)];
      if (unit.outcome) mine = unit.next;
      expected.insert(mine.begin(), mine.end());
      ++struck[unit.fault];
      ran_again += unit.runs > 1 ? 1 : 0;
      cancelled += cancel ? 1 : 0;
    }
    ASSERT_EQ(read_all(), expected) << "after unit " << done_units + kWave;
    if (HasFailure()) FAIL() << "in the wave that ends with unit " << done_units + kWave;
  }
  // Each of the ways to go wrong was met.
  for (const Fault fault : {Fault::fails, Fault::throws, Fault::hides, Fault::full_disk, Fault::breaks_once})
    EXPECT_GT(struck[fault], 20);
  EXPECT_GT(ran_again, 20);
  EXPECT_GT(cancelled, 50);
}

INSTANTIATE_TEST_SUITE_P(Engines, StoreModel, testing::kEngines, testing::engine_name);

}   // namespace
}   // namespace agentauri::store
