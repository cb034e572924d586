// The list of tables against both schemas, and the digest that backups, verification and copies share.
#include "store/table_rows.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "store/testing/temp_database.hpp"

namespace agentauri::store {
namespace {

const Query kTables{"test_tables",
                    "SELECT name AS table_name FROM sqlite_master WHERE type = 'table' "
                    "AND name NOT LIKE 'sqlite_%'",
                    "SELECT CAST(tablename AS text) FROM pg_catalog.pg_tables WHERE schemaname = 'public'"};
// Of the primary key, in its order.
const Query kKey{"test_key", "SELECT name FROM pragma_table_info(:table) WHERE pk > 0 ORDER BY pk",
                 "SELECT CAST(a.attname AS text) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid "
                 "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey) "
                 "WHERE i.indisprimary AND c.relname = CAST(:table AS text) "
                 "ORDER BY array_position(CAST(i.indkey AS smallint[]), a.attnum)"};
const Query kParents{"test_parents", "SELECT \"table\" AS parent FROM pragma_foreign_key_list(:table)",
                     "SELECT CAST(p.relname AS text) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid "
                     "JOIN pg_class p ON p.oid = k.confrelid "
                     "WHERE k.contype = 'f' AND c.relname = CAST(:table AS text)"};

std::set<std::string> first_column(const Rows& rows) {
  std::set<std::string> out;
  for (std::size_t i = 0; i < rows.size(); ++i) out.insert(rows.text(i, 0));
  return out;
}

using TableList = testing::EngineTest;

// A migration that adds a table adds a row to all_tables(), in tables.cpp.
TEST_P(TableList, NamesEveryTableOfTheSchema) {
  auto found = db().query_blocking(kTables);
  ASSERT_TRUE(found) << found.error().text;
  std::set<std::string> listed;
  for (const auto& table : all_tables()) listed.insert(std::string(table.name));
  EXPECT_EQ(listed.size(), all_tables().size());
  EXPECT_EQ(first_column(*found), listed);
}

TEST_P(TableList, HasThePrimaryKeysAndStandsInTheOrderOfReferences) {
  std::set<std::string> before;
  for (const auto& table : all_tables()) {
    const auto name = Params().text("table", std::string(table.name));
    auto key = db().query_blocking(kKey, name);
    ASSERT_TRUE(key) << key.error().text;
    std::vector<std::string> columns;
    for (std::size_t i = 0; i < key->size(); ++i) columns.push_back(key->text(i, 0));
    EXPECT_EQ(columns, std::vector<std::string>(table.key.begin(), table.key.end())) << table.name;
    auto parents = db().query_blocking(kParents, name);
    ASSERT_TRUE(parents) << parents.error().text;
    for (const auto& parent : first_column(*parents)) EXPECT_TRUE(before.contains(parent)) << table.name;
    before.insert(std::string(table.name));
  }
}

const Query kIdentities{"test_identities",
                        "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%'",
                        "SELECT CAST(table_name AS text) FROM information_schema.columns "
                        "WHERE table_schema = 'public' AND (is_identity = 'YES' OR column_default LIKE 'nextval%')"};
TEST_P(TableList, KnowsWhichTablesTheDatabaseNumbers) {
  auto found = db().query_blocking(kIdentities);
  ASSERT_TRUE(found) << found.error().text;
  std::set<std::string> listed;
  for (const auto& table : all_tables()) {
    if (!table.identity.empty()) listed.insert(std::string(table.name));
  }
  EXPECT_EQ(first_column(*found), listed);
}
INSTANTIATE_TEST_SUITE_P(Engines, TableList, testing::kEngines, testing::engine_name);

// --- digests ---------------------------------------------------------------------------------------------------------

const Query kAccount{"test_account",
                     "INSERT INTO accounts (id, username, username_key, email, email_key, is_active, failed_logins, "
                     "created_at, updated_at) VALUES (:id, :name, :name, :name, :name, :active, :failed, :at, :at)"};
const Query kEvent{"test_event",
                   "INSERT INTO events (chain_id, block_hash, txn_index, log_index, block_time, id, txn_hash, "
                   "contract, txn_ordinal, content_hash, block_num, registry, event_type, feedback_index, value, "
                   "value_decimals, canonical, live, inserted_at) VALUES (:chain, :hash, 1, :log, :at, :id, :hash, "
                   ":hash, 1, :hash, 5, 'reputation', 'NewFeedback', :index, :value, 18, :yes, :no, :at)"};

Result<void> fill(Tx& tx, int rows) {
  for (int i = 0; i < rows; ++i) {
    Uuid id{};
    id.data[0] = static_cast<std::uint8_t>(i * 37);
    id.data[14] = static_cast<std::uint8_t>(i >> 8);
    id.data[15] = static_cast<std::uint8_t>(i);
    auto account = tx.run(kAccount, Params()
                                        .uuid("id", id)
                                        .text("name", fmt::format("név {} \"x\"\n", i))
                                        .boolean("active", i % 2 == 0)
                                        .i64("failed", -i)
                                        .time("at", from_micros(-1'234'567 + i)));
    if (!account) return fail(account);
  }
  Bytes hash(32, 0xff);
  hash[3] = 0;
  for (int i = 0; i < 3; ++i) {
    auto event = tx.run(kEvent, Params()
                                    .i64("chain", 8453)
                                    .blob("hash", hash)
                                    .i64("log", i)
                                    .time("at", from_micros(1'700'000'000'123'456))
                                    .text("id", fmt::format("reputation-8453-{}", i))
                                    .numeric("index", i == 0 ? "0" : "18446744073709551615")
                                    .numeric("value", i == 1 ? "-170141183460469231731687303715884105728"
                                                             : "170141183460469231731687303715884105727")
                                    .boolean("yes", true)
                                    .boolean("no", false));
    if (!event) return fail(event);
  }
  return {};
}

std::vector<TableDigest> digests_of(Database& db) {
  auto out = db.snapshot_blocking<std::vector<TableDigest>>([](Tx& tx) { return digest_tables(tx); });
  EXPECT_TRUE(out) << out.error().text;
  return out ? *out : std::vector<TableDigest>{};
}

const TableDigest& of(const std::vector<TableDigest>& all, std::string_view table) {
  return *std::find_if(all.begin(), all.end(), [table](const TableDigest& each) { return each.table == table; });
}

TEST(TableDigest, IsTheSameOnBothEngines) {
  auto sqlite = testing::make_temp_sqlite();
  auto postgres = testing::make_temp_postgres();
  // More than a page, and numbers whose order as text is another.
  for (auto* db : {sqlite.db.get(), postgres.db.get()}) {
    auto filled = db->transact_blocking<void>(Priority::bulk, [](Tx& tx) { return fill(tx, 1203); });
    ASSERT_TRUE(filled) << filled.error().text;
  }
  const auto one = digests_of(*sqlite.db);
  EXPECT_EQ(one, digests_of(*postgres.db));
  EXPECT_EQ(of(one, "accounts").rows, 1203);
  EXPECT_EQ(of(one, "events").rows, 3);
  EXPECT_EQ(of(one, "attempts").digest, std::string(64, '0'));
}

using Digests = testing::EngineTest;
const Query kChange{"test_change", "UPDATE events SET value = :value WHERE log_index = 1"};
const Query kMove{"test_move", "UPDATE events SET tag1 = tag2, tag2 = tag1"};
const Query kTag{"test_tag", "UPDATE events SET tag1 = 'x'"};

TEST_P(Digests, TellOneChangedDigitAndAValueThatMovedToAnotherColumn) {
  ASSERT_TRUE(in_tx<void>([](Tx& tx) { return fill(tx, 1); }));
  const auto before = digests_of(db());
  EXPECT_EQ(compare_digests(before, digests_of(db())), "");
  ASSERT_TRUE(in_tx<Rows>(
      [](Tx& tx) { return tx.run(kChange, Params().numeric("value", "-170141183460469231731687303715884105727")); }));
  const auto changed = digests_of(db());
  EXPECT_EQ(compare_digests(before, changed), "the table events has 3 rows as it should, but other contents");
  ASSERT_TRUE(in_tx<Rows>([](Tx& tx) { return tx.run(kTag); }));
  const auto tagged = digests_of(db());
  ASSERT_TRUE(in_tx<Rows>([](Tx& tx) { return tx.run(kMove); }));
  EXPECT_NE(of(tagged, "events"), of(digests_of(db()), "events"));
  EXPECT_NE(compare_digests(tagged, digests_of(db())), "");
}
INSTANTIATE_TEST_SUITE_P(Engines, Digests, testing::kEngines, testing::engine_name);

TEST(TableDigest, DifferencesAreSentences) {
  const std::vector<TableDigest> expected{{"accounts", 2, "aa"}, {"jobs", 1, "bb"}};
  EXPECT_EQ(compare_digests(expected, {{"jobs", 1, "bb"}}), "the table accounts is missing");
  EXPECT_EQ(compare_digests(expected, {{"accounts", 1, "aa"}, {"jobs", 1, "bb"}}),
            "the table accounts has 1 rows instead of 2");
  EXPECT_EQ(compare_digests(expected, {{"accounts", 2, "aa"}, {"jobs", 1, "bb"}, {"more", 0, ""}}),
            "there is a table more that was not there");
}

}   // namespace
}   // namespace agentauri::store
