// The schema's versions: psql's loop and `agentauri migrate` in any mix, foreign schemas, and the two sets side by
// side.
#include "store/migrations.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <thread>

#include "store/testing/temp_database.hpp"

namespace agentauri::store {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using State = MigrationStatus::State;

std::string shell(const std::string& script) {
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(script.c_str(), "r"), ::pclose);
  std::string out;
  char part[4096];
  while (pipe && std::fgets(part, sizeof part, pipe.get()) != nullptr) out += part;
  return out;
}

std::string psql(const PostgresSettings& settings) {
  return fmt::format("{}/psql -X -h {} -p {} -U {} -d {}", testing::postgres_bin(), settings.host, settings.port,
                     settings.user, settings.database);
}

// One value, or whatever psql says instead.
std::string ask(const PostgresSettings& settings, const std::string& sql) {
  std::string out = shell(fmt::format("{} -q -At -c \"{}\" 2>&1", psql(settings), sql));
  while (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

// The deployment guide's loop.
std::string run_loop(const PostgresSettings& settings, const std::string& options = {},
                     const std::string& files = "*.sql") {
  EXPECT_TRUE(std::filesystem::exists("database/migrations")) << "this test runs in the project's folder";
  return shell(fmt::format("for f in database/migrations/{}; do echo \"Running: $f\"; {} {} -f \"$f\" 2>&1; done",
                           files, psql(settings), options));
}

std::vector<State> states(const Result<std::vector<MigrationStatus>>& statuses) {
  EXPECT_TRUE(statuses) << statuses.error().text;
  std::vector<State> out;
  for (const auto& status : statuses ? *statuses : std::vector<MigrationStatus>{}) out.push_back(status.state);
  return out;
}

std::vector<State> all(State state) {
  return std::vector<State>(postgres_migrations().size(), state);
}

// --- the guide's loop and `agentauri migrate` ------------------------------------------------------------------------

TEST(Migrations, ThePsqlLoopRunsTwiceWithoutAnError) {
  for (const char* options : {"", "-v ON_ERROR_STOP=1"}) {
    const auto settings = testing::make_empty_postgres();
    for (int round = 0; round < 2; ++round) {
      const std::string out = run_loop(settings, options);
      EXPECT_THAT(out, HasSubstr("Running: database/migrations/0001_ledger.sql"));
      EXPECT_THAT(out, HasSubstr("COMMIT"));
      EXPECT_THAT(out, Not(HasSubstr("ERROR"))) << out;
      EXPECT_THAT(out, Not(HasSubstr("ROLLBACK"))) << out;
    }
    EXPECT_EQ(states(postgres_migration_status(settings)), all(State::adopted));
    EXPECT_TRUE(verify_migrations(*postgres_migration_status(settings)));
  }
}

TEST(Migrations, UpAndPsqlMixInAnyOrder) {
  const auto up_first = testing::make_empty_postgres();
  EXPECT_EQ(states(postgres_migration_status(up_first)), all(State::pending));
  EXPECT_EQ(states(postgres_migrate_up(up_first)), all(State::applied));
  EXPECT_THAT(run_loop(up_first), Not(HasSubstr("ERROR")));
  EXPECT_EQ(states(postgres_migrate_up(up_first)), all(State::applied));

  const auto psql_first = testing::make_empty_postgres();
  EXPECT_THAT(run_loop(psql_first, "", "000[12]*.sql"), Not(HasSubstr("ERROR")));
  auto half = all(State::pending);
  half[0] = half[1] = State::adopted;
  EXPECT_EQ(states(postgres_migration_status(psql_first)), half);
  EXPECT_EQ(states(postgres_migrate_up(psql_first)), all(State::applied));   // with the checksums of what psql did
  EXPECT_THAT(run_loop(psql_first, "-v ON_ERROR_STOP=1"), Not(HasSubstr("ERROR")));
  EXPECT_TRUE(verify_migrations(*postgres_migration_status(psql_first)));
}

TEST(Migrations, TwoAtOnceWaitForEachOther) {
  const auto settings = testing::make_empty_postgres();
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&settings] { EXPECT_EQ(states(postgres_migrate_up(settings)), all(State::applied)); });
  }
}

TEST(Migrations, AForeignSchemaIsRefusedAndLeftAlone) {
  const auto settings = testing::make_empty_postgres();
  ask(settings, "CREATE TABLE users (id integer)");
  const auto up = postgres_migrate_up(settings);
  ASSERT_FALSE(up);
  EXPECT_THAT(up.error().text, HasSubstr("0001_ledger"));
  EXPECT_THAT(up.error().text, HasSubstr("not AgentAuri's"));
  EXPECT_THAT(up.error().text, HasSubstr("createdb"));
  for (const char* options : {"", "-v ON_ERROR_STOP=1"}) {
    const std::string out = run_loop(settings, options);
    EXPECT_THAT(out, HasSubstr("not AgentAuri's"));
    EXPECT_THAT(out, HasSubstr("createdb"));
  }
  EXPECT_EQ(ask(settings, "SELECT string_agg(tablename, ',') FROM pg_tables WHERE schemaname = 'public'"), "users");
}

