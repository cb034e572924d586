// The store that a bench works on when it is not a SQLite folder of its own.
#pragma once

#include <memory>

#include "store/database.hpp"

namespace agentauri::bench {

// PostgreSQL as DB_HOST, DB_PORT, DB_NAME, DB_USER and DB_PASSWORD name it, migrated; ends the process when one is
// missing or the database cannot be had.
std::unique_ptr<store::Database> open_postgres();

}   // namespace agentauri::bench
