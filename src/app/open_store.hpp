// The one place that names a concrete store engine.
#pragma once

#include <memory>

#include "app/settings.hpp"
#include "core/base/time.hpp"
#include "core/telemetry/metrics.hpp"
#include "store/database.hpp"
#include "store/postgres/postgres_database.hpp"

namespace agentauri::app {

store::PostgresSettings postgres_settings(const PostgresLogin& login, Metrics* metrics);

// SQLite in the data folder (migrated at open), or PostgreSQL. With PostgreSQL a schema that is not current is
// Code::invalid with field `database`, naming `agentauri migrate`; with `migrate_at_start` it is brought up first.
Result<std::unique_ptr<store::Database>> open_store(const Settings& settings, const Clock& clock, Metrics& metrics);

// Code::invalid when the embedded store is yet to be made: only `serve` makes it, with its secret.
Result<void> require_store(const Settings& settings);

// For tools that only look: also beside a process that holds the embedded store.
Result<std::unique_ptr<store::Database>> open_store_to_read(const Settings& settings, Metrics& metrics);

}   // namespace agentauri::app
