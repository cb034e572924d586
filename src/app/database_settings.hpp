// Where PostgreSQL is and how to log in: DATABASE_URL, or the DB_ names.
#pragma once

#include <optional>

#include "app/settings.hpp"

namespace agentauri::app {

// nullopt: nothing is configured and nothing is `required`.
std::optional<PostgresLogin> read_postgres(Environment& env, bool required);

}   // namespace agentauri::app
