// The production store: PostgreSQL 15 or newer, through libpq.
//
// A pool of store threads with one connection each. Statements are prepared once per connection, results are binary,
// every wait has a deadline (then the query is cancelled and the connection opened anew).
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "core/telemetry/metrics.hpp"
#include "store/database.hpp"
#include "store/migrations.hpp"

namespace agentauri::store {

struct PostgresSettings {
  std::string host = "localhost";
  std::uint16_t port = 5432;
  std::string database = "agentauri_backend";
  std::string user = "postgres";
  std::string password;   // handed to libpq as a parameter, so any character may be in it
  std::string ssl_mode = "prefer";
  std::string ssl_root_cert;
  unsigned threads = 4;           // store threads, one connection each
  unsigned min_connections = 1;   // opened at start, at most `threads`; the others when they are needed
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::milliseconds statement_timeout{30'000};
  std::chrono::milliseconds lock_timeout{10'000};
  // The server ends a unit that writes when the next statement does not come for so long: shorter than the silence
  // after which its process is dead (reach.hpp). The unit runs again.
  std::chrono::milliseconds standstill_timeout{2000};
  std::chrono::milliseconds acquire_timeout{5000};   // a unit fails when no connection can be had for so long
  std::chrono::seconds idle_timeout{180};
  std::chrono::seconds max_lifetime{900};
  std::vector<std::chrono::milliseconds> first_waits{std::chrono::seconds(1), std::chrono::seconds(2),
                                                     std::chrono::seconds(4),
                                                     std::chrono::seconds(8)};   // between the tries at start
  Metrics* metrics = nullptr;
};

// Connects (with the tries above, each logged). Code::unavailable names host, port, database and user, never the
// password. Does not look at the schema: see postgres_migration_status().
Result<std::unique_ptr<Database>> make_postgres_database(PostgresSettings settings);

// `agentauri migrate`: applies what is pending, in order, each file as it stands, under an advisory lock; fills in the
// checksum of what psql applied. Stops at the first failure.
Result<std::vector<MigrationStatus>> postgres_migrate_up(const PostgresSettings& settings);
Result<std::vector<MigrationStatus>> postgres_migration_status(const PostgresSettings& settings);

}   // namespace agentauri::store
