// Where Redis is and how to log in: REDIS_URL, or the REDIS_ names.
#pragma once

#include <optional>

#include "app/settings.hpp"

namespace agentauri::app {

// nullopt: nothing of it is configured, and what would be shared lives in the process.
std::optional<net::RedisSettings> read_redis(Environment& env);

}   // namespace agentauri::app
