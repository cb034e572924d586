// `agentauri migrate` on PostgreSQL: the files of database/migrations as psql would run them, with a lock and
// checksums.
#include <fmt/format.h>

#include <map>

#include "store/event_storage.hpp"
#include "store/postgres/postgres_database.hpp"
#include "store/postgres/session.hpp"

namespace agentauri::store {
namespace {

using postgres::Session;

constexpr auto kMigrationLimit = std::chrono::hours(1);
// Any number of ours; two migrations at once wait for each other.
constexpr const char* kLock = "SELECT pg_advisory_lock(4242800400000001)";

Result<std::map<int, LedgerRow>> read_applied(Session& session) {
  static const Query kLedger{Query::Unlisted{}, "migration_ledger",
                             "SELECT to_regclass('public.agentauri_migrations') IS NOT NULL"};
  static const Query kApplied{
      Query::Unlisted{}, "migrations_applied",
      "SELECT version, name, checksum, CAST(applied_at AS text) FROM agentauri_migrations ORDER BY version"};
  auto ledger = session.run(kLedger, {});
  if (!ledger) return fail(ledger);
  std::map<int, LedgerRow> applied;
  if (!ledger->boolean(0, 0)) return applied;
  auto rows = session.run(kApplied, {});
  if (!rows) return fail(rows);
  for (std::size_t i = 0; i < rows->size(); ++i) {
    applied[static_cast<int>(rows->i64(i, 0))] = {rows->text(i, 1), rows->text_or_null(i, 2), rows->text(i, 3)};
  }
  return applied;
}

Result<std::unique_ptr<Session>> connect(PostgresSettings settings) {
  settings.statement_timeout = std::chrono::duration_cast<std::chrono::milliseconds>(kMigrationLimit);
  settings.lock_timeout = settings.statement_timeout;
  auto session = Session::connect(settings);
  if (!session) return fail(Code::unavailable, "DB_HOST", session.error().text);
  return session;
}

}   // namespace

Result<std::vector<MigrationStatus>> postgres_migration_status(const PostgresSettings& settings) {
  auto session = connect(settings);
  if (!session) return fail(session);
  auto applied = read_applied(**session);
  if (!applied) return fail(applied);
  return compare_with_ledger(postgres_migrations(), *applied);
}

Result<std::vector<MigrationStatus>> postgres_migrate_up(const PostgresSettings& settings) {
  static const Query kRecord{
      Query::Unlisted{}, "migration_checksum",
      "UPDATE agentauri_migrations SET checksum = :checksum WHERE version = :version AND checksum IS NULL"};
  auto session = connect(settings);
  if (!session) return fail(session);
  if (auto locked = (*session)->execute(kLock, kMigrationLimit); !locked) return fail(locked);
  auto applied = read_applied(**session);
  if (!applied) return fail(applied);
  for (const Migration& migration : postgres_migrations()) {
    if (!applied->contains(migration.version)) {
      // The file brings its own BEGIN and COMMIT, and records its version.
      auto done = (*session)->execute(std::string(migration.sql), kMigrationLimit);
      if (!done) {
        (void)(*session)->execute("ROLLBACK", kMigrationLimit);
        return fail(done.error().code,
                    fmt::format("migration {:04}_{}: {}", migration.version, migration.name, done.error().text));
      }
    }
    auto recorded =
        (*session)->run(kRecord, Params().text("checksum", migration.checksum).i64("version", migration.version));
    if (!recorded) return fail(recorded);
  }
  applied = read_applied(**session);
  if (!applied) return fail(applied);
  return compare_with_ledger(postgres_migrations(), *applied);
}

Result<std::string> postgres_convert_events(const PostgresSettings& settings, std::int64_t max_rows) {
  static const Query kConvert{Query::Unlisted{}, "convert_events", "SELECT convert_events(:max_rows)"};
  auto statuses = postgres_migration_status(settings);
  if (!statuses) return fail(statuses);
  if (auto current = verify_migrations(*statuses); !current) return fail(current);
  auto session = connect(settings);
  if (!session) return fail(session);
  if (auto locked = (*session)->execute(kLock, kMigrationLimit); !locked) return fail(locked);
  auto said = (*session)->run(kConvert, Params().i64("max_rows", max_rows));
  if (!said) return fail(said);
  return said->text(0, 0);
}

}   // namespace agentauri::store