TEST(Migrations, TheFirstFailureEndsIt) {
  const auto settings = testing::make_empty_postgres();
  run_loop(settings, "", "000[12]*.sql");
  ask(settings, "CREATE TABLE events (something_else integer)");
  const auto up = postgres_migrate_up(settings);
  ASSERT_FALSE(up);
  EXPECT_THAT(up.error().text, HasSubstr("0003_chain"));
  auto expected = all(State::pending);
  expected[0] = expected[1] = State::applied;
  EXPECT_EQ(states(postgres_migration_status(settings)), expected);
  EXPECT_EQ(ask(settings, "SELECT to_regclass('chains') IS NULL AND to_regclass('triggers') IS NULL"), "t");
}

TEST(Migrations, VerifyNamesTheFileThatChanged) {
  const auto settings = testing::make_empty_postgres();
  ASSERT_TRUE(postgres_migrate_up(settings));
  ask(settings, "UPDATE agentauri_migrations SET checksum = 'other' WHERE version = 2");
  const auto changed = postgres_migration_status(settings);
  EXPECT_EQ((*changed)[1].state, State::changed);
  EXPECT_THAT(verify_migrations(*changed).error().text, HasSubstr("0002_accounts.sql"));
  // Going on does not cover it up.
  EXPECT_THAT(verify_migrations(*postgres_migrate_up(settings)).error().text, HasSubstr("0002_accounts.sql"));
}

TEST(Migrations, VerifyNamesWhatIsPendingOrUnknown) {
  const auto settings = testing::make_empty_postgres();
  EXPECT_THAT(verify_migrations(*postgres_migration_status(settings)).error().text, HasSubstr("0001_ledger.sql"));
  ASSERT_TRUE(postgres_migrate_up(settings));
  ask(settings, "INSERT INTO agentauri_migrations VALUES (999, 'future')");
  EXPECT_THAT(verify_migrations(*postgres_migration_status(settings)).error().text, HasSubstr("0999_future.sql"));
}

TEST(Migrations, TablesLiveInPublicWhateverTheSearchPath) {
  for (const bool by_psql : {false, true}) {
    const auto settings = testing::make_empty_postgres();
    ask(settings,
        "CREATE SCHEMA elsewhere; ALTER DATABASE " + settings.database + " SET search_path = elsewhere, public");
    if (by_psql) {
      EXPECT_THAT(run_loop(settings), Not(HasSubstr("ERROR")));
    } else {
      EXPECT_EQ(states(postgres_migrate_up(settings)), all(State::applied));
    }
    EXPECT_EQ(ask(settings, "SELECT count(*) FROM pg_tables WHERE schemaname = 'elsewhere'"), "0");
    EXPECT_EQ(ask(settings, "SELECT count(*) > 10 FROM pg_tables WHERE schemaname = 'public'"), "t");
  }
}

// --- the two sets ----------------------------------------------------------------------------------------------------

struct Column {
  std::string type;   // of SQLite
  bool not_null = false;
  std::string default_value;
  bool operator==(const Column&) const = default;
};
void PrintTo(const Column& c, std::ostream* out) {
  *out << c.type << (c.not_null ? " NOT NULL " : " ") << c.default_value;
}

struct Schema {
  std::map<std::string, Column> columns;   // table.column
  std::set<std::string> keys;              // table: PRIMARY KEY (a, b)
  std::set<std::string> indexes;           // name table (a, b DESC) [WHERE]
};

const Query kSqliteColumns{Query::Unlisted{}, "sqlite_columns",
                           "SELECT t.name, c.name, c.type, c.\"notnull\", c.dflt_value, c.pk FROM sqlite_master t, "
                           "pragma_table_info(t.name) c "
                           "WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' ORDER BY t.name, c.pk"};
const Query kSqliteUnique{Query::Unlisted{}, "sqlite_unique",
                          "SELECT t.name, group_concat(c.name, ', ') FROM sqlite_master t, pragma_index_list(t.name) "
                          "i, pragma_index_info(i.name) c "
                          "WHERE t.type = 'table' AND i.origin = 'u' GROUP BY t.name, i.name"};
const Query kSqliteIndexes{Query::Unlisted{}, "sqlite_indexes",
                           "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"};
const Query kPostgresColumns{
    Query::Unlisted{}, "postgres_columns",
    "SELECT CAST(t.relname AS text), CAST(a.attname AS text), CAST(CAST(a.atttypid AS regtype) AS text), a.attnotnull, "
    "pg_get_expr(d.adbin, d.adrelid) FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND "
    "NOT a.attisdropped "
    "LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum "
    "WHERE t.relkind = 'r' AND t.relnamespace = to_regnamespace('public')"};
const Query kPostgresKeys{Query::Unlisted{}, "postgres_keys",
                          "SELECT CAST(t.relname AS text), pg_get_constraintdef(c.oid) FROM pg_constraint c JOIN "
                          "pg_class t ON t.oid = c.conrelid "
                          "WHERE c.contype IN ('p', 'u') AND t.relnamespace = to_regnamespace('public')"};
