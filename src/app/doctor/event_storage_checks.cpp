// How events are stored: what TimescaleDB needs, and what its presence brings.
#include <fmt/format.h>

#include "app/doctor/checks.hpp"

namespace agentauri::app::doctor {
namespace {

constexpr std::int64_t kEnoughLocks = 256;   // a statement over many chunks locks each of them and their indexes

const store::EventStorageFacts* events_of(const Facts& facts) {
  return facts.store ? &facts.store->events : nullptr;
}

Finding judge_library(const Settings&, const Facts& facts) {
  const auto* events = events_of(facts);
  if (events == nullptr) return store_is_away(facts);
  if (events->storage == store::EventStorage::lost)
    return {Verdict::critical, "TimescaleDB is in this database, and its library is not loaded: no event is stored",
            "shared_preload_libraries = 'timescaledb' in postgresql.conf, and restart PostgreSQL"};
  return well(store::describe(*events));
}

Finding judge_use(const Settings&, const Facts& facts) {
  const auto* events = events_of(facts);
  if (events == nullptr) return store_is_away(facts);
  if (events->storage != store::EventStorage::table || (!events->available && !events->version))
    return well("events are stored as this server can");
  return {Verdict::info, "TimescaleDB is installed, and events are in an ordinary table",
          "`agentauri db convert-events` says why, or converts it: in a maintenance window"};
}

Finding judge_locks(const Settings&, const Facts& facts) {
  const auto* events = events_of(facts);
  if (events == nullptr) return store_is_away(facts);
  if (events->storage != store::EventStorage::hypertable) return skipped("events are in one table");
  const auto text =
      fmt::format("max_locks_per_transaction is {}, with {} chunks", events->max_locks_per_transaction, events->chunks);
  if (events->max_locks_per_transaction >= kEnoughLocks) return well(text);
  return {Verdict::warning, text, "set max_locks_per_transaction = 256 in postgresql.conf and restart PostgreSQL"};
}

Finding judge_telemetry(const Settings&, const Facts& facts) {
  const auto* events = events_of(facts);
  if (events == nullptr) return store_is_away(facts);
  if (!events->version) return skipped("TimescaleDB is not in this database");
  if (events->storage == store::EventStorage::lost) return skipped("its library is not loaded");
  if (events->telemetry.value_or("off") == "off") return well("TimescaleDB reports nothing to its makers");
  return {Verdict::warning, "TimescaleDB reports to its makers every day",
          "set timescaledb.telemetry_level = 'off' in postgresql.conf"};
}

constexpr Check kChecks[] = {
    {"events.library", 0, "TimescaleDB's library is loaded where it is used", judge_library},
    {"events.storage", 0, "a TimescaleDB that is there is used", judge_use},
    {"events.locks", 0, "there are locks for every chunk", judge_locks},
    {"events.telemetry", 0, "TimescaleDB's telemetry is off", judge_telemetry},
};

}   // namespace

std::span<const Check> event_storage_checks() {
  return kChecks;
}

}   // namespace agentauri::app::doctor
