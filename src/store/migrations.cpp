#include "store/migrations.hpp"

#include <fmt/format.h>

#include <charconv>

#include "core/base/embedded.hpp"
#include "core/crypto/crypto.hpp"

namespace agentauri::embedded {
const std::vector<EmbeddedFile>& postgres_migrations();
const std::vector<EmbeddedFile>& sqlite_migrations();
}   // namespace agentauri::embedded

namespace agentauri::store {
namespace {

// 0003_chain.sql is version 3, "chain".
std::vector<Migration> parse_names(const std::vector<embedded::EmbeddedFile>& files) {
  std::vector<Migration> out;
  for (const auto& file : files) {
    Migration migration;
    const std::size_t underscore = file.name.find('_');
    const std::size_t dot = file.name.rfind('.');
    std::from_chars(file.name.data(), file.name.data() + underscore, migration.version);
    migration.name = std::string(file.name.substr(underscore + 1, dot - underscore - 1));
    migration.sql = file.text;
    migration.checksum = to_hex(crypto::sha256(as_bytes(file.text)).view());
    ENSURE(migration.version == static_cast<int>(out.size()) + 1, "migrations are numbered 1, 2, … without a gap");
    out.push_back(std::move(migration));
  }
  return out;
}

}   // namespace

const std::vector<Migration>& postgres_migrations() {
  static const auto migrations = parse_names(embedded::postgres_migrations());
  return migrations;
}

const std::vector<Migration>& sqlite_migrations() {
  static const auto migrations = parse_names(embedded::sqlite_migrations());
  return migrations;
}

std::vector<MigrationStatus> compare_with_ledger(const std::vector<Migration>& known,
                                                 const std::map<int, LedgerRow>& ledger) {
  using State = MigrationStatus::State;
  std::vector<MigrationStatus> out;
  for (const Migration& migration : known) {
    MigrationStatus status{migration.version, migration.name, State::pending, {}};
    if (const auto found = ledger.find(migration.version); found != ledger.end()) {
      const LedgerRow& row = found->second;
      status.applied_at = row.applied_at;
      status.state = !row.checksum                         ? State::adopted
                     : *row.checksum == migration.checksum ? State::applied
                                                           : State::changed;
    }
    out.push_back(std::move(status));
  }
  const int newest = known.empty() ? 0 : known.back().version;
  for (const auto& [version, row] : ledger) {
    if (version > newest) out.push_back({version, row.name, State::unknown, row.applied_at});
  }
  return out;
}

Result<void> verify_migrations(const std::vector<MigrationStatus>& statuses) {
  using State = MigrationStatus::State;
  for (const MigrationStatus& status : statuses) {
    const std::string file = fmt::format("{:04}_{}.sql", status.version, status.name);
    switch (status.state) {
      case State::applied:
      case State::adopted:
        break;
      case State::pending:
        return fail(Code::invalid, "database",
                    fmt::format("migration {} is not applied: run `agentauri migrate up`", file));
      case State::changed:
        return fail(Code::invalid, "database",
                    fmt::format("migration {} differs from what was applied on {}: this program and "
                                "the database do not belong together",
                                file, status.applied_at));
      case State::unknown:
        return fail(Code::invalid, "database",
                    fmt::format("migration {} is unknown to this program: the database was migrated "
                                "by a newer AgentAuri; use that one",
                                file));
    }
  }
  return {};
}

std::string_view to_string(MigrationStatus::State state) {
  switch (state) {
    case MigrationStatus::State::pending:
      return "pending";
    case MigrationStatus::State::applied:
      return "applied";
    case MigrationStatus::State::adopted:
      return "applied by psql";
    case MigrationStatus::State::changed:
      return "changed since it was applied";
    case MigrationStatus::State::unknown:
      return "unknown to this program";
  }
  return "unknown";
}

}   // namespace agentauri::store
