// SQLite's migrations: applied when the folder is opened, each in a transaction of its own.
#pragma once

#include <string>
#include <vector>

#include "store/migrations.hpp"
#include "store/sqlite/connection.hpp"

namespace agentauri::store::sqlite {

// Brings the file up to date and returns what stands then. Code::conflict when its tables are not ours, Code::invalid
// when a newer program has migrated it; `folder` is named in either sentence.
Result<std::vector<MigrationStatus>> migrate(Connection& connection, const std::string& folder, Time now);
Result<std::vector<MigrationStatus>> migration_status(Connection& connection, const std::string& folder);

}   // namespace agentauri::store::sqlite
