// Seeded simulation: after any history of reorganisations, crashes and batch sizes, the state equals byte for byte that
// of a run which saw only the final chain, and each matching occurrence of the final chain has exactly one living job.
// Once more with two engines, of which one has lost its lease, between two steps or in the middle of one, and does not
// know it: nothing that it does is true.
//   SIMULATION_SEED=17 runs one seed, SIMULATION_SEEDS=1000 so many.
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <random>
#include <set>

#include "core/crypto/crypto.hpp"
#include "engine/engine.hpp"
#include "engine/testing/engine_fixture.hpp"
#include "engine/testing/model_chain.hpp"
#include "store/jobs.hpp"
#include "store/leases.hpp"
#include "store/revisions.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::engine {
namespace {

using testing::Block;
using testing::kChain;
using testing::ModelChain;
using testing::Txn;

constexpr std::uint64_t kUndoBlocks =
    8;                             // below the highest head: no reorganisation goes deeper, and images are pruned
constexpr int kQuietBlocks = 40;   // enough for a pruning

// Jobs that may be sent, or are being sent for the first time, though their block is not part of the chain.
const store::Query kStray{store::Query::Unlisted{}, "simulation_stray",
                          "SELECT count(*) FROM jobs j JOIN blocks b ON b.chain_id = j.chain_id AND b.hash = "
                          "j.block_hash WHERE j.state = 'pending' AND b.canonical = :no"};

enum class Shape { one_engine, two_engines };

struct World {
  explicit World(store::testing::TempDatabase database = store::testing::make_temp_sqlite())
      : temp(std::move(database)) {}

