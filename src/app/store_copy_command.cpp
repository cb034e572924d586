// `agentauri store copy`: from the embedded store to PostgreSQL, or back.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>

#include "app/commands.hpp"
#include "app/durable_file.hpp"
#include "app/embedded_secrets.hpp"
#include "app/exit_codes.hpp"
#include "app/make_backup.hpp"
#include "app/open_store.hpp"
#include "app/store_place.hpp"
#include "store/sqlite/online_backup.hpp"
#include "store/sqlite/sqlite_database.hpp"
#include "store/store_copy.hpp"

namespace agentauri::app {
namespace {

namespace fs = std::filesystem;

// An end of the copy, with what must live as long as it does.
struct End {
  std::shared_ptr<void> lock;   // of a folder of the embedded store
  std::string scratch;          // a folder that goes with it; may be empty
  std::unique_ptr<store::Database> db;

  End() = default;
  End(End&&) = default;
  End& operator=(End&&) = delete;
  ~End() {
    db.reset();
    std::error_code ignored;
    if (!scratch.empty()) fs::remove_all(scratch, ignored);
  }
};

const store::Query kRunning{store::Query::Unlisted{}, "store_copy_running",
                            "SELECT count(*) FROM instances WHERE heartbeat_at > now() - INTERVAL '5 seconds'"};

Result<void> nobody_serves(store::Database& db, const std::string& shown) {
  auto running = db.query_blocking(kRunning);
  if (!running) return fail(running);
  if (running->i64(0, 0) > 0) return fail(Code::busy, fmt::format("a server is running on {}: stop it first", shown));
  return {};
}

Result<void> verified(const Result<std::vector<store::MigrationStatus>>& statuses, const std::string& remedy) {
  if (!statuses) {
    // The first migration's own words.
    const bool foreign = statuses.error().text.find("are not AgentAuri's") != std::string::npos;
    return fail(foreign ? Code::conflict : statuses.error().code, statuses.error().text);
  }
  if (store::verify_migrations(*statuses)) return {};
  return fail(Code::invalid, remedy);
}

Result<End> open_postgres(const PostgresLogin& login, const std::string& shown, bool is_target) {
  auto settings = postgres_settings(login, nullptr);
  settings.first_waits.clear();
  // A page of a large table is written in one unit.
  settings.statement_timeout = std::chrono::minutes(5);
  settings.threads = settings.min_connections = 2;
  End out;
  auto db = store::make_postgres_database(settings);
  if (!db) return fail(db);
  out.db = std::move(*db);
  auto statuses = is_target ? store::postgres_migrate_up(settings) : store::postgres_migration_status(settings);
  if (auto current = verified(statuses, fmt::format("the schema of {} is not the one of this version: run `agentauri "
                                                    "migrate up` on it first",
                                                    shown));
      !current)
    return fail(current);
  if (auto free = nobody_serves(*out.db, shown); !free) return fail(free);
  return out;
}

// A backup file is unpacked beside itself, and brought up to this version there; a folder is taken as it is.
Result<End> open_sqlite_source(const std::string& path) {
  End out;
  std::error_code ignored;
  store::SqliteSettings settings;
  if (fs::is_directory(path, ignored)) {
    if (!fs::exists(store_path(path), ignored))
      return fail(Code::invalid, fmt::format("there is no store in {}", path));
    auto lock = store::hold_sqlite_folder(path);
    if (!lock) return fail(lock);
    out.lock = std::move(*lock);
    if (auto current =
            verified(store::sqlite_migration_status(path),
                     fmt::format("the store in {} is not of this version: start `agentauri serve` on it once, "
                                 "or copy a backup of it",
                                 path));
        !current)
      return fail(current);
    settings.data_dir = path;
    settings.read_only = true;
  } else {
    if (kind_of_backup(fs::path(path).filename()) != BackupKind::sqlite || !fs::exists(path, ignored))
      return fail(Code::invalid,
                  fmt::format("{} is neither the data folder of an embedded store nor a backup of one", path));
    auto manifest = read_manifest(path);
    if (!manifest) return fail(manifest);
    if (*manifest) {
      if (auto whole = check_file(path, **manifest); !whole) return fail(whole);
    }
    out.scratch = (fs::temp_directory_path() / fmt::format("agentauri-copy-{}", ::getpid())).string();
    if (auto made = make_data_dir(out.scratch); !made) return fail(made);
    if (auto unpacked = unpack_sqlite_backup(path, *manifest, store_path(out.scratch)); !unpacked)
      return fail(unpacked);
    settings.data_dir = out.scratch;
  }
  auto db = store::make_sqlite_database(settings);
  if (!db) return fail(db);
  out.db = std::move(*db);
  return out;
}

// Under a name of its own until it is whole, so that nobody serves from half of it.
std::string draft_folder(const std::string& folder) {
  return folder + "/store-copy";
}

Result<End> open_sqlite_target(const std::string& folder) {
  if (auto made = make_data_dir(folder); !made) return fail(made);
  End out;
  auto lock = store::hold_sqlite_folder(folder);
  if (!lock) return fail(lock);
  out.lock = std::move(*lock);
  std::error_code ignored;
  if (fs::exists(store_path(folder), ignored))
    return fail(Code::conflict, fmt::format("there is a store in {} already: copy into another folder", folder));
  if (auto made = make_data_dir(draft_folder(folder)); !made) return fail(made);
  store::SqliteSettings settings;
  settings.data_dir = draft_folder(folder);
  auto db = store::make_sqlite_database(settings);
  if (!db) return fail(db);
  out.db = std::move(*db);
  return out;
}

Result<void> put_in_place(const std::string& folder) {
  const std::string draft = store_path(draft_folder(folder));
  std::error_code error;
  fs::rename(draft, store_path(folder), error);
  if (error)
    return fail(Code::unavailable, fmt::format("{} cannot be put in place: {}", store_path(folder), error.message()));
  std::error_code ignored;
  fs::remove_all(draft_folder(folder), ignored);
  return sync_folder(folder);
}

// A line when a table is done, and every few seconds in between.
class Talk {
 public:
  void operator()(const store::CopyProgress& progress) {
    using Phase = store::CopyProgress::Phase;
    const auto now = std::chrono::steady_clock::now();
    const bool done = progress.phase == Phase::copying && progress.rows >= progress.total;
    if (!done && now - last_ < kEvery) return;
    last_ = now;
    if (progress.phase == Phase::copying)
      fmt::print(stderr, "{}: {} of {} rows\n", progress.table, progress.rows, progress.total);
    else
      fmt::print(stderr, "{} {}: {} rows\n", progress.phase == Phase::reading ? "reading" : "comparing", progress.table,
                 progress.rows);
  }

