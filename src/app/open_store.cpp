#include "app/open_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "app/embedded_secrets.hpp"
#include "store/sqlite/sqlite_database.hpp"
#include "store/store_copy.hpp"

namespace agentauri::app {
namespace {

// What stands in the way of using the schema as it is.
Result<void> check_schema(const std::vector<store::MigrationStatus>& statuses) {
  using State = store::MigrationStatus::State;
  for (const auto& status : statuses) {
    if (status.state == State::pending)
      return fail(
          Code::invalid, "database",
          fmt::format("migration {:04}_{} is not applied: run `agentauri migrate up` first, or start with --migrate",
                      status.version, status.name));
    if (status.state == State::changed)
      return fail(Code::invalid, "database",
                  fmt::format("migration {:04}_{} differs from what was applied: this program and the database do not "
                              "belong together; see `agentauri migrate verify`",
                              status.version, status.name));
  }
  return {};
}

}   // namespace

Result<void> require_store(const Settings& settings) {
  if (settings.postgres || std::filesystem::exists(store_path(settings.data_dir))) return {};
  return fail(Code::invalid, "AGENTAURI_DATA_DIR", fmt::format("there is no store in {}", settings.data_dir));
}

store::PostgresSettings postgres_settings(const PostgresLogin& login, Metrics* metrics) {
  store::PostgresSettings out;
  out.host = login.host;
  out.port = login.port;
  out.database = login.database;
  out.user = login.user;
  out.password = login.password.reveal();
  out.ssl_mode = login.ssl_mode;
  out.ssl_root_cert = login.ssl_root_cert;
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  out.threads = std::min(cores + 2, login.max_connections);
  out.min_connections = login.min_connections;
  out.acquire_timeout = login.acquire_timeout;
  out.idle_timeout = login.idle_timeout;
  out.max_lifetime = login.max_lifetime;
  out.metrics = metrics;
  return out;
}

Result<std::unique_ptr<store::Database>> open_store_to_read(const Settings& settings, Metrics& metrics) {
  if (settings.postgres) return store::make_postgres_database(postgres_settings(*settings.postgres, &metrics));
  if (auto there = require_store(settings); !there) return fail(there);
  store::SqliteSettings sqlite;
  sqlite.data_dir = settings.data_dir;
  sqlite.read_only = true;
  return store::make_sqlite_database(sqlite);
}

Result<std::unique_ptr<store::Database>> open_store(const Settings& settings, const Clock& clock, Metrics& metrics) {
  if (!settings.postgres) {
    if (auto made = make_data_dir(settings.data_dir); !made) return fail(made);
    store::SqliteSettings sqlite;
    sqlite.data_dir = settings.data_dir;
    sqlite.clock = &clock;
    sqlite.metrics = &metrics;
    return store::make_sqlite_database(sqlite);
  }
  const auto postgres = postgres_settings(*settings.postgres, &metrics);
  auto db = store::make_postgres_database(postgres);
  if (!db) return db;
  // This connects anew. Whoever has just been answered does not end because another answer came too late.
  const auto look = [&settings, &postgres] {
    return settings.migrate_at_start ? store::postgres_migrate_up(postgres)
                                     : store::postgres_migration_status(postgres);
  };
  auto statuses = look();
  for (const auto wait : postgres.first_waits) {
    if (statuses || statuses.error().code != Code::unavailable) break;
    std::this_thread::sleep_for(wait);
    statuses = look();
  }
  if (!statuses) return fail(statuses);
  if (auto good = check_schema(*statuses); !good) return fail(good);
  auto half = (*db)->snapshot_blocking<bool>(store::is_half_copied);
  if (!half) return fail(half);
  if (*half)
    return fail(
        Code::invalid, "database",
        "the database holds a part of a copy: run the same `agentauri store copy` again, which goes on with it");
  return db;
}

}   // namespace agentauri::app