  store::testing::TempDatabase temp;
  testing::HookedDatabase hooked{*temp.db};
  FakeClock clock{from_unix_seconds(1'800'000'000)};
  Metrics metrics;
  std::unique_ptr<Engine> engine;
  std::unique_ptr<Engine> late;   // that held the lease before and has not been told, when it is kept
  std::optional<domain::InstanceId> holder;

  template <class T>
  T in_tx(std::move_only_function<Result<T>(store::Tx&)> body) {
    auto out = temp.db->transact_blocking<T>(store::Priority::interactive, std::move(body));
    ENSURE(out.has_value(), out ? "" : out.error().text.c_str());
    return std::move(*out);
  }
  void start(std::int64_t batch, bool keep_late = false) {
    if (keep_late) late = std::move(engine);
    engine.reset();
    const auto id = domain::InstanceId::make(clock.now());
    EngineSettings settings;
    settings.instance = id;
    settings.batch_events = batch;
    settings.min_undo_blocks = kUndoBlocks;
    settings.epoch = in_tx<std::int64_t>([&](store::Tx& tx) -> Result<std::int64_t> {
      if (auto added = store::register_instance(tx, id, store::this_process(), "engine"); !added) return fail(added);
      if (holder) (void)store::remove_instance(tx, *holder);
      auto lease = store::acquire_lease(tx, "engine:0", id);
      if (!lease) return fail(lease);
      return lease->value();
    });
    holder = id;
    engine = std::make_unique<Engine>(hooked, clock, settings, metrics, [] {});
  }
  // A step in the middle of which, between its snapshot and its commit, the lease passes on to another engine.
  void step_while_the_lease_passes_on(std::int64_t batch) {
    bool passed = false;
    hooked.before_write = [&] {
      passed = true;
      start(batch, true);
    };
    auto progress = engine->step();
    hooked.before_write = nullptr;   // there was nothing to write
    if (!passed) return;
    ASSERT_FALSE(progress) << "a commit under an old lease went through";
    EXPECT_EQ(progress.error().code, Code::fenced) << progress.error().text;
  }
  void step_late() {
    if (!late) return;
    auto progress = late->step();
    if (!progress) {
      EXPECT_EQ(progress.error().code, Code::fenced) << progress.error().text;
      late.reset();
      return;
    }
    EXPECT_EQ(progress->events, 0) << "it found nothing to do, or it must have been fenced";
    EXPECT_EQ(progress->jobs, 0);
  }
  void drain() {
    for (;;) {
      auto progress = engine->step();
      ENSURE(progress.has_value(), progress ? "" : progress.error().text.c_str());
      if (!progress->more) return;
    }
  }
  std::string digest() {
    std::string text;
    for (const auto& [row, value] : in_tx<std::vector<std::pair<store::StateRow, store::StateValue>>>(
             [](store::Tx& tx) { return store::dump_state(tx, kChain); })) {
      text += to_string(row.trigger) + std::to_string(row.condition) + "/" + std::to_string(row.condition_rev) + "/" +
              row.key + "=" + value.state + "@" + std::to_string(value.block_num) + "\n";
    }
    return to_hex(crypto::sha256(as_bytes(text)).view());
  }
};

std::vector<domain::Trigger> make_triggers() {
  std::vector<domain::Trigger> out;
  domain::ConditionId condition = 0;
  domain::ActionId action = 0;
  const auto add = [&](std::vector<domain::Condition> conditions, bool stateful) {
    domain::Trigger t;
    t.id = domain::TriggerId{Uuid{}};
    t.id.uuid.data[15] = static_cast<std::uint8_t>(out.size() + 1);
    t.organization_id = domain::OrganizationId{t.id.uuid};
    t.registry = domain::Registry::reputation;
    t.is_stateful = stateful;
    t.created_at = from_unix_seconds(1'600'000'000);
    for (auto& c : conditions) {
      c.id = ++condition;
      t.conditions.push_back(c);
    }
    t.actions.push_back({.id = ++action, .config = R"({"url":"http://127.0.0.1:1/"})"});
    out.push_back(std::move(t));
  };
  add({{.condition_type = "score_threshold", .field = "score", .op = "<", .value = "50"}}, false);
  out.back().min_confirmations = 2;
  add({{.condition_type = "ema_threshold",
        .field = "score",
        .op = "<",
        .value = "45",
        .config = R"({"window_size":5})"}},
      true);
  add({{.condition_type = "ema_threshold",
        .field = "score",
        .op = ">",
        .value = "60",
        .config = R"({"window_size":3,"partition_by":"agent_id"})"}},
      true);
  add({{.condition_type = "score_threshold", .field = "score", .op = "<", .value = "50"},
       {.condition_type = "rate_limit",
        .field = "event_count",
        .op = ">",
        .value = "3",
        .config = R"({"time_window":"2m","reset_on_trigger":true})"}},
      true);
  return out;
}

void save(World& world, const std::vector<domain::Trigger>& triggers) {
  for (const auto& t : triggers)
    world.in_tx<std::int64_t>([&](store::Tx& tx) { return store::append_revision(tx, t, false, world.clock.now()); });
}

std::vector<Txn> random_txns(std::mt19937& random, ModelChain& chain) {
  std::vector<Txn> out;
  for (unsigned n = random() % 4; n > 0; --n) {
    std::optional<std::int32_t> score;
    if (random() % 8 != 0) score = static_cast<std::int32_t>(random() % 101);
    out.push_back({chain.next_txn(), random() % 3, score});
  }
  return out;
}

void simulate(unsigned seed, Shape shape = Shape::one_engine,
              store::testing::TempDatabase database = store::testing::make_temp_sqlite()) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  const bool two = shape == Shape::two_engines;
  std::mt19937 random(seed);
  const auto triggers = make_triggers();
  World stormy(std::move(database));
  testing::attach(*stormy.temp.db, stormy.clock.now());
  save(stormy, triggers);
  ModelChain chain;
  // An engine that lags takes one event at a time while its log grows.
  const bool lags = seed % 4 == 0;
  const auto batch = [&] { return lags ? 1 : 1 + random() % 20; };
  stormy.start(batch());
  std::set<std::string> sent;
  std::uint64_t highest = 0;
  for (int round = 0; round < 30; ++round) {
    std::vector<Block> fresh;
    for (unsigned n = random() % 5; n > 0; --n) fresh.push_back(chain.mine(random_txns(random, chain)));
    if (random() % 15 == 0) {
      for (int quiet = 0; quiet < kQuietBlocks; ++quiet) fresh.push_back(chain.mine({}));
    }
    testing::append(*stormy.temp.db, fresh, stormy.clock.now());
    switch (random() % 6) {
      case 0:
      case 1: {
        // A reorganisation; some of the dropped transactions come back, in another order of blocks.
        const std::uint64_t head = chain.blocks().back().num;
        highest = std::max(highest, head);
        const std::uint64_t room = head - (highest > kUndoBlocks ? highest - kUndoBlocks : 0);
        auto dropped = chain.drop(std::min<std::uint64_t>(1 + random() % 6, room));
        testing::rewind(*stormy.temp.db, chain.blocks().back(), stormy.clock.now());
        std::vector<Block> other;
        std::vector<Txn> again;
        for (auto& txn : dropped) {
          if (random() % 3 != 0) again.push_back(txn);
        }
        if (random() % 2 == 0) other.push_back(chain.mine({}));
        other.push_back(chain.mine(again));
        testing::append(*stormy.temp.db, other, stormy.clock.now());
        break;
      }
      case 2:
        // A crash; or one that is only frozen, and comes back late.
        if (two && random() % 2 == 0)
          stormy.step_while_the_lease_passes_on(batch());
        else
          stormy.start(batch(), two);
        break;
      case 3: {
        // A worker sends some; what is sent is sent.
        auto claimed = stormy.in_tx<store::Claim>([&](store::Tx& tx) {
          return store::claim_batch(tx, *stormy.holder, 1 + random() % 5, {}, stormy.clock.now());
        });
        std::vector<store::AttemptResult> results;
        for (const auto& job : claimed.jobs) {
          store::AttemptResult r;
          r.job = job.id;
          r.attempt = job.attempt;
          r.lease_epoch = job.lease_epoch;
          results.push_back(r);
          ASSERT_TRUE(sent.insert(to_hex(job.id.view())).second) << "a job is sent once";
        }
        stormy.in_tx<std::int64_t>(
            [&](store::Tx& tx) { return store::finish_attempts(tx, results, stormy.clock.now()); });
        break;
      }
      default: {
        auto progress = stormy.engine->step();
        ASSERT_TRUE(progress) << progress.error().text;
      }
    }
    if (two && random() % 2 == 0) stormy.step_late();
    const auto stray = stormy.temp.db->query_blocking(kStray, store::Params().boolean("no", false));
    ASSERT_TRUE(stray) << stray.error().text;
    ASSERT_EQ(stray->i64(0, 0), 0) << "an alert of a block that has left would be sent, in round " << round;
  }
  stormy.drain();

  World calm;
  testing::attach(*calm.temp.db, calm.clock.now());
  save(calm, triggers);
  calm.start(500);
  testing::append(*calm.temp.db, {chain.blocks().begin() + 1, chain.blocks().end()}, calm.clock.now());
  calm.drain();
  EXPECT_EQ(stormy.digest(), calm.digest());

  for (const auto& t : triggers) {
    const auto list = [&t](World& world) {
      return world
          .in_tx<store::DeliveryPage>([&](store::Tx& tx) { return store::list_deliveries(tx, t.id, 100'000, 0); })
          .rows;
    };
    std::set<std::string> expected, living;
    for (const auto& job : list(calm)) expected.insert(to_hex(job.id.view()));
    for (const auto& job : list(stormy)) {
      const std::string id = to_hex(job.id.view());
      if (job.state == "cancelled") {
        EXPECT_EQ(job.reason, "orphaned");
        EXPECT_FALSE(expected.contains(id)) << "a job of the final chain is cancelled";
      } else if (job.state == "succeeded" && !expected.contains(id)) {
        EXPECT_TRUE(sent.contains(id));   // it was sent before its block left, or before its reason did
      } else {
        living.insert(id);
      }
    }
    EXPECT_EQ(living, expected);
  }
}

// One seed that somebody asks for, or as many as somebody asks for, or `usual`.
void for_each_seed(unsigned usual, const std::function<void(unsigned)>& run) {
  const char* one = std::getenv("SIMULATION_SEED");
  if (one != nullptr) return run(static_cast<unsigned>(std::atoi(one)));
  const char* many = std::getenv("SIMULATION_SEEDS");
  const unsigned seeds = many != nullptr ? static_cast<unsigned>(std::atoi(many)) : usual;
  for (unsigned seed = 1; seed <= seeds; ++seed) {
    run(seed);
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(Simulation, StateEqualsThatOfARunWhichSawOnlyTheFinalChain) {
  for_each_seed(200, [](unsigned seed) { simulate(seed); });
}

TEST(Simulation, AnEngineThatHasLostItsLeaseChangesNothing) {
  for_each_seed(100, [](unsigned seed) { simulate(seed, Shape::two_engines); });
}

TEST(Simulation, AnEngineThatHasLostItsLeaseChangesNothingOnPostgres) {
  for_each_seed(10, [](unsigned seed) { simulate(seed, Shape::two_engines, store::testing::make_temp_postgres()); });
}

}   // namespace
}   // namespace agentauri::engine
