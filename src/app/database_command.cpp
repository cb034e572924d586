// `agentauri db …`: how large the database is and who is connected; events into a hypertable.
#include <fmt/format.h>

#include <cstdio>

#include "app/commands.hpp"
#include "app/doctor/checks.hpp"
#include "app/exit_codes.hpp"
#include "app/open_store.hpp"
#include "core/json/json.hpp"
#include "store/operator_facts.hpp"
#include "store/table_sizes.hpp"

namespace agentauri::app {
namespace {

constexpr std::int64_t kAnyRows = 1'000'000'000'000'000;

struct Stats {
  store::ServerFacts server;
  store::EventStorageFacts events;
  std::vector<store::TableSize> tables;
  store::FilePages pages;   // of SQLite
};

Result<Stats> read_stats(store::Tx& tx, std::string_view engine) {
  Stats out;
  auto server = store::read_server_facts(tx);
  if (!server) return fail(server);
  auto events = store::read_event_storage(tx);
  if (!events) return fail(events);
  auto tables = store::read_table_sizes(tx, engine);
  if (!tables) return fail(tables);
  if (engine == "sqlite") {
    auto pages = store::read_file_pages(tx);
    if (!pages) return fail(pages);
    out.pages = *pages;
  }
  out.server = std::move(*server);
  out.events = std::move(*events);
  out.tables = std::move(*tables);
  return out;
}

json::Object to_json(const Stats& stats, std::string_view engine) {
  json::Object out;
  out["engine"] = json::String(engine);
  if (engine == "postgres") {
    out["connections"] = stats.server.connections;
    out["max_connections"] = stats.server.max_connections;
    out["event_storage"] = json::String(store::name_of(stats.events.storage));
  } else {
    out["pages"] = stats.pages.pages;
    out["free_pages"] = stats.pages.free_pages;
    out["page_bytes"] = stats.pages.page_bytes;
  }
  json::Array tables;
  for (const auto& table : stats.tables) {
    json::Object row;
    row["name"] = json::String(table.name);
    row["bytes"] = table.bytes;
    row["size"] = json::String(doctor::size_text(static_cast<std::uint64_t>(table.bytes)));
    row["rows"] = table.rows;
    tables.push_back(std::move(row));
  }
  out["tables"] = std::move(tables);
  return out;
}

void print(const Stats& stats, std::string_view engine) {
  if (engine == "postgres") {
    fmt::print("connections  {} of {}\n", stats.server.connections, stats.server.max_connections);
    fmt::print("{}\n", store::describe(stats.events));
  } else {
    fmt::print("file         {} in {} pages of {} B, {} of them free\n",
               doctor::size_text(static_cast<std::uint64_t>(stats.pages.pages * stats.pages.page_bytes)),
               stats.pages.pages, stats.pages.page_bytes, stats.pages.free_pages);
  }
  fmt::print("\n{:<26} {:>10} {:>14}\n", "table", "size", engine == "postgres" ? "rows (about)" : "rows");
  for (const auto& table : stats.tables)
    fmt::print("{:<26} {:>10} {:>14}\n", table.name, doctor::size_text(static_cast<std::uint64_t>(table.bytes)),
               table.rows);
}

}   // namespace

int run_db_stats(const Settings& settings, bool as_json) {
  Metrics metrics;
  auto db = open_store_to_read(settings, metrics);
  if (!db) {
    fmt::print(stderr, "{}\n", db.error().text);
    return exit_code_of(db.error());
  }
  const auto engine = (*db)->engine();
  auto stats = (*db)->snapshot_blocking<Stats>([engine](store::Tx& tx) { return read_stats(tx, engine); });
  if (!stats) {
    fmt::print(stderr, "{}\n", stats.error().text);
    return exit_code_of(stats.error());
  }
  if (as_json)
    fmt::print("{}\n", json::dump(to_json(*stats, engine)));
  else
    print(*stats, engine);
  return kExitOk;
}

int run_db_convert_events(const Settings& settings) {
  if (!settings.postgres) {
    fmt::print(stderr, "the embedded store has no hypertables\n");
    return kExitUsage;
  }
  const auto said = store::postgres_convert_events(postgres_settings(*settings.postgres, nullptr), kAnyRows);
  if (!said) {
    fmt::print(stderr, "{}\n", said.error().text);
    return exit_code_of(said.error());
  }
  fmt::print("{}\n", *said);
  return said->starts_with("events is") ? kExitOk : kExitNo;
}

}   // namespace agentauri::app
