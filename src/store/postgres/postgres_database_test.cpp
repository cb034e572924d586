// What is PostgreSQL's own: connections that break, retries, deadlines, hints between processes, how it connects.
#include "store/postgres/postgres_database.hpp"
#include "core/telemetry/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <latch>
#include <mutex>
#include <thread>

#include "store/postgres/session.hpp"
#include "store/sessions.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::store {
namespace {

using namespace std::chrono_literals;
using postgres::Session;
using ::testing::HasSubstr;
using ::testing::Not;

const Query kPut{Query::Unlisted{}, "pg_put", "INSERT INTO counters (name, value) VALUES (:name, :value)"};
const Query kGet{Query::Unlisted{}, "pg_get", "SELECT value FROM counters WHERE name = :name"};
const Query kBump{Query::Unlisted{}, "pg_bump", "UPDATE counters SET value = value + 1 WHERE name = :name"};
const Query kKillMyself{Query::Unlisted{}, "pg_kill_myself", "SELECT pg_terminate_backend(pg_backend_pid())"};
const Query kMyPid{Query::Unlisted{}, "pg_my_pid", "SELECT pg_backend_pid()"};
const Query kPostmaster{Query::Unlisted{}, "pg_postmaster",
                        "SELECT CAST(split_part(pg_read_file('postmaster.pid'), chr(10), 1) AS bigint)"};
const Query kSleep{Query::Unlisted{}, "pg_sleep", "SELECT pg_sleep(60)"};
const Query kRaise{Query::Unlisted{}, "pg_raise", "SELECT test_raise(:state)"};
const Query kWide{Query::Unlisted{}, "pg_wide", "SELECT * FROM counters WHERE name = :name"};

// Outside any transaction, as an operator would.
void execute(const PostgresSettings& settings, const std::string& sql) {
  auto session = Session::connect(settings);
  ASSERT_TRUE(session) << session.error().text;
  const auto done = (*session)->execute(sql, 10s);
  ASSERT_TRUE(done) << done.error().text;
}

Result<void> put(Tx& tx, std::string name) {
  auto row = tx.run(kPut, Params().text("name", std::move(name)).i64("value", 1));
  if (!row) return fail(row);
  return {};
}

bool stored(Database& db, std::string name) {
  return !db.query_blocking(kGet, Params().text("name", std::move(name)))->empty();
}

Result<void> transact(Database& db, std::function<Result<void>(Tx&)> body) {
  return db.transact_blocking<void>(Priority::interactive, std::move(body));
}

void add_raise(const PostgresSettings& settings) {
  execute(settings,
          "CREATE FUNCTION test_raise(state text) RETURNS text LANGUAGE plpgsql AS "
          "$$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = state; END $$");
}

// --- connections that break ------------------------------------------------------------------------------------------

TEST(PostgresUnit, RunsAgainWhenTheConnectionBreaksBeforeCommit) {
  const auto temp = testing::make_temp_postgres();
  int runs = 0;
  const auto outcome = transact(*temp.db, [&runs](Tx& tx) -> Result<void> {
    if (auto done = put(tx, "k1"); !done) return done;
    if (++runs > 1) return {};
    auto killed = tx.run(kKillMyself);
    if (!killed) return fail(killed);
    return {};
  });
  EXPECT_TRUE(outcome) << outcome.error().text;
  EXPECT_EQ(runs, 2);
  EXPECT_TRUE(stored(*temp.db, "k1"));
}

TEST(PostgresUnit, GivesUpAfterSoManyBrokenConnections) {
  const auto temp = testing::make_temp_postgres();
  int runs = 0;
  const auto outcome = transact(*temp.db, [&runs](Tx& tx) -> Result<void> {
    ++runs;
    auto killed = tx.run(kKillMyself);
    if (!killed) return fail(killed);
    return {};
  });
  EXPECT_EQ(outcome.error().code, Code::unavailable);
  EXPECT_EQ(runs, 5);
}

TEST(PostgresUnit, IsUnknownWhenTheConnectionBreaksDuringCommit) {
  const auto temp = testing::make_temp_postgres();
  execute(temp.postgres,
          "CREATE FUNCTION test_die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM "
          "pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;"
          "CREATE CONSTRAINT TRIGGER test_die AFTER INSERT ON counters DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
          "WHEN (NEW.name = 'k1') EXECUTE FUNCTION test_die()");
  int runs = 0;
  const auto outcome = transact(*temp.db, [&runs](Tx& tx) {
    ++runs;
    return put(tx, "k1");
  });
  EXPECT_EQ(outcome.error().code, Code::commit_unknown);
  EXPECT_EQ(runs, 1);   // it may have happened: doing it again is not ours to decide
  EXPECT_TRUE(transact(*temp.db, [](Tx& tx) { return put(tx, "k2"); }));
}

// The connection is found dead by the first statement, with which the transaction would have begun.
TEST(PostgresUnit, RunsAgainWhenAnIdleConnectionWasClosed) {
  const auto temp = testing::make_temp_postgres([](auto& s) { s.threads = 1; });
  ASSERT_TRUE(transact(*temp.db, [](Tx& tx) { return put(tx, "k1"); }));
  execute(temp.postgres,
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
          "pg_backend_pid()");
  int runs = 0;
  EXPECT_TRUE(transact(*temp.db, [&runs](Tx& tx) {
    ++runs;
    return put(tx, "k2");
  }));
  EXPECT_EQ(runs, 2);
}

TEST(PostgresUnit, ManyStatementsSurviveABrokenPipeline) {
  const auto temp = testing::make_temp_postgres();
  execute(temp.postgres,
          "CREATE FUNCTION test_die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM "
          "pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;"
          "CREATE TRIGGER test_die BEFORE INSERT ON counters FOR EACH ROW WHEN (NEW.name = 'k600') EXECUTE FUNCTION "
          "test_die()");
  std::vector<Params> sets;
  for (int i = 0; i < 1000; ++i) sets.push_back(Params().text("name", "k" + std::to_string(i)).i64("value", i));
  const auto outcome =
      temp.db->transact_blocking<std::int64_t>(Priority::bulk, [&sets](Tx& tx) { return tx.run_many(kPut, sets); });
  EXPECT_EQ(outcome.error().code, Code::unavailable);
  EXPECT_FALSE(stored(*temp.db, "k1"));
}

// --- retries and errors ----------------------------------------------------------------------------------------------

TEST(PostgresUnit, RunsAgainAfterSerializationFailures) {
  const auto temp = testing::make_temp_postgres();
  add_raise(temp.postgres);
  for (const char* state : {"40001", "40P01"}) {
    int runs = 0;
    const auto outcome = transact(*temp.db, [&runs, state](Tx& tx) -> Result<void> {
      if (auto done = put(tx, state); !done) return done;
      if (++runs > 2) return {};
      auto raised = tx.run(kRaise, Params().text("state", state));
      if (!raised) return fail(raised);
      return {};
    });
    EXPECT_TRUE(outcome) << outcome.error().text;
    EXPECT_EQ(runs, 3);
    EXPECT_TRUE(stored(*temp.db, state));
  }
}

TEST(PostgresUnit, UnitsThatDeadlockBothSucceed) {
  const auto temp = testing::make_temp_postgres();
  ASSERT_TRUE(transact(*temp.db, [](Tx& tx) -> Result<void> {
    if (auto a = put(tx, "a"); !a) return a;
    return put(tx, "b");
  }));
  std::atomic<int> runs{0};
  std::latch both(2);
  const auto cross = [&](const char* first, const char* second) {
    const auto outcome = transact(*temp.db, [&, first, second, met = false](Tx& tx) mutable -> Result<void> {
      ++runs;
      if (auto row = tx.run(kBump, Params().text("name", first)); !row) return fail(row);
      if (!met) {
        met = true;
        both.arrive_and_wait();
      }
      if (auto row = tx.run(kBump, Params().text("name", second)); !row) return fail(row);
      return {};
    });
    EXPECT_TRUE(outcome) << outcome.error().text;
  };
  std::jthread one(cross, "a", "b"), other(cross, "b", "a");
  one.join();
  other.join();
  EXPECT_GE(runs, 3);
  EXPECT_EQ(temp.db->query_blocking(kGet, Params().text("name", "a"))->i64(0, 0), 3);
}

TEST(PostgresUnit, TellsItsErrorsApart) {
  const auto temp = testing::make_temp_postgres();
  add_raise(temp.postgres);
  const std::pair<const char*, Code> expected[] = {
      {"23505", Code::conflict},     {"23503", Code::conflict},    {"23514", Code::check_failed},
      {"23502", Code::check_failed}, {"22003", Code::overflow},    {"22008", Code::overflow},
      {"22P02", Code::invalid},      {"53100", Code::unavailable}, {"53200", Code::unavailable},
      {"58030", Code::unavailable},  {"55P03", Code::busy},        {"42601", Code::internal},
      {"25006", Code::unavailable},  {"42501", Code::unavailable}};
  for (const auto& [state, code] : expected) {
    const auto outcome = transact(*temp.db, [state](Tx& tx) -> Result<void> {
      auto raised = tx.run(kRaise, Params().text("state", state));
      if (!raised) return fail(raised);
      return {};
    });
    EXPECT_EQ(outcome.error().code, code) << state;
    EXPECT_THAT(outcome.error().text, HasSubstr("pg_raise"));
  }
}

TEST(PostgresUnit, SurvivesAMigrationUnderneath) {
  const auto temp = testing::make_temp_postgres([](auto& s) { s.threads = 1; });
  ASSERT_TRUE(transact(*temp.db, [](Tx& tx) { return put(tx, "k1"); }));
  ASSERT_TRUE(temp.db->query_blocking(kWide, Params().text("name", "k1")));
  execute(temp.postgres, "ALTER TABLE counters ADD COLUMN extra text");
  const auto rows = temp.db->query_blocking(kWide, Params().text("name", "k1"));
  EXPECT_TRUE(rows) << rows.error().text;
}

// --- deadlines -------------------------------------------------------------------------------------------------------

TEST(PostgresDeadline, EndsAStatementThatTakesTooLong) {
  const auto temp = testing::make_temp_postgres([](auto& s) { s.statement_timeout = 100ms; });
  const auto rows = temp.db->query_blocking(kSleep);
  EXPECT_EQ(rows.error().code, Code::timed_out);
  EXPECT_TRUE(transact(*temp.db, [](Tx& tx) { return put(tx, "k1"); }));
}

TEST(PostgresDeadline, EndsTheWaitForALock) {
  const auto temp = testing::make_temp_postgres([](auto& s) { s.lock_timeout = 100ms; });
  ASSERT_TRUE(transact(*temp.db, [](Tx& tx) { return put(tx, "k1"); }));
  auto holder = Session::connect(temp.postgres);
  ASSERT_TRUE((*holder)->execute("BEGIN; UPDATE counters SET value = 2 WHERE name = 'k1'", 5s));
  const auto outcome = transact(*temp.db, [](Tx& tx) -> Result<void> {
    auto row = tx.run(kBump, Params().text("name", "k1"));
    if (!row) return fail(row);
    return {};
  });
  EXPECT_EQ(outcome.error().code, Code::busy);
}

// As a process does that is frozen in the middle of a unit: its locks must not outlive the patience of the others.
TEST(PostgresDeadline, EndsAUnitThatStandsStill) {
  const auto temp = testing::make_temp_postgres([](auto& s) { s.standstill_timeout = 500ms; });
  ASSERT_TRUE(transact(*temp.db, [](Tx& tx) { return put(tx, "k1"); }));
  std::latch locked(1), freed(1);
  int runs = 0;
  Result<void> outcome = fail(Code::internal, "not run");
  std::thread frozen([&] {
    outcome = transact(*temp.db, [&](Tx& tx) -> Result<void> {
      auto bumped = tx.run(kBump, Params().text("name", "k1"));
      if (!bumped) return fail(bumped);
      if (++runs > 1) return {};
      locked.count_down();
      freed.wait();
      return put(tx, "k2");
    });
  });
  locked.wait();
  const auto began = std::chrono::steady_clock::now();
  const auto other = transact(*temp.db, [](Tx& tx) -> Result<void> {
    auto bumped = tx.run(kBump, Params().text("name", "k1"));
    if (!bumped) return fail(bumped);
    return {};
  });
  EXPECT_TRUE(other) << other.error().text;
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
  freed.count_down();
  frozen.join();
  EXPECT_TRUE(outcome) << outcome.error().text;
  EXPECT_EQ(runs, 2) << "the late one ran again, and nothing of its first run is left";
  EXPECT_FALSE(stored(*temp.db, "k2"));
  EXPECT_EQ(temp.db->query_blocking(kGet, Params().text("name", "k1"))->i64(0, 0), 3);
}

// Reading holds nobody up, and computing on a snapshot may take its time.
TEST(PostgresDeadline, LetsASnapshotStandStill) {
  const auto temp = testing::make_temp_postgres([](auto& s) { s.standstill_timeout = 50ms; });
  int runs = 0;
  const auto seen = temp.db->snapshot_blocking<std::int64_t>([&runs](Tx& tx) -> Result<std::int64_t> {
    ++runs;
    for (int i = 0; i < 2; ++i) {
      auto rows = tx.run(kGet, Params().text("name", "k1"));
      if (!rows) return fail(rows);
      if (i == 0) std::this_thread::sleep_for(300ms);
    }
    return 1;
  });
  EXPECT_TRUE(seen) << seen.error().text;
  EXPECT_EQ(runs, 1);
}

TEST(PostgresDeadline, LeavesAServerThatHasFallenSilent) {
  const auto temp = testing::make_temp_postgres([](auto& s) {
    s.threads = 1;
    s.statement_timeout = 100ms;
  });
  const auto pid = static_cast<pid_t>(temp.db->query_blocking(kMyPid)->i64(0, 0));
  ASSERT_EQ(::kill(pid, SIGSTOP), 0);
  // Deadline, cancellation, no answer to that either; then a new connection, on which it goes through.
  const auto outcome = transact(*temp.db, [](Tx& tx) { return put(tx, "k1"); });
  ::kill(pid, SIGCONT);
  EXPECT_TRUE(outcome) << outcome.error().text;
  EXPECT_NE(temp.db->query_blocking(kMyPid)->i64(0, 0), pid);
}

// --- hints -----------------------------------------------------------------------------------------------------------

TEST(PostgresNotify, ReachesOtherProcesses) {
  const auto temp = testing::make_temp_postgres();
  auto other = make_postgres_database(temp.postgres);
  ASSERT_TRUE(other);
  std::latch heard(1);
  (*other)->on_notify("jobs", [&heard, once = std::make_shared<std::once_flag>()] {
    std::call_once(*once, [&heard] { heard.count_down(); });
  });
  // A hint may be lost while the other is not yet listening: so it is given until it is heard.
  while (!heard.try_wait()) {
    temp.db->notify("jobs");
    std::this_thread::sleep_for(5ms);
  }
}

TEST(PostgresNotify, ARevocationTellsOtherProcesses) {
  const auto temp = testing::make_temp_postgres();
  auto other = make_postgres_database(temp.postgres);
  ASSERT_TRUE(other);
  std::latch heard(1);
  (*other)->on_notify(std::string(kRevocationsChannel), [&heard, once = std::make_shared<std::once_flag>()] {
    std::call_once(*once, [&heard] { heard.count_down(); });
  });
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (!heard.try_wait() && std::chrono::steady_clock::now() < end) {
    ASSERT_TRUE(temp.db->transact_blocking<bool>(Priority::interactive, [](Tx& tx) -> Result<bool> {
      if (auto told = append_revocation(tx, make_uuid_v4(), from_unix_seconds(1'767'225'600)); !told) return fail(told);
      return true;
    }));
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_TRUE(heard.try_wait());
}

// A hint that comes together with the answer to a statement is in the socket no longer.
TEST(PostgresNotify, IsHeardAtOnceThoughItCameWithAnAnswer) {
  const auto temp = testing::make_temp_postgres();
  auto other = make_postgres_database(temp.postgres);
  std::atomic<int> heard{0};
  (*other)->on_notify("jobs", [&heard] { ++heard; });
  const Query kListener{Query::Unlisted{}, "pg_listener",
                        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query = 'LISTEN "
                        "\"jobs\"' AND state = 'idle'"};
  Result<Rows> listener = Rows();
  while (listener->empty()) listener = temp.db->query_blocking(kListener);
  const auto pid = static_cast<pid_t>(listener->i64(0, 0));
  auto shortest = std::chrono::steady_clock::duration::max();
  for (int round = 0; round < 3; ++round) {
    // While its server process stands still, the listener asks it for something, and the hint comes.
    const int before = heard;
    ASSERT_EQ(::kill(pid, SIGSTOP), 0);
    (*other)->notify("anything");
    std::this_thread::sleep_for(50ms);
    execute(temp.postgres, "NOTIFY jobs");
    ::kill(pid, SIGCONT);
    const auto started = std::chrono::steady_clock::now();
    while (heard == before) std::this_thread::sleep_for(1ms);
    shortest = std::min(shortest, std::chrono::steady_clock::now() - started);
  }
  EXPECT_LT(shortest, 500ms) << "the listener looks again after a second by itself";
}

TEST(PostgresNotify, IsHeardOnceByTheOneWhoGaveIt) {
  const auto temp = testing::make_temp_postgres();
  std::atomic<int> count{0};
  std::latch echoed(1);
  temp.db->on_notify("mine", [&count] { ++count; });
  auto other = make_postgres_database(temp.postgres);
  (*other)->on_notify("mine", [&echoed, once = std::make_shared<std::once_flag>()] {
    std::call_once(*once, [&echoed] { echoed.count_down(); });
  });
  int given = 0;
  while (!echoed.try_wait()) {
    temp.db->notify("mine");
    ++given;
    std::this_thread::sleep_for(20ms);
  }
  temp.db->stop();
  EXPECT_EQ(count, given);
}

// --- connecting ------------------------------------------------------------------------------------------------------

TEST(PostgresConnect, TriesAgainAndSaysWhereButNeverThePassword) {
  auto settings = testing::make_empty_postgres();
  settings.port = 1;   // nobody listens there
  settings.password = "s3cret-word";
  settings.first_waits = {1ms, 2ms, 4ms, 8ms};
  flush_log();
  ::testing::internal::CaptureStdout();
  const auto db = make_postgres_database(settings);
  flush_log();
  const std::string lines = ::testing::internal::GetCapturedStdout();
  ASSERT_FALSE(db);
  EXPECT_EQ(db.error().code, Code::unavailable);
  for (const std::string& part : {settings.host, settings.database, settings.user, std::string(":1 "),
                                  std::string("DB_PASSWORD"), std::string("DB_HOST")}) {
    EXPECT_THAT(db.error().text, HasSubstr(part));
  }
  EXPECT_THAT(db.error().text, Not(HasSubstr("s3cret")));
  EXPECT_THAT(lines, Not(HasSubstr("s3cret")));
  for (const char* part : {"\"attempt\":1", "\"attempt\":4", "\"next_in_ms\":1,", "\"next_in_ms\":8,", "warn"}) {
    EXPECT_THAT(lines, ::testing::AnyOf(HasSubstr(part), HasSubstr(part == std::string("warn") ? "WARN" : part)));
  }
  EXPECT_THAT(lines, Not(HasSubstr("\"attempt\":5")));
}

TEST(PostgresConnect, TakesAnyPassword) {
  const std::string password = "p/a+s=s@w:o#r?d% &'\"\\ \xe2\x82\xac";
  const auto temp = testing::make_temp_postgres();
  std::string quoted;
  for (const char c : password) quoted += c == '\'' ? "''" : std::string(1, c);
  execute(temp.postgres, "DROP ROLE IF EXISTS scram_user; CREATE ROLE scram_user LOGIN PASSWORD '" + quoted + "'");
  auto settings = temp.postgres;
  settings.user = "scram_user";
  settings.password = password;
  EXPECT_TRUE(make_postgres_database(settings));
  settings.password = "wrong-word";
  const auto refused = make_postgres_database(settings);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, HasSubstr("scram_user"));
  EXPECT_THAT(refused.error().text, Not(HasSubstr("wrong-word")));
}

TEST(PostgresConnect, UnitsFailInTimeWhileTheServerIsAway) {
  const auto temp = testing::make_temp_postgres([](auto& s) {
    s.threads = 1;
    s.acquire_timeout = 200ms;
  });
  // Nobody may connect to it any more, which is how a server that is away looks from here.
  auto admin = temp.postgres;
  admin.database = "postgres";
  execute(admin, "ALTER DATABASE " + temp.postgres.database + " ALLOW_CONNECTIONS false");
  execute(admin,
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + temp.postgres.database + "'");
  const auto started = std::chrono::steady_clock::now();
  std::vector<std::jthread> callers;
  std::atomic<int> failed{0};
  for (int i = 0; i < 40; ++i) {
    callers.emplace_back([&] {
      const auto outcome = transact(*temp.db, [](Tx& tx) { return put(tx, "k"); });
      if (!outcome && outcome.error().code == Code::unavailable) ++failed;
    });
  }
  callers.clear();
  EXPECT_EQ(failed, 40);
  // One after another they would have taken 8 s.
  EXPECT_LT(std::chrono::steady_clock::now() - started, 4s);
  run_blocking([&]() -> Task<void> {
    const auto health = co_await temp.db->check_health();
    EXPECT_FALSE(health.reachable);
  });
  execute(admin, "ALTER DATABASE " + temp.postgres.database + " ALLOW_CONNECTIONS true");
  EXPECT_TRUE(transact(*temp.db, [](Tx& tx) { return put(tx, "k"); }));
  run_blocking([&]() -> Task<void> {
    const auto health = co_await temp.db->check_health();
    EXPECT_TRUE(health.reachable) << health.detail;
  });
}

// A server that takes connections and then says nothing, until the end of the scope.
class Silence {
 public:
  explicit Silence(const PostgresSettings& settings) {
    auto session = Session::connect(settings);
    const auto pid = (*session)->run(kPostmaster, {});
    pid_ = static_cast<pid_t>(pid->i64(0, 0));
    EXPECT_EQ(::kill(pid_, SIGSTOP), 0);
  }
  ~Silence() { ::kill(pid_, SIGCONT); }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  pid_t pid_ = 0;
};

TEST(PostgresConnect, QueuedUnitsDoNotEachWaitForASilentServer) {
  const auto temp = testing::make_temp_postgres([](auto& s) {
    s.threads = 1;
    s.acquire_timeout = 200ms;
    s.connect_timeout = 400ms;
  });
  auto admin = temp.postgres;
  admin.database = "postgres";
  execute(admin,
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + temp.postgres.database + "'");
  std::atomic<int> failed{0};
  const auto started = std::chrono::steady_clock::now();
  {
    const Silence silence(admin);
    std::vector<std::jthread> callers;
    for (int i = 0; i < 30; ++i) {
      callers.emplace_back([&] {
        const auto outcome = transact(*temp.db, [](Tx& tx) { return put(tx, "k"); });
        if (!outcome && outcome.error().code == Code::unavailable) ++failed;
      });
    }
  }
  EXPECT_EQ(failed, 30);
  // One connection attempt for each would take 12 s.
  EXPECT_LT(std::chrono::steady_clock::now() - started, 6s);
  EXPECT_TRUE(transact(*temp.db, [](Tx& tx) { return put(tx, "k"); }));
}

TEST(PostgresHealth, KnowsAnEmptyDatabaseFromOneThatIsAway) {
  auto db = make_postgres_database(testing::make_empty_postgres());
  ASSERT_TRUE(db);
  run_blocking([&]() -> Task<void> {
    const auto health = co_await (*db)->check_health();
    EXPECT_TRUE(health.reachable) << health.detail;
    EXPECT_FALSE(health.migrated);
  });
}

TEST(PostgresMetrics, CountConnectionsAndTimeStatements) {
  Metrics metrics;
  const auto temp = testing::make_temp_postgres([&metrics](auto& s) {
    s.threads = 2;
    s.metrics = &metrics;
    s.idle_timeout = 1s;
  });
  ASSERT_TRUE(transact(*temp.db, [](Tx& tx) { return put(tx, "k1"); }));
  // A connection that was given back is idle no more.
  const auto exposed = [&metrics] { return metrics.expose(); };
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (!exposed().contains("db_pool_connections_idle{pool=\"write\"} 0") &&
         std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(5ms);
  EXPECT_THAT(exposed(), HasSubstr("db_pool_connections_idle{pool=\"write\"} 0"));
  temp.db->stop();
  const std::string text = metrics.expose();
  EXPECT_THAT(text, HasSubstr("db_pool_connections_max{pool=\"write\"} 2"));
  EXPECT_THAT(text, HasSubstr("db_pool_connections_active{pool=\"write\"} 0"));
  EXPECT_THAT(text, HasSubstr("db_pool_connections_idle{pool=\"write\"} 0"));
  EXPECT_THAT(text, HasSubstr("db_query_duration_seconds_count{query=\"pg_put\"} 1"));
}

}   // namespace
}   // namespace agentauri::store