const Query kPostgresIndexes{
    Query::Unlisted{}, "postgres_indexes",
    "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE "
    "conname = indexname)"};

std::string without(std::string text, const char* pattern, const char* by = "") {
  return std::regex_replace(text, std::regex(pattern), by);
}

// CREATE INDEX [IF NOT EXISTS] name ON [public.]table [USING btree] (columns) [WHERE …]
std::string index_of(const std::string& sql) {
  std::smatch found;
  const std::regex shape(
      R"(CREATE (?:UNIQUE )?INDEX (?:IF NOT EXISTS )?(\w+) ON (?:public\.)?(\w+) (?:USING btree )?\(([^)]*)\)(?: WHERE (.*))?)");
  if (!std::regex_match(sql, found, shape)) return "unread: " + sql;
  // PostgreSQL says `a = ANY (ARRAY['b', 'c'])` for `a IN ('b', 'c')`.
  const std::string where = without(without(found.str(4), "::text"), R"(= ANY \(ARRAY\[([^\]]*)\]\))", "IN ($1)");
  return fmt::format("{} {} ({}) {}", found.str(1), found.str(2), without(found.str(3), "\""), without(where, "[()]"));
}

Schema sqlite_schema() {
  const auto temp = testing::make_temp_sqlite();
  Schema out;
  const auto columns = temp.db->query_blocking(kSqliteColumns);
  EXPECT_TRUE(columns) << columns.error().text;
  std::map<std::string, std::string> primary;
  for (std::size_t i = 0; i < columns->size(); ++i) {
    const bool is_key = columns->i64(i, 5) > 0;
    if (is_key)
      primary[columns->text(i, 0)] += (primary[columns->text(i, 0)].empty() ? "" : ", ") + columns->text(i, 1);
    out.columns[columns->text(i, 0) + "." + columns->text(i, 1)] = {
        columns->text(i, 2), is_key || columns->boolean(i, 3), columns->text_or_null(i, 4).value_or("")};
  }
  for (const auto& [table, names] : primary) out.keys.insert(fmt::format("{}: PRIMARY KEY ({})", table, names));
  const auto unique = temp.db->query_blocking(kSqliteUnique);
  for (std::size_t i = 0; i < unique->size(); ++i)
    out.keys.insert(fmt::format("{}: UNIQUE ({})", unique->text(i, 0), unique->text(i, 1)));
  const auto indexes = temp.db->query_blocking(kSqliteIndexes);
  for (std::size_t i = 0; i < indexes->size(); ++i) out.indexes.insert(index_of(indexes->text(i, 0)));
  return out;
}

Schema postgres_schema() {
  static const std::map<std::string, std::string> types{
      {"uuid", "BLOB"},        {"bytea", "BLOB"},      {"text", "TEXT"},
      {"numeric", "TEXT"},     {"bigint", "INTEGER"},  {"integer", "INTEGER"},
      {"smallint", "INTEGER"}, {"boolean", "INTEGER"}, {"timestamp with time zone", "INTEGER"}};
  const auto temp = testing::make_temp_postgres();
  Schema out;
  const auto columns = temp.db->query_blocking(kPostgresColumns);
  EXPECT_TRUE(columns) << columns.error().text;
  for (std::size_t i = 0; i < columns->size(); ++i) {
    const auto type = types.find(columns->text(i, 2));
    EXPECT_NE(type, types.end()) << columns->text(i, 2);
    std::string value = without(columns->text_or_null(i, 4).value_or(""), "::text");
    value = without(without(value, "^true$", "1"), "^false$", "0");
    out.columns[columns->text(i, 0) + "." + columns->text(i, 1)] = {type == types.end() ? "?" : type->second,
                                                                    columns->boolean(i, 3), value};
  }
  const auto keys = temp.db->query_blocking(kPostgresKeys);
  for (std::size_t i = 0; i < keys->size(); ++i)
    out.keys.insert(keys->text(i, 0) + ": " + without(keys->text(i, 1), "\""));   // it quotes keywords
  const auto indexes = temp.db->query_blocking(kPostgresIndexes);
  for (std::size_t i = 0; i < indexes->size(); ++i) out.indexes.insert(index_of(indexes->text(i, 0)));
  return out;
}

TEST(MigrationSets, DescribeTheSameTables) {
  const Schema sqlite = sqlite_schema();
  Schema postgres = postgres_schema();
  // psql records the time of a migration by this default; SQLite's runner gives it.
  postgres.columns["agentauri_migrations.applied_at"].default_value.clear();
  EXPECT_GT(sqlite.columns.size(), 150U);
  EXPECT_EQ(sqlite.columns, postgres.columns);
  EXPECT_EQ(sqlite.keys, postgres.keys);
  EXPECT_EQ(sqlite.indexes, postgres.indexes);
  ASSERT_EQ(sqlite_migrations().size(), postgres_migrations().size());
  for (std::size_t i = 0; i < sqlite_migrations().size(); ++i)
    EXPECT_EQ(sqlite_migrations()[i].name, postgres_migrations()[i].name);
}

}   // namespace
}   // namespace agentauri::store
