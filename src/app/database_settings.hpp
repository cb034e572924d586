// Where PostgreSQL is and how to log in: DATABASE_URL, or the DB_ names.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "app/settings.hpp"

namespace agentauri::app {

// nullopt: nothing is configured and nothing is `required`.
std::optional<PostgresLogin> read_postgres(Environment& env, bool required);

// 0 to 65535 and nothing else; nullopt otherwise.
std::optional<std::uint16_t> parse_port(std::string_view text);
// Kubernetes sets <NAME>_PORT to such a value for each of its services.
bool is_service_link(std::string_view value);

}   // namespace agentauri::app
