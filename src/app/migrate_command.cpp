#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "app/commands.hpp"
#include "app/exit_codes.hpp"
#include "app/open_store.hpp"
#include "store/event_storage.hpp"

namespace agentauri::app {

int run_migrate(const Settings& settings, const std::string& action) {
  using State = store::MigrationStatus::State;
  if (!settings.postgres) {
    fmt::print(
        stderr,
        "no database is configured (DB_HOST, DB_PASSWORD or DATABASE_URL): the embedded store migrates by itself\n");
    return action == "up" ? kExitOk : kExitUsage;
  }
  const auto postgres = postgres_settings(*settings.postgres, nullptr);
  auto statuses = action == "up" ? store::postgres_migrate_up(postgres) : store::postgres_migration_status(postgres);
  if (!statuses) {
    fmt::print(stderr, "{}\n", statuses.error().text);
    return exit_code_of(statuses.error());
  }
  for (const auto& status : *statuses)
    fmt::print("{:04}_{:<12} {} {}\n", status.version, status.name, store::to_string(status.state), status.applied_at);
  if (action == "up") {
    const auto events = store::postgres_convert_events(postgres, store::kMaxRowsToConvert);
    fmt::print("{}\n", events ? *events : "events stays as it is: " + events.error().text);
  }
  if (action != "verify") return kExitOk;
  const bool good = std::all_of(statuses->begin(), statuses->end(),
                                [](const auto& s) { return s.state == State::applied || s.state == State::adopted; });
  if (!good) fmt::print(stderr, "the schema is not what this program needs\n");
  return good ? kExitOk : kExitNo;
}

}   // namespace agentauri::app
