// A store as the command line names it: `sqlite:FOLDER`, `postgresql://user@host:port/database`, or `postgresql:` for
// the one that the settings name.
#pragma once

#include <optional>
#include <string>

#include "app/settings.hpp"
#include "core/base/result.hpp"

namespace agentauri::app {

struct StorePlace {
  std::string sqlite;                      // the folder, or a backup file; empty: PostgreSQL
  std::optional<PostgresLogin> postgres;   // of sqlite: nothing
  std::string shown;                       // without a password
};
// `option` is named in the error. A password that the URL does not hold comes from DB_PASSWORD when `settings` have
// one, else from where libpq looks (PGPASSWORD, ~/.pgpass).
Result<StorePlace> parse_store_place(const std::string& option, const std::string& text, const Settings& settings);

}   // namespace agentauri::app
