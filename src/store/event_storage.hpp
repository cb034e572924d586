// How events are stored: an ordinary table, or a hypertable of TimescaleDB (migration 0013, docs/adr/0015).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "store/database.hpp"

namespace agentauri::store {

struct PostgresSettings;

// lost: the extension is in the database, and the server runs without its library.
enum class EventStorage : std::uint8_t { table, hypertable, lost };
std::string_view name_of(EventStorage storage);

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

// Code::unavailable while the library is lost: rows of `events` would go where nobody finds them, and nothing would
// fail. For transactions that write them; SQLite always can.
Result<void> events_can_be_written(Tx& tx);

// What an operator should know of it, as a sentence.
std::string describe(const EventStorageFacts& facts);

// Why nothing is stored while the library is lost, and what to do: for logs, readiness and doctor.
inline constexpr std::string_view kLibraryLost =
    "TimescaleDB is in this database, but the server was started without it in shared_preload_libraries: events would "
    "be "
    "stored where nobody finds them, so none are. Put it there (shared_preload_libraries = 'timescaledb') and restart "
    "PostgreSQL";

// A table of more rows is converted only when somebody asks for it.
inline constexpr std::int64_t kMaxRowsToConvert = 2'000'000;
// Makes `events` a hypertable if that can be done, and says what came of it; waits for migrations, and may take an
// hour. Code::invalid when the schema is older.
Result<std::string> postgres_convert_events(const PostgresSettings& settings, std::int64_t max_rows);
}   // namespace agentauri::store
