#include "store/sqlite/migrate.hpp"

#include <fmt/format.h>

#include <map>

namespace agentauri::store::sqlite {
namespace {

const Query kTables{Query::Unlisted{}, "sqlite_tables",
                    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"};
const Query kLedger{Query::Unlisted{}, "sqlite_ledger",
                    "SELECT version, name, checksum, applied_at FROM agentauri_migrations ORDER BY version"};
const Query kRecord{Query::Unlisted{}, "sqlite_migration_record",
                    "INSERT INTO agentauri_migrations (version, name, checksum, applied_at) "
                    "VALUES (:version, :name, :checksum, :at)"};

Result<std::map<int, LedgerRow>> read_ledger(Connection& connection, const std::string& folder) {
  std::map<int, LedgerRow> ledger;
  auto tables = connection.run(kTables, {});
  if (!tables) return fail(tables);
  if (tables->empty()) return ledger;
  bool ours = false;
  for (std::size_t i = 0; i < tables->size(); ++i) ours = ours || tables->text(i, 0) == "agentauri_migrations";
  if (!ours) {
    return fail(Code::conflict, "AGENTAURI_DATA_DIR",
                fmt::format("{}: {}/agentauri.db. Set AGENTAURI_DATA_DIR to another folder", kNotOurs, folder));
  }
  auto rows = connection.run(kLedger, {});
  if (!rows) return fail(rows);
  for (std::size_t i = 0; i < rows->size(); ++i) {
    ledger[static_cast<int>(rows->i64(i, 0))] = {rows->text(i, 1), rows->text_or_null(i, 2),
                                                 to_rfc3339(rows->time(i, 3))};
  }
  return ledger;
}

Result<void> apply(Connection& connection, const Migration& migration, Time now) {
  if (auto begun = connection.execute("BEGIN IMMEDIATE"); !begun) return begun;
  auto done = connection.execute(std::string(migration.sql).c_str());
  if (done) {
    const auto record = Params()
                            .i64("version", migration.version)
                            .text("name", migration.name)
                            .text("checksum", migration.checksum)
                            .time("at", now);
    if (auto row = connection.run(kRecord, record); !row) done = fail(row);
  }
  if (done) done = connection.execute("COMMIT");
  if (done) return {};
  if (connection.in_transaction()) (void)connection.execute("ROLLBACK");
  return fail(done.error().code,
              fmt::format("migration {:04}_{}: {}", migration.version, migration.name, done.error().text));
}

}   // namespace

Result<std::vector<MigrationStatus>> migrate(Connection& connection, const std::string& folder, Time now) {
  auto ledger = read_ledger(connection, folder);
  if (!ledger) return fail(ledger);
  for (const MigrationStatus& status : compare_with_ledger(sqlite_migrations(), *ledger)) {
    if (status.state != MigrationStatus::State::unknown) continue;
    return fail(
        Code::invalid, "AGENTAURI_DATA_DIR",
        fmt::format(
            "the data folder {} was migrated by a newer AgentAuri ({:04}_{}); use that one, or restore a backup",
            folder, status.version, status.name));
  }
  for (const Migration& migration : sqlite_migrations()) {
    if (ledger->contains(migration.version)) continue;
    if (auto applied = apply(connection, migration, now); !applied) return fail(applied);
  }
  return migration_status(connection, folder);
}

Result<std::vector<MigrationStatus>> migration_status(Connection& connection, const std::string& folder) {
  auto ledger = read_ledger(connection, folder);
  if (!ledger) return fail(ledger);
  return compare_with_ledger(sqlite_migrations(), *ledger);
}

}   // namespace agentauri::store::sqlite
