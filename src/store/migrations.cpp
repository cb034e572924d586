#include "store/migrations.hpp"

#include <charconv>

#include "core/base/embedded.hpp"
#include "core/crypto/crypto.hpp"

namespace agentauri::embedded {
const std::vector<EmbeddedFile>& postgres_migrations();
const std::vector<EmbeddedFile>& sqlite_migrations();
}  // namespace agentauri::embedded

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

}  // namespace

const std::vector<Migration>& postgres_migrations() {
  static const auto migrations = parse_names(embedded::postgres_migrations());
  return migrations;
}

const std::vector<Migration>& sqlite_migrations() {
  static const auto migrations = parse_names(embedded::sqlite_migrations());
  return migrations;
}

std::string_view to_string(MigrationStatus::State state) {
  switch (state) {
    case MigrationStatus::State::pending: return "pending";
    case MigrationStatus::State::applied: return "applied";
    case MigrationStatus::State::adopted: return "applied by psql";
    case MigrationStatus::State::changed: return "changed since it was applied";
    case MigrationStatus::State::unknown: return "unknown to this program";
  }
  return "unknown";
}

}  // namespace agentauri::store
