// What is SQLite's own: the folder, groups and their failures, a full disk, its migrations.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <latch>
#include <thread>

#include "store/leases.hpp"
#include "store/sqlite/connection.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::store {
namespace {

using ::testing::HasSubstr;

const Query kPut{Query::Unlisted{}, "test_put", "INSERT INTO counters (name, value) VALUES (:name, :value)"};
const Query kNames{Query::Unlisted{}, "test_names", "SELECT name FROM counters WHERE name LIKE 'k%' ORDER BY name"};
const Query kInstances{Query::Unlisted{}, "test_instances", "SELECT count(*) FROM instances"};
const Query kDeferReferences{Query::Unlisted{}, "test_defer", "PRAGMA defer_foreign_keys = ON"};
const Query kPutSession{
    Query::Unlisted{}, "test_session",
    "INSERT INTO sessions (id, account_id, created_at, last_used_at, expires_at) VALUES (x'01', x'02', 0, 0, 0)"};

using Body = std::function<Result<void>(Tx&)>;

Body put(std::string name) {
  return [name = std::move(name)](Tx& tx) -> Result<void> {
    auto row = tx.run(kPut, Params().text("name", name).i64("value", 1));
    if (!row) return fail(row);
    return {};
  };
}

std::vector<std::string> names(Database& db) {
  std::vector<std::string> out;
  const auto rows = db.query_blocking(kNames);
  EXPECT_TRUE(rows) << rows.error().text;
  for (std::size_t i = 0; rows && i < rows->size(); ++i) out.push_back(rows->text(i, 0));
  return out;
}

// All of them in one group: the writer is held until they are queued.
std::vector<Result<void>> in_one_group(Database& db, std::vector<Body> bodies) {
  std::latch held(1), release(1);
  std::jthread gate([&] {
    (void)db.transact_blocking<void>(Priority::interactive, [&](Tx&) -> Result<void> {
      held.count_down();
      release.wait();
      return {};
    });
  });
  held.wait();
  std::vector<Result<void>> outcomes(bodies.size());
  run_blocking([&]() -> Task<void> {
    TaskGroup group(co_await this_executor());
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      group.spawn("unit", [&, i]() -> Task<void> {
        outcomes[i] = co_await db.transact<void>(Priority::interactive, bodies[i]);
      });
    }
    group.spawn("release", [&]() -> Task<void> {
      release.count_down();
      co_return;
    });
    co_await group.wait();
  });
  return outcomes;
}

testing::TempDatabase patient() {
  SqliteSettings settings;
  settings.group_time = std::chrono::seconds(60);
  return testing::make_temp_sqlite(settings);
}

// --- the folder ------------------------------------------------------------------------------------------------------

