// The ordinary branch of migration 0013, and what is noticed when TimescaleDB's library is lost. What takes TimescaleDB
// itself: timescale_test.cpp.
#include "store/event_storage.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/chain_log.hpp"
#include "store/forget_events.hpp"
#include "store/postgres/session.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::store {
namespace {

using namespace std::chrono_literals;
using postgres::Session;
using ::testing::HasSubstr;

const Query kForgetOne{Query::Unlisted{}, "test_forget_one", "SELECT forget_events(now(), 1)"};

std::unique_ptr<Session> connect(const PostgresSettings& settings) {
  auto session = Session::connect(settings);
  EXPECT_TRUE(session) << session.error().text;
  return session ? std::move(*session) : nullptr;
}

void execute(const PostgresSettings& settings, const std::string& sql) {
  const auto done = connect(settings)->execute(sql, 10s);
  ASSERT_TRUE(done) << done.error().text;
}

// What a server shows that has the extension and was started without its library. Not TimescaleDB: the catalogue's row
// is all that is looked at.
void lose_library(const PostgresSettings& settings) {
  execute(settings,
          "INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion) "
          "SELECT 99999, 'timescaledb', extowner, extnamespace, false, '2.28.3' FROM pg_extension LIMIT 1");
}

EventStorageFacts facts(Database& db) {
  auto out = db.snapshot_blocking<EventStorageFacts>([](Tx& tx) { return read_event_storage(tx); });
  EXPECT_TRUE(out) << out.error().text;
  return out.value_or(EventStorageFacts{});
}

Result<std::int64_t> forget(Database& db) {
  return db.transact_blocking<std::int64_t>(
      Priority::bulk, [](Tx& tx) { return forget_events(tx, from_unix_seconds(1'900'000'000), 10); });
}

// One live block with an event.
Result<void> ingest(Database& db, std::uint64_t num) {
  return db.transact_blocking<void>(Priority::interactive, [num](Tx& tx) -> Result<void> {
    const Time now = from_unix_seconds(1'768'471'200);
    auto attached = attach_chain(tx, 1, "test", 1, 100, 1, now);
    if (!attached) return fail(attached);
    IngestedBlock block;
    block.block = {Hash32{}, num, Hash32{}, now, now};
    domain::Event event;
    event.chain_id = 1;
    event.block_num = num;
    event.event_type = "Registered";
    block.events.push_back(event);
    return append_blocks(tx, 1, 1, {block}, {{Address{}}, true}, std::nullopt, std::nullopt, now);
  });
}

class EventStorageFound : public testing::EngineTest {};

TEST_P(EventStorageFound, IsATableWithoutTheExtension) {
  EXPECT_EQ(facts(db()).storage, EventStorage::table);
  EXPECT_FALSE(facts(db()).version);
  EXPECT_TRUE(ingest(db(), 100));
  EXPECT_THAT(describe(facts(db())), HasSubstr("ordinary table"));
}

INSTANTIATE_TEST_SUITE_P(Engines, EventStorageFound, testing::kEngines, testing::engine_name);

TEST(LostLibrary, IsSeenByWhoeverAsks) {
  const auto temp = testing::make_temp_postgres();
  lose_library(temp.postgres);
  EXPECT_EQ(facts(*temp.db).storage, EventStorage::lost);
  EXPECT_EQ(facts(*temp.db).version, "2.28.3");
  EXPECT_THAT(describe(facts(*temp.db)), HasSubstr("shared_preload_libraries"));
  EXPECT_THAT(describe(facts(*temp.db)), HasSubstr("restart"));
}

TEST(LostLibrary, NothingIsStoredAndNothingForgotten) {
  const auto temp = testing::make_temp_postgres();
  lose_library(temp.postgres);
  const auto refused = ingest(*temp.db, 100);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::unavailable);
  EXPECT_EQ(refused.error().text, kLibraryLost);
  const auto chains = temp.db->snapshot_blocking<std::vector<ChainRow>>([](Tx& tx) { return list_chains(tx); });
  EXPECT_TRUE(chains && chains->empty()) << "the whole transaction is taken back";
  EXPECT_THAT(forget(*temp.db).error().text, HasSubstr("shared_preload_libraries"));
  execute(temp.postgres, "DELETE FROM pg_extension WHERE oid = 99999");
  EXPECT_TRUE(ingest(*temp.db, 100));
}

// A line of postgresql.conf alone, which timescaledb-tune writes, is not the library.
TEST(LostLibrary, ASettingInAFileIsNoLibrary) {
  const auto temp = testing::make_temp_postgres();
  execute(temp.postgres, "ALTER DATABASE " + temp.postgres.database + " SET timescaledb.max_background_workers = 8");
  lose_library(temp.postgres);
  auto again = make_postgres_database(temp.postgres);
  ASSERT_TRUE(again);
  EXPECT_EQ(facts(**again).storage, EventStorage::lost);
}

class ForgetRights : public ::testing::Test {
 protected:
  void make(const std::string& role, const std::string& rights) {
    execute(temp_.postgres,
            fmt::format("CREATE ROLE {0} LOGIN; GRANT {1} ON ALL TABLES IN SCHEMA public TO {0}", role, rights));
    made_.push_back(role);
  }
  void TearDown() override {
    for (const auto& role : made_) execute(temp_.postgres, fmt::format("DROP OWNED BY {0}; DROP ROLE {0}", role));
  }
  Result<Rows> forget_as(const std::string& role) {
    auto settings = temp_.postgres;
    settings.user = role;
    return connect(settings)->run(kForgetOne, {});
  }
  testing::TempDatabase temp_ = testing::make_temp_postgres();
  std::vector<std::string> made_;
};

TEST_F(ForgetRights, WhoeverWritesEventsMayForgetThemWithoutOwningThem) {
  make("test_writer", "SELECT, INSERT, UPDATE");
  ASSERT_TRUE(ingest(*temp_.db, 100));
  const auto gone = forget_as("test_writer");
  ASSERT_TRUE(gone) << gone.error().text;
  EXPECT_EQ(gone->i64(0, 0), 1);
}

TEST_F(ForgetRights, WhoeverOnlyReadsMayNot) {
  make("test_reader", "SELECT");
  ASSERT_TRUE(ingest(*temp_.db, 100));
  const auto refused = forget_as("test_reader");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, HasSubstr("may not forget events"));
  EXPECT_EQ(forget(*temp_.db).value_or(-1), 1) << "it was still there";
}

TEST(ConvertEvents, SaysWhyTheTableStaysAsItIs) {
  const auto temp = testing::make_temp_postgres();
  auto said = postgres_convert_events(temp.postgres, kMaxRowsToConvert);
  ASSERT_TRUE(said) << said.error().text;
  EXPECT_EQ(*said, "events stays an ordinary table: TimescaleDB is not installed on this server");
  execute(temp.postgres, "ALTER DATABASE " + temp.postgres.database + " SET agentauri.timescaledb = off");
  EXPECT_THAT(*postgres_convert_events(temp.postgres, 1), HasSubstr("switched off"));
}

TEST(ConvertEvents, WaitsForTheMigrations) {
  const auto empty = testing::make_empty_postgres();
  EXPECT_THAT(postgres_convert_events(empty, 1).error().text, HasSubstr("agentauri migrate up"));
}

}   // namespace
}   // namespace agentauri::store
