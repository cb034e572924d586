// The store that a bench works on when it is not a SQLite folder of its own.
#pragma once

#include <memory>

#include "store/database.hpp"

namespace agentauri::bench {

// PostgreSQL as DB_HOST, DB_PORT, DB_NAME, DB_USER and DB_PASSWORD name it; ends the process when one of them is
// missing or the database cannot be had. Its schema is left as it is.
std::unique_ptr<store::Database> open_postgres(unsigned connections = 4);

}   // namespace agentauri::bench