 private:
  static constexpr auto kEvery = std::chrono::seconds(2);
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

Result<void> copy(const Settings& settings, const StoreCopyOptions& options) {
  auto from = parse_store_place("--from", options.from, settings);
  if (!from) return fail(from);
  auto to = parse_store_place("--to", options.to, settings);
  if (!to) return fail(to);
  if (from->postgres.has_value() == to->postgres.has_value())
    return fail(Code::invalid,
                "a copy goes from one engine to the other; within one, use `agentauri backup` and "
                "`agentauri restore`");
  auto source = from->postgres ? open_postgres(*from->postgres, from->shown, false) : open_sqlite_source(from->sqlite);
  if (!source) return fail(source);
  auto target = to->postgres ? open_postgres(*to->postgres, to->shown, true) : open_sqlite_target(to->sqlite);
  if (!target) return fail(target);
  Talk talk;
  auto copied = store::copy_store(*source->db, *target->db, [&talk](const auto& progress) { talk(progress); });
  if (!copied) return fail(copied);
  if (!to->postgres) {
    target->db.reset();
    if (auto placed = put_in_place(to->sqlite); !placed) return placed;
  }
  std::int64_t rows = 0;
  for (const auto& each : *copied) rows += each.rows;
  fmt::print("{}  copied: {} tables, {} rows compared\n", to->shown, copied->size(), rows);
  return {};
}

}   // namespace

int run_store_copy(const Settings& settings, const StoreCopyOptions& options) {
  if (auto done = copy(settings, options); !done) {
    fmt::print(stderr, "{}\n", done.error().text);
    switch (done.error().code) {
      case Code::invalid:
        return kExitUsage;
      case Code::conflict:
      case Code::corrupt:
        return kExitNo;
      default:
        return exit_code_of(done.error());
    }
  }
  return kExitOk;
}

}   // namespace agentauri::app