TEST(SqliteFolder, IsHeldByOneProcess) {
  testing::TempFolder folder;
  auto first = make_sqlite_database({.data_dir = folder.path()});
  ASSERT_TRUE(first) << first.error().text;
  // Another process, to be sure that it is not this one's descriptor that is in the way.
  const pid_t child = ::fork();
  if (child == 0) {
    const auto second = make_sqlite_database({.data_dir = folder.path()});
    const bool refused = !second && second.error().code == Code::busy && second.error().field == "AGENTAURI_DATA_DIR" &&
                         second.error().text.contains(folder.path());
    ::_exit(refused ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  first->reset();
  EXPECT_TRUE(make_sqlite_database({.data_dir = folder.path()}));
}

TEST(SqliteFolder, IsNotNeededToExistInVain) {
  const auto opened = make_sqlite_database({.data_dir = "/nonexistent/folder"});
  EXPECT_EQ(opened.error().code, Code::unavailable);
  EXPECT_THAT(opened.error().text, HasSubstr("/nonexistent/folder"));
}

TEST(SqliteFolder, IsForTheOwnersEyes) {
  const auto temp = testing::make_temp_sqlite();
  ASSERT_TRUE(temp.db->transact_blocking<void>(Priority::interactive, put("k")));
  for (const auto& entry : std::filesystem::directory_iterator(temp.folder->path())) {
    struct stat info{};
    ASSERT_EQ(::stat(entry.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U) << entry.path();
  }
}

TEST(SqliteFolder, KeepsWhatWasCommitted) {
  testing::TempFolder folder;
  {
    auto db = make_sqlite_database({.data_dir = folder.path()});
    ASSERT_TRUE((*db)->transact_blocking<void>(Priority::interactive, put("k1")));
    ASSERT_TRUE((*db)->transact_blocking<void>(Priority::interactive, [](Tx& tx) {
      return register_instance(tx, domain::InstanceId::make(SystemClock().now()), this_process(), "all");
    }));
  }
  auto db = make_sqlite_database({.data_dir = folder.path()});
  ASSERT_TRUE(db);
  EXPECT_THAT(names(**db), ::testing::ElementsAre("k1"));
  // The folder is held alone: whoever was written down before is dead.
  EXPECT_EQ((*db)->query_blocking(kInstances)->i64(0, 0), 0);
}

TEST(SqliteFolder, MayBeReadBesideItsHolder) {
  const auto temp = testing::make_temp_sqlite();
  ASSERT_TRUE(temp.db->transact_blocking<void>(Priority::interactive, put("k1")));
  auto reader = make_sqlite_database({.data_dir = temp.folder->path(), .read_only = true});
  ASSERT_TRUE(reader) << reader.error().text;
  EXPECT_THAT(names(**reader), ::testing::ElementsAre("k1"));
  EXPECT_EQ((*reader)->transact_blocking<void>(Priority::interactive, put("k2")).error().code, Code::forbidden);
}

// --- groups ----------------------------------------------------------------------------------------------------------

TEST(SqliteGroup, SharesItsCommit) {
  // A reference into nothing, put off to the commit, which fails: with it fails everybody in the group.
  auto temp = patient();
  const auto outcomes = in_one_group(*temp.db, {put("k1"),
                                                [](Tx& tx) -> Result<void> {
                                                  if (auto deferred = tx.run(kDeferReferences); !deferred)
                                                    return fail(deferred);
                                                  if (auto row = tx.run(kPutSession); !row) return fail(row);
                                                  return {};
                                                },
                                                put("k2")});
  for (const auto& outcome : outcomes) EXPECT_EQ(outcome.error().code, Code::conflict);
  EXPECT_THAT(names(*temp.db), ::testing::IsEmpty());
  EXPECT_TRUE(temp.db->transact_blocking<void>(Priority::interactive, put("k3")));
}

TEST(SqliteGroup, TakesAtMostSoManyMembers) {
  // The same failing commit, with groups of two: the gate and k1, then the failing one and k2, then k3.
  SqliteSettings settings;
  settings.group_bodies = 2;
  settings.group_time = std::chrono::seconds(60);
  auto temp = testing::make_temp_sqlite(settings);
  const auto outcomes = in_one_group(*temp.db, {put("k1"),
                                                [](Tx& tx) -> Result<void> {
                                                  (void)tx.run(kDeferReferences);
                                                  if (auto row = tx.run(kPutSession); !row) return fail(row);
                                                  return {};
                                                },
                                                put("k2"), put("k3")});
  EXPECT_TRUE(outcomes[0]);
  EXPECT_FALSE(outcomes[1]);
  EXPECT_FALSE(outcomes[2]);
  EXPECT_TRUE(outcomes[3]);
}

TEST(SqliteGroup, AFullDiskFailsItsCauseAlone) {
  SqliteSettings settings;
  settings.group_time = std::chrono::seconds(60);
  settings.max_pages = 400;
  auto temp = testing::make_temp_sqlite(settings);
  int runs = 0;
  const Body counted = [&runs](Tx& tx) {
    ++runs;
    return put("k1")(tx);
  };
  const Body stubborn = [](Tx& tx) -> Result<void> {
    // Its failure ends the transaction; what it does then must not slip in by itself.
    (void)tx.run(kPut, Params().text("name", std::string(4'000'000, 'x')).i64("value", 1));
    (void)tx.run(kPut, Params().text("name", "kx").i64("value", 1));
    return {};
  };
  const auto outcomes =
      in_one_group(*temp.db, {counted, put("k2"), put(std::string(4'000'000, 'y')), put("k3"), stubborn, put("k4")});
  EXPECT_TRUE(outcomes[0]) << outcomes[0].error().text;
  EXPECT_EQ(runs, 2);
  EXPECT_TRUE(outcomes[1]);
  EXPECT_EQ(outcomes[2].error().code, Code::unavailable);
  EXPECT_THAT(outcomes[2].error().text, HasSubstr("full"));
  EXPECT_TRUE(outcomes[3]);
  EXPECT_FALSE(outcomes[4]);
  EXPECT_TRUE(outcomes[5]);
  EXPECT_THAT(names(*temp.db), ::testing::ElementsAre("k1", "k2", "k3", "k4"));
}

TEST(SqliteGroup, MembersThatFailedByThemselvesAreNotRunAgain) {
  SqliteSettings settings;
  settings.group_time = std::chrono::seconds(60);
  settings.max_pages = 400;
  auto temp = testing::make_temp_sqlite(settings);
  int runs = 0;
  const Body refuses = [&runs](Tx&) -> Result<void> {
    ++runs;
    return fail(Code::forbidden, "no");
  };
  const auto outcomes = in_one_group(*temp.db, {refuses, put("k1"), put(std::string(4'000'000, 'y'))});
  EXPECT_EQ(outcomes[0].error().code, Code::forbidden);
  EXPECT_EQ(runs, 1);
  EXPECT_TRUE(outcomes[1]);
}

// --- readers ---------------------------------------------------------------------------------------------------------

const Query kEndless{Query::Unlisted{}, "test_endless",
                     "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"};

TEST(SqliteReaders, EndAStatementThatTakesTooLong) {
  SqliteSettings settings;
  settings.read_timeout = std::chrono::milliseconds(50);
  const auto temp = testing::make_temp_sqlite(settings);
  const auto endless = temp.db->query_blocking(kEndless);
  EXPECT_EQ(endless.error().code, Code::timed_out) << endless.error().text;
  EXPECT_TRUE(temp.db->query_blocking(kInstances)) << "the next one has its own time";
}

TEST(SqliteReaders, OneIsFreeOfLongReads) {
  const auto temp = testing::make_temp_sqlite();
  constexpr int kLong = 8;   // more than there are readers
  std::latch release(1);
  std::atomic<int> running{0};
  run_blocking([&]() -> Task<void> {
    TaskGroup group(co_await this_executor());
    for (int i = 0; i < kLong; ++i) {
      group.spawn("long", [&]() -> Task<void> {
        const auto done = co_await temp.db->snapshot<bool>(
            [&](Tx&) -> Result<bool> {
              ++running;
              release.wait();
              return true;
            },
            Priority::bulk);
        EXPECT_TRUE(done);
      });
    }
    while (running == 0) co_await sleep_for(std::chrono::milliseconds(1));
    EXPECT_TRUE(co_await temp.db->query(kInstances));
    EXPECT_LT(running, kLong);
    release.count_down();
    co_await group.wait();
  });
  EXPECT_EQ(running, kLong);
}

// --- migrations ------------------------------------------------------------------------------------------------------

std::string database_file(const testing::TempFolder& folder) {
  return folder.path() + "/agentauri.db";
}

TEST(SqliteMigrations, AreAppliedOnceAndRecorded) {
  testing::TempFolder folder;
  ASSERT_TRUE(make_sqlite_database({.data_dir = folder.path()}));
  ASSERT_TRUE(make_sqlite_database({.data_dir = folder.path()}));
  const auto statuses = sqlite_migration_status(folder.path());
  ASSERT_TRUE(statuses) << statuses.error().text;
  EXPECT_EQ(statuses->size(), sqlite_migrations().size());
  EXPECT_TRUE(verify_migrations(*statuses));
}

TEST(SqliteMigrations, RefuseTablesThatAreNotOurs) {
  testing::TempFolder folder;
  auto other = sqlite::Connection::open(database_file(folder), false, nullptr);
  ASSERT_TRUE((*other)->execute("CREATE TABLE users (id INTEGER PRIMARY KEY)"));
  other->reset();
  const auto opened = make_sqlite_database({.data_dir = folder.path()});
  EXPECT_EQ(opened.error().code, Code::conflict);
  EXPECT_THAT(opened.error().text, HasSubstr(folder.path()));
}

TEST(SqliteMigrations, RefuseAFolderOfANewerProgram) {
  testing::TempFolder folder;
  ASSERT_TRUE(make_sqlite_database({.data_dir = folder.path()}));
  auto file = sqlite::Connection::open(database_file(folder), false, nullptr);
  ASSERT_TRUE((*file)->execute("INSERT INTO agentauri_migrations VALUES (999, 'future', 'abc', 0)"));
  file->reset();
  const auto opened = make_sqlite_database({.data_dir = folder.path()});
  EXPECT_EQ(opened.error().code, Code::invalid);
  EXPECT_THAT(opened.error().text, HasSubstr("0999_future"));
}

TEST(SqliteMigrations, NameTheFileThatChanged) {
  testing::TempFolder folder;
  ASSERT_TRUE(make_sqlite_database({.data_dir = folder.path()}));
  auto file = sqlite::Connection::open(database_file(folder), false, nullptr);
  ASSERT_TRUE((*file)->execute("UPDATE agentauri_migrations SET checksum = 'other' WHERE version = 3"));
  file->reset();
  const auto verified = verify_migrations(*sqlite_migration_status(folder.path()));
  ASSERT_FALSE(verified);
  EXPECT_THAT(verified.error().text, HasSubstr("0003_chain.sql"));
}

TEST(SqliteMigrations, AFileThatIsNoDatabaseIsSaidToBeNone) {
  testing::TempFolder folder;
  std::FILE* file = std::fopen(database_file(folder).c_str(), "w");
  for (int i = 0; i < 1000; ++i) std::fputs("this is a letter, not a database. ", file);
  std::fclose(file);
  EXPECT_EQ(make_sqlite_database({.data_dir = folder.path()}).error().code, Code::corrupt);
}

}   // namespace
}   // namespace agentauri::store
