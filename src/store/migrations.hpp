// The schema's versions. PostgreSQL's files are plain SQL that psql applies as well; SQLite's are applied at open.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"

namespace agentauri::store {

struct Migration {
  int version = 0;
  std::string name;   // of the file, without number and ending
  std::string_view sql;
  std::string checksum;   // SHA-256, hex
};
const std::vector<Migration>& postgres_migrations();
const std::vector<Migration>& sqlite_migrations();

// What is known about one version on a database.
struct MigrationStatus {
  int version = 0;
  std::string name;
  enum class State : std::uint8_t { pending, applied, adopted, changed, unknown } state = State::pending;
  std::string applied_at;   // as the database says; empty while pending
};
std::string_view to_string(MigrationStatus::State state);

// A row of the ledger `agentauri_migrations`, by version. No checksum: psql applied it.
struct LedgerRow {
  std::string name;
  std::optional<std::string> checksum;
  std::string applied_at;
};
std::vector<MigrationStatus> compare_with_ledger(const std::vector<Migration>& known,
                                                 const std::map<int, LedgerRow>& ledger);
// Whether the schema is exactly the one this program needs. Code::invalid with field `database`: names the first file
// that is not applied, has changed since, or is unknown, and says what to do.
Result<void> verify_migrations(const std::vector<MigrationStatus>& statuses);

// Whether a table is a foreign schema is the first file's own business; this is its sentence.
inline constexpr std::string_view kNotOurs = "this database holds tables that are not AgentAuri's";

}   // namespace agentauri::store
