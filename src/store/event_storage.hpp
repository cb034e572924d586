// How events are stored: an ordinary table, or a hypertable of TimescaleDB (migration 0013, docs/adr/0012).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "store/database.hpp"

namespace agentauri::store {

struct EventStorageFacts {
  EventStorage storage = EventStorage::table;
  // Of TimescaleDB in this database; nullopt where there is none.
  std::optional<std::string> version;
  std::optional<std::string> license, telemetry;   // nullopt too while its library is not loaded
  bool available = false;                          // the server could make the extension
  std::int64_t max_locks_per_transaction = 0;      // of the server; 0: the engine has no such bound
  std::int64_t chunks = 0;                         // of a hypertable
};
Result<EventStorageFacts> read_event_storage(Tx& tx);

// What an operator should know of it, as a sentence.
std::string describe(const EventStorageFacts& facts);

// Why nothing is stored while the library is lost, and what to do: for logs, readiness and doctor.
inline constexpr std::string_view kLibraryLost =
    "TimescaleDB is in this database, but the server was started without it in shared_preload_libraries: events would be "
    "stored where nobody finds them, so none are. Put it there (shared_preload_libraries = 'timescaledb') and restart "
    "PostgreSQL";

// A table of more rows is converted only when somebody asks for it.
inline constexpr std::int64_t kMaxRowsToConvert = 2'000'000;
}   // namespace agentauri::store
