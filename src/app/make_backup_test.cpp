// Backups on both engines: one moment of a store that is written to, proved by a restore.
#include "app/make_backup.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "app/postgres_tools.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::app {
namespace {

using ::testing::HasSubstr;

const store::Query kAdd{store::Query::Unlisted{}, "make_backup_add",
                        "INSERT INTO counters (name, value) VALUES (:name, :value)"};

class MakeBackup : public store::testing::EngineTest {
 protected:
  MakeBackup() : folder_(BackupFolder::open(scratch_.path() + "/backups").value()) {
    std::signal(SIGPIPE, SIG_IGN);
    if (GetParam() == "sqlite") {
      settings_.data_dir = temp_.folder->path();
      return;
    }
    settings_.postgres.emplace();
    settings_.postgres->host = temp_.postgres.host;
    settings_.postgres->port = temp_.postgres.port;
    settings_.postgres->database = temp_.postgres.database;
    settings_.postgres->user = temp_.postgres.user;
    settings_.postgres->ssl_mode = "disable";
  }
  void add(const std::string& name, std::int64_t value) {
    const auto added = in_tx<store::Rows>(
        [&](store::Tx& tx) { return tx.run(kAdd, store::Params().text("name", name).i64("value", value)); });
    ASSERT_TRUE(added) << added.error().text;
  }
  Result<std::optional<BackupManifest>> verify(const MadeBackup& made) {
    return verify_backup(settings_, folder_.path_of(made.name), folder_.path());
  }
  static std::int64_t rows_of(const BackupManifest& manifest, std::string_view table) {
    for (const auto& each : manifest.tables) {
      if (each.table == table) return each.rows;
    }
    return -1;
  }
  void pack_again(const std::string& name, const std::string& command) const {
    const auto path = folder_.path_of(name);
    ASSERT_EQ(
        std::system(fmt::format("gzip -dc {0} | {1} | gzip >{0}.new && mv {0}.new {0} && rm -f {0}.json", path, command)
                        .c_str()),
        0);
  }

  store::testing::TempFolder scratch_;
  BackupFolder folder_;
  Settings settings_;
};

TEST_P(MakeBackup, IsOneMomentWhileTheStoreIsWrittenTo) {
  std::atomic<bool> stop = false;
  std::atomic<int> written = 0;
  std::jthread writer([&] {
    for (int i = 0; !stop; ++i) {
      add(fmt::format("n{}", i), i);
      ++written;
    }
  });
  while (written < 10) std::this_thread::yield();
  const auto made = make_backup(settings_, folder_, SystemClock().now());
  stop = true;
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_GE(rows_of(made->manifest, "counters"), 12);
  EXPECT_LE(rows_of(made->manifest, "counters"), 2 + written);
  // Of a verification that was killed.
  const std::string left = folder_.path_of(".verify.db");
  if (GetParam() == "sqlite") std::ofstream(left) << "left behind";
  const auto verified = verify(*made);
  ASSERT_TRUE(verified) << verified.error().text;
  EXPECT_TRUE(*verified);
  EXPECT_FALSE(std::filesystem::exists(left));
}

TEST_P(MakeBackup, WhatIsNotWhatWasBackedUpIsFound) {
  add("a", 41);
  auto made = make_backup(settings_, folder_, SystemClock().now());
  ASSERT_TRUE(made);
  // Whole, by its SHA-256, and yet another one: only the digests tell.
  for (auto& table : made->manifest.tables) {
    if (table.table == "counters") table.rows += 1;
  }
  std::ofstream(folder_.path_of(made->name) + ".json") << to_json(made->manifest, made->name);
  auto verified = verify(*made);
  ASSERT_FALSE(verified);
  EXPECT_EQ(verified.error().code, Code::corrupt);
  EXPECT_THAT(verified.error().text, HasSubstr("counters has 3 rows instead of 4"));
}

INSTANTIATE_TEST_SUITE_P(Engines, MakeBackup, store::testing::kEngines, store::testing::engine_name);

class PostgresBackup : public MakeBackup {};

TEST_P(PostgresBackup, ADumpThatIsCutShortIsNotLoadedAtAll) {
  auto made = make_backup(settings_, folder_, SystemClock().now());
  ASSERT_TRUE(made) << made.error().text;
  // gzip and psql would take it for whole.
  pack_again(made->name, "head -n 300");
  const auto verified = verify(*made);
  ASSERT_FALSE(verified);
  EXPECT_EQ(verified.error().code, Code::corrupt);
  const auto empty = store::testing::make_empty_postgres();
  auto login = *settings_.postgres;
  login.database = empty.database;
  const auto loaded = load_dump("/usr/bin/psql", login, "", folder_.path_of(made->name));
  ASSERT_FALSE(loaded);
  const auto tables = run_psql("/usr/bin/psql", login, {"SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"});
  ASSERT_TRUE(tables) << tables.error().text;
  EXPECT_EQ(*tables, "0\n");
}

TEST_P(PostgresBackup, AnErrorInTheMiddleRollsEverythingBackAndIsTold) {
  auto made = make_backup(settings_, folder_, SystemClock().now());
  ASSERT_TRUE(made) << made.error().text;
  pack_again(made->name, "sed 's/^CREATE TABLE public.jobs /CREATE TABL public.jobs /'");
  const auto verified = verify(*made);
  ASSERT_FALSE(verified);
  EXPECT_THAT(verified.error().text, HasSubstr("ERROR"));
  EXPECT_THAT(verified.error().text, HasSubstr("psql ended with 3"));
}

TEST_P(PostgresBackup, ADatabaseOfSomebodyElseIsNotBackedUp) {
  settings_.postgres->database = store::testing::make_empty_postgres().database;
  const auto made = make_backup(settings_, folder_, SystemClock().now());
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().text, HasSubstr("holds no AgentAuri"));
  EXPECT_EQ(folder_.list(BackupKind::postgres, settings_.postgres->database).size(), 0U);
}

TEST(PostgresTools, OneThatIsTooOldOrMissingIsNamed) {
  const auto old = find_postgres_tool("pg_dump", 99);
  ASSERT_FALSE(old);
  EXPECT_THAT(old.error().text, HasSubstr("pg_dump is of version"));
  EXPECT_THAT(old.error().text, HasSubstr("install postgresql-client-99"));
  const auto missing = find_postgres_tool("pg_no_such_program", 15);
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().text, HasSubstr("is not installed"));
  EXPECT_TRUE(find_postgres_tool("pg_dump", 15));
}

INSTANTIATE_TEST_SUITE_P(Engine, PostgresBackup, ::testing::Values("postgres"), store::testing::engine_name);

}   // namespace
}   // namespace agentauri::app
