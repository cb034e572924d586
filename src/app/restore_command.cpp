// `agentauri restore FILE --to …`: a backup put where a server will serve from it.
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <csignal>
#include <cstdio>
#include <filesystem>

#include "app/commands.hpp"
#include "app/durable_file.hpp"
#include "app/embedded_secrets.hpp"
#include "app/exit_codes.hpp"
#include "app/make_backup.hpp"
#include "app/open_store.hpp"
#include "app/postgres_tools.hpp"
#include "app/store_place.hpp"
#include "store/leases.hpp"
#include "store/sqlite/online_backup.hpp"

namespace agentauri::app {
namespace {

namespace fs = std::filesystem;

// What stands in the way of a restore into PostgreSQL.
struct Target {
  int major = 0;
  bool empty = true;
  bool ours = false;
  bool in_use = false;
};

const store::Query kForeign{
    store::Query::Unlisted{}, "restore_tables",
    "SELECT CAST(c.relname AS text) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') "
    "AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = CAST('pg_class' AS regclass) "
    "AND d.objid = c.oid AND d.deptype IN ('e', 'i', 'a'))"};
const store::Query kRunning{store::Query::Unlisted{}, "restore_running",
                            "SELECT count(*) FROM instances WHERE heartbeat_at > now() - INTERVAL '5 seconds'"};

Result<Target> look_at(store::Tx& tx) {
  Target out;
  auto major = server_major(tx);
  if (!major) return fail(major);
  out.major = *major;
  auto names = tx.run(kForeign);
  if (!names) return fail(names);
  out.empty = names->empty();
  auto version = store::schema_version(tx);
  if (!version) return fail(version);
  out.ours = *version > 0;
  if (!out.ours) return out;
  auto running = tx.run(kRunning);
  if (!running) return fail(running);
  out.in_use = running->i64(0, 0) > 0;
  return out;
}

// Everything in the schema that no extension brought: also what a later version has added to it.
constexpr std::string_view kDropAll = R"(DO $drop$ DECLARE r record; BEGIN
  FOR r IN SELECT format('DROP %s IF EXISTS public.%I CASCADE', CASE c.relkind WHEN 'v' THEN 'VIEW'
      WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.relname) AS sql
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND NOT EXISTS (
      SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('e', 'i', 'a'))
  LOOP EXECUTE r.sql; END LOOP;
  FOR r IN SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', p.oid::regprocedure) AS sql
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = 'public' AND NOT EXISTS (
      SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
  LOOP EXECUTE r.sql; END LOOP;
END $drop$;
)";

Result<void> restore_postgres(const std::string& file, const std::optional<BackupManifest>& manifest,
                              const StorePlace& to, bool replace) {
  auto login = *to.postgres;
  auto settings = postgres_settings(login, nullptr);
  settings.threads = settings.min_connections = 1;
  settings.first_waits.clear();
  Target target;
  {
    auto db = store::make_postgres_database(settings);
    if (!db) return fail(db);
    auto seen = (*db)->snapshot_blocking<Target>(look_at);
    if (!seen) return fail(seen);
    target = *seen;
  }
  if (!target.empty && !target.ours)
    return fail(Code::conflict, "--to",
                fmt::format("{} holds tables that are not AgentAuri's: make a database for it (createdb)", to.shown));
  if (target.in_use) return fail(Code::busy, "--to", fmt::format("a server is running on {}: stop it first", to.shown));
  if (!target.empty && !replace)
    return fail(Code::conflict, "--to",
                fmt::format("{} holds a store already. Restore into an empty database (createdb), or add "
                            "--replace-the-store-that-is-there to lose what it holds",
                            to.shown));
  auto psql = find_postgres_tool("psql", target.major);
  if (!psql) return fail(psql);
  if (auto loaded = load_dump(*psql, login, target.empty ? "" : std::string(kDropAll), file); !loaded) return loaded;
  return manifest ? compare_postgres(login, *manifest) : Result<void>();
}

// The store that was there, with the journal that belongs to it, under another name.
Result<std::string> set_aside(const std::string& folder, Time now) {
  const std::string old = store_path(folder);
  const std::string aside = fmt::format("{}.replaced-{}", old, to_unix_seconds(now));
  for (const char* ending : {"", "-wal"}) {
    std::error_code error;
    if (!fs::exists(old + ending, error)) continue;
    fs::rename(old + ending, aside + ending, error);
    if (error) return fail(Code::unavailable, fmt::format("{}{} cannot be renamed: {}", old, ending, error.message()));
  }
  std::error_code ignored;
  fs::remove(old + "-shm", ignored);
  return aside;
}

Result<void> restore_sqlite(const std::string& file, const std::optional<BackupManifest>& manifest,
                            const StorePlace& to, bool replace) {
  if (auto made = make_data_dir(to.sqlite); !made) return made;
  auto lock = store::hold_sqlite_folder(to.sqlite);
  if (!lock) return fail(lock);
  const std::string path = store_path(to.sqlite);
  std::error_code ignored;
  const bool there = fs::exists(path, ignored);
  if (there && !replace)
    return fail(Code::conflict, "--to",
                fmt::format("there is a store in {} already. Restore into another folder, or add "
                            "--replace-the-store-that-is-there; the one that is there is then kept under another name",
                            to.sqlite));
  const std::string draft = path + ".restoring";
  fs::remove(draft, ignored);
  if (auto unpacked = unpack_sqlite_backup(file, manifest, draft); !unpacked) return unpacked;
  if (there) {
    auto aside = set_aside(to.sqlite, SystemClock().now());
    if (!aside) return fail(aside);
    fmt::print(stderr, "the store that was there is now {}\n", *aside);
  }
  std::error_code error;
  fs::rename(draft, path, error);
  if (error) return fail(Code::unavailable, fmt::format("{} cannot be put in place: {}", path, error.message()));
  return sync_folder(to.sqlite);
}

Result<void> restore(const Settings& settings, const RestoreOptions& options) {
  auto to = parse_store_place("--to", options.to, settings);
  if (!to) return fail(to);
  const auto kind = kind_of_backup(fs::path(options.file).filename());
  if (!kind)
    return fail(Code::invalid, "FILE",
                fmt::format("{} is not named like a backup: <name>_<YYYYMMDD_HHMMSS>.sql.gz or .db.gz", options.file));
  if ((*kind == BackupKind::postgres) != to->postgres.has_value())
    return fail(Code::invalid, "--to",
                fmt::format("{} is a backup of {}; to change the engine, restore it and use `agentauri store copy`",
                            options.file, *kind == BackupKind::postgres ? "PostgreSQL" : "the embedded store"));
  std::error_code ignored;
  if (!fs::exists(options.file, ignored))
    return fail(Code::invalid, "FILE", fmt::format("there is no file {}", options.file));
  auto manifest = read_manifest(options.file);
  if (!manifest) return fail(manifest);
  if (*manifest) {
    if (auto whole = check_file(options.file, **manifest); !whole) return whole;
  }
  auto done = to->postgres ? restore_postgres(options.file, *manifest, *to, options.replace)
                           : restore_sqlite(options.file, *manifest, *to, options.replace);
  if (!done) return done;
  if (*manifest) {
    std::int64_t rows = 0;
    for (const auto& table : (*manifest)->tables) rows += table.rows;
    fmt::print("{}  restored: {} tables, {} rows compared\n", to->shown, (*manifest)->tables.size(), rows);
  } else {
    fmt::print("{}  restored; there is no {}.json to compare it with\n", to->shown, options.file);
  }
  if (!to->postgres && !fs::exists(to->sqlite + "/jwt_secret", ignored))
    fmt::print(
        stderr,
        "its stored secrets are encrypted with the jwt_secret of its first folder: put that file into {}, or set "
        "JWT_SECRET to what it held\n",
        to->sqlite);
  return {};
}

}   // namespace

int run_restore(const Settings& settings, const RestoreOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);
  if (auto done = restore(settings, options); !done) {
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
