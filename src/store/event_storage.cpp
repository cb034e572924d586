#include "store/event_storage.hpp"

#include <fmt/format.h>

namespace agentauri::store {
namespace {

const Query kFacts{
    "event_storage_facts", "SELECT 'table', NULL, NULL, NULL, FALSE, 0",
    "SELECT event_storage(), (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'), "
    "current_setting('timescaledb.license', true), current_setting('timescaledb.telemetry_level', true), "
    "EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb'), "
    "CAST(current_setting('max_locks_per_transaction') AS bigint)"};
const Query kStorage{"event_storage", "SELECT 'table'", "SELECT event_storage()"};
// Every chunk inherits from the table, and nothing else does.
const Query kChunks{"event_chunks", "SELECT 0",
                    "SELECT count(*) FROM pg_inherits WHERE inhparent = CAST('public.events' AS regclass)"};

// What the function of migration 0013 says.
EventStorage parse(std::string_view text) {
  return text == "table" ? EventStorage::table : text == "hypertable" ? EventStorage::hypertable : EventStorage::lost;
}

}   // namespace

std::string_view name_of(EventStorage storage) {
  switch (storage) {
    case EventStorage::table:
      return "table";
    case EventStorage::hypertable:
      return "hypertable";
    case EventStorage::lost:
      return "lost";
  }
  return "lost";
}

Result<void> events_can_be_written(Tx& tx) {
  auto row = tx.run(kStorage);
  if (!row) return fail(row);
  if (parse(row->text(0, 0)) == EventStorage::lost) return fail(Code::unavailable, std::string(kLibraryLost));
  return {};
}

Result<EventStorageFacts> read_event_storage(Tx& tx) {
  auto row = tx.run(kFacts);
  if (!row) return fail(row);
  EventStorageFacts out;
  out.storage = parse(row->text(0, 0));
  out.version = row->text_or_null(0, 1);
  if (out.version && out.storage != EventStorage::lost) {
    out.license = row->text_or_null(0, 2);
    out.telemetry = row->text_or_null(0, 3);
  }
  out.available = row->boolean(0, 4);
  out.max_locks_per_transaction = row->i64(0, 5);
  if (out.storage == EventStorage::hypertable) {
    auto chunks = tx.run(kChunks);
    if (!chunks) return fail(chunks);
    out.chunks = chunks->i64(0, 0);
  }
  return out;
}

std::string describe(const EventStorageFacts& facts) {
  if (facts.storage == EventStorage::lost) return std::string(kLibraryLost);
  if (facts.storage == EventStorage::hypertable)
    return fmt::format("events are in a hypertable of TimescaleDB {} ({} licence, {} chunks)",
                       facts.version.value_or("?"), facts.license.value_or("unknown"), facts.chunks);
  if (facts.version)
    return fmt::format(
        "events are in an ordinary table, although TimescaleDB {} is in this database: agentauri db "
        "convert-events",
        *facts.version);
  return facts.available ? "events are in an ordinary table; TimescaleDB is installed on the server and not used here"
                         : "events are in an ordinary table";
}

}   // namespace agentauri::store
