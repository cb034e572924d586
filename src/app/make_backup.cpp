#include "app/make_backup.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "app/child_process.hpp"
#include "app/durable_file.hpp"
#include "app/embedded_secrets.hpp"
#include "app/open_store.hpp"
#include "app/postgres_tools.hpp"
#include "app/version.hpp"
#include "core/compress/gzip_stream.hpp"
#include "store/sqlite/online_backup.hpp"

namespace agentauri::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kStep = 64 * 1024;
// TimescaleDB restores its tables rightly only with this on; any other server takes it for a name that it does not
// know.
constexpr std::string_view kFirstLine = "SET timescaledb.restoring = 'on';\n";
const store::Query kExportSnapshot{store::Query::Unlisted{}, "export_snapshot", "SELECT pg_export_snapshot()"};
// While pg_dump works this transaction has nothing to do.
const store::Query kMayBeIdle{store::Query::Unlisted{}, "may_be_idle",
                              "SELECT set_config('idle_in_transaction_session_timeout', '0', true)"};

// A file that goes with the object, and with it what SQLite may have put beside it.
struct ScratchFile {
  std::string path;
  ~ScratchFile() {
    if (path.empty()) return;
    std::error_code ignored;
    for (const char* ending : {"", "-wal", "-shm", "-journal"}) fs::remove(path + ending, ignored);
  }
};

// Hands a file over piece by piece.
Result<void> read_file(const std::string& path, const std::function<Result<void>(std::string_view)>& take) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(Code::unavailable, fmt::format("{} cannot be read: {}", path, std::strerror(errno)));
  std::array<char, kStep> part{};
  while (file) {
    file.read(part.data(), part.size());
    if (auto taken = take({part.data(), static_cast<std::size_t>(file.gcount())}); !taken) return taken;
  }
  if (file.bad()) return fail(Code::unavailable, fmt::format("{} cannot be read to its end", path));
  return {};
}

Result<std::unique_ptr<store::Database>> connect(const PostgresLogin& login) {
  auto postgres = postgres_settings(login, nullptr);
  postgres.threads = postgres.min_connections = 1;
  postgres.first_waits.clear();
  return store::make_postgres_database(postgres);
}

// --- PostgreSQL ------------------------------------------------------------------------------------------------------

// One try of a dump: the file, and what the same snapshot held.
class Dump {
 public:
  Dump(const PostgresLogin& login, PartialFile& file)
      : login_(login), file_(file), packer_([this](std::string_view bytes) { return file_.write(bytes); }) {}

  Result<BackupManifest> run(store::Tx& tx) {
    if (auto set = tx.run(kMayBeIdle); !set) return fail(set);
    auto major = server_major(tx);
    if (!major) return fail(major);
    auto tool = find_postgres_tool("pg_dump", *major);
    if (!tool) return fail(tool);
    auto snapshot = tx.run(kExportSnapshot);
    if (!snapshot) return fail(snapshot);
    auto child = ChildProcess::start({*tool, "--no-password", "--format=plain", "--encoding=UTF8",
                                      "--lock-wait-timeout=60s", "--snapshot=" + snapshot->text(0, 0)},
                                     tool_environment(login_), ChildProcess::Pipe::its_output);
    if (!child) return fail(child);
    Result<void> packed;
    BackupManifest out;
    Result<void> counted;
    {
      const std::jthread packing([&] { packed = pack(*child); });
      counted = count(tx, out);
      // Without its digests a dump is of no use.
      if (!counted) child->kill();
    }
    if (!packed) child->kill();
    const auto ended = child->wait();
    if (!counted) return fail(counted);
    if (!packed) return fail(packed);
    if (!ended) return fail(ended.error().code, ended.error().text);
    if (tail_.find(kDumpEnd) == std::string::npos)
      return fail(Code::unavailable, "pg_dump ended well, but without the last line of a dump");
    if (auto finished = packer_.finish(); !finished) return fail(finished);
    return out;
  }

 private:
  Result<void> pack(ChildProcess& child) {
    if (auto first = packer_.write(kFirstLine); !first) return first;
    std::array<char, kStep> part{};
    for (;;) {
      auto n = child.read(part);
      if (!n) return fail(n);
      if (*n == 0) return {};
      const std::string_view text(part.data(), *n);
      tail_ += text;
      if (tail_.size() > kKeptTail) tail_.erase(0, tail_.size() - kKeptTail);
      if (auto written = packer_.write(text); !written) {
        child.kill();
        return written;
      }
    }
  }

  static Result<void> count(store::Tx& tx, BackupManifest& out) {
    auto version = store::schema_version(tx);
    if (!version) return fail(version);
    out.schema_version = *version;
    auto tables = store::digest_tables(tx);
    if (!tables) return fail(tables);
    out.tables = std::move(*tables);
    return {};
  }

  static constexpr std::size_t kKeptTail = 512;
  const PostgresLogin& login_;
  PartialFile& file_;
  GzipWriter packer_;
  std::string tail_;
};

Result<MadeBackup> back_up_postgres(const PostgresLogin& login, const BackupFolder& folder, Time now) {
  auto db = connect(login);
  if (!db) return fail(db);
  MadeBackup out;
  out.name = folder.free_name(BackupKind::postgres, login.database, now);
  std::optional<PartialFile> file;
  auto dumped = (*db)->snapshot_blocking<BackupManifest>(
      [&](store::Tx& tx) -> Result<BackupManifest> {
        file.reset();   // of an earlier try, which deletes it
        auto begun = PartialFile::create(folder, out.name);
        if (!begun) return fail(begun);
        file.emplace(std::move(*begun));
        return Dump(login, *file).run(tx);
      },
      store::Priority::bulk);
  if (!dumped) return fail(dumped);
  if (dumped->schema_version == 0)
    return fail(Code::invalid, "database",
                fmt::format("the database {} holds no AgentAuri: is DB_NAME right?", login.database));
  out.manifest = std::move(*dumped);
  out.manifest.kind = BackupKind::postgres;
  out.manifest.database = login.database;
  out.manifest.created_at = now;
  out.manifest.program_version = std::string(kVersion);
  auto sha256 = file->close();
  if (!sha256) return fail(sha256);
  out.manifest.sha256 = std::move(*sha256);
  out.manifest.size_bytes = file->size();
  if (auto published = file->publish(out.manifest); !published) return fail(published);
  return out;
}

std::string quoted_name(const std::string& name) {
  std::string out = "\"";
  for (const char c : name) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + "\"";
}

// Beside the one that serves, and gone when this goes. One that an earlier run left behind is replaced.
class ScratchDatabase {
 public:
  static Result<std::unique_ptr<ScratchDatabase>> create(const PostgresLogin& beside) {
    auto db = connect(beside);
    if (!db) return fail(db);
    auto major = (*db)->snapshot_blocking<int>([](store::Tx& tx) { return server_major(tx); });
    if (!major) return fail(major);
    auto psql = find_postgres_tool("psql", *major);
    if (!psql) return fail(psql);
    auto login = beside;
    constexpr std::size_t kMaxName = 63;
    login.database = ("agentauri_verify_" + beside.database).substr(0, kMaxName);
    const std::string name = quoted_name(login.database);
    auto made = run_psql(*psql, beside,
                         {fmt::format("DROP DATABASE IF EXISTS {}", name),
                          fmt::format("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'", name)});
    if (!made)
      return fail(made.error().code,
                  fmt::format("the scratch database {} cannot be made: {}", login.database, made.error().text));
    return std::unique_ptr<ScratchDatabase>(new ScratchDatabase(beside, std::move(login), std::move(*psql)));
  }
  ~ScratchDatabase() {
    (void)run_psql(psql_, beside_,
                   {fmt::format("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted_name(login_.database))});
  }
  ScratchDatabase(const ScratchDatabase&) = delete;
  ScratchDatabase& operator=(const ScratchDatabase&) = delete;

  const PostgresLogin& login() const { return login_; }
  const std::string& psql() const { return psql_; }

 private:
  ScratchDatabase(PostgresLogin beside, PostgresLogin login, std::string psql)
      : beside_(std::move(beside)), login_(std::move(login)), psql_(std::move(psql)) {}
  PostgresLogin beside_, login_;
  std::string psql_;
};

Result<void> verify_postgres(const Settings& settings, const std::string& path,
                             const std::optional<BackupManifest>& manifest) {
  if (!settings.postgres)
    return fail(Code::invalid, "DATABASE_URL",
                "a PostgreSQL backup is verified on a PostgreSQL server: set DATABASE_URL or DB_HOST and DB_PASSWORD");
  auto scratch = ScratchDatabase::create(*settings.postgres);
  if (!scratch) return fail(scratch);
  auto loaded = load_dump((*scratch)->psql(), (*scratch)->login(), "", path);
  // The server is there, as the scratch database shows: what does not load is the dump.
  if (!loaded) return fail(Code::corrupt, fmt::format("{} cannot be restored: {}", path, loaded.error().text));
  if (manifest) return compare_postgres((*scratch)->login(), *manifest);
  auto db = connect((*scratch)->login());
  if (!db) return fail(db);
  auto version = (*db)->snapshot_blocking<std::int64_t>([](store::Tx& tx) { return store::schema_version(tx); });
  if (!version) return fail(version);
  if (*version == 0) return fail(Code::corrupt, fmt::format("{} holds no AgentAuri", path));
  return {};
}

// --- SQLite ----------------------------------------------------------------------------------------------------------

Result<MadeBackup> back_up_sqlite(const Settings& settings, const BackupFolder& folder, Time now) {
  if (auto there = require_store(settings); !there) return fail(there);
  MadeBackup out;
  out.name = folder.free_name(BackupKind::sqlite, "", now);
  auto file = PartialFile::create(folder, out.name);
  if (!file) return fail(file);
  const ScratchFile copy{folder.path_of(out.name) + ".partial.db"};
  auto copied = store::copy_sqlite(settings.data_dir, copy.path);
  if (!copied) return fail(copied);
  GzipWriter packer([&file](std::string_view bytes) { return file->write(bytes); });
  if (auto read = read_file(copy.path, [&](std::string_view bytes) { return packer.write(bytes); }); !read)
    return fail(read);
  if (auto finished = packer.finish(); !finished) return fail(finished);
  auto sha256 = file->close();
  if (!sha256) return fail(sha256);
  out.manifest.kind = BackupKind::sqlite;
  out.manifest.sha256 = std::move(*sha256);
  out.manifest.size_bytes = file->size();
  out.manifest.created_at = now;
  out.manifest.schema_version = copied->schema_version;
  out.manifest.program_version = std::string(kVersion);
  out.manifest.tables = std::move(copied->tables);
  if (auto published = file->publish(out.manifest); !published) return fail(published);
  return out;
}

Result<void> unpack(const std::string& path, const std::string& to) {
  const int fd = ::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return fail(Code::unavailable, fmt::format("{} cannot be written: {}", to, std::strerror(errno)));
  const auto write = [&](std::string_view bytes) -> Result<void> {
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return fail(Code::unavailable, fmt::format("{} cannot be written: {}", to, std::strerror(errno)));
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
  };
  GzipReader reader(write);
  auto done = read_file(path, [&](std::string_view packed) { return reader.write(packed); });
  if (done) done = reader.finish();
  if (done && ::fsync(fd) != 0)
    done = fail(Code::unavailable, fmt::format("{} cannot be written: {}", to, std::strerror(errno)));
  ::close(fd);
  if (!done && done.error().code == Code::corrupt)
    return fail(Code::corrupt, fmt::format("{}: {}", path, done.error().text));
  return done;
}

Result<void> compare(const std::vector<store::TableDigest>& expected, const std::vector<store::TableDigest>& found) {
  const std::string difference = store::compare_digests(expected, found);
  if (!difference.empty())
    return fail(Code::corrupt, fmt::format("what was restored is not what was backed up: {}", difference));
  return {};
}

}   // namespace

Result<MadeBackup> make_backup(const Settings& settings, const BackupFolder& folder, Time now) {
  folder.forget_partial(settings.postgres ? BackupKind::postgres : BackupKind::sqlite,
                        settings.postgres ? settings.postgres->database : "");
  return settings.postgres ? back_up_postgres(*settings.postgres, folder, now) : back_up_sqlite(settings, folder, now);
}

Result<void> compare_postgres(const PostgresLogin& login, const BackupManifest& manifest) {
  auto db = connect(login);
  if (!db) return fail(db);
  auto found = (*db)->snapshot_blocking<std::vector<store::TableDigest>>(
      [](store::Tx& tx) { return store::digest_tables(tx); }, store::Priority::bulk);
  if (!found) return fail(found);
  return compare(manifest.tables, *found);
}

Result<void> unpack_sqlite_backup(const std::string& path, const std::optional<BackupManifest>& manifest,
                                  const std::string& to) {
  ScratchFile file{to};   // until all is well
  if (auto unpacked = unpack(path, to); !unpacked) return unpacked;
  auto inside = store::inspect_sqlite(to);
  if (!inside) return fail(Code::corrupt, fmt::format("{} cannot be restored: {}", path, inside.error().text));
  if (inside->schema_version == 0) return fail(Code::corrupt, fmt::format("{} holds no AgentAuri", path));
  if (manifest) {
    if (auto same = compare(manifest->tables, inside->tables); !same) return same;
  }
  file.path.clear();
  return {};
}

Result<std::optional<BackupManifest>> verify_backup(const Settings& settings, const std::string& path,
                                                    const std::string& scratch_folder) {
  const auto kind = kind_of_backup(fs::path(path).filename());
  if (!kind)
    return fail(Code::invalid,
                fmt::format("{} is not named like a backup: <name>_<YYYYMMDD_HHMMSS>.sql.gz or .db.gz", path));
  auto manifest = read_manifest(path);
  if (!manifest) return fail(manifest);
  if (*manifest) {
    if (auto whole = check_file(path, **manifest); !whole) return fail(whole);
  }
  if (*kind == BackupKind::postgres) {
    if (auto good = verify_postgres(settings, path, *manifest); !good) return fail(good);
  } else {
    // One name, since the folder is locked: what a run that was killed left behind goes now.
    const ScratchFile scratch{scratch_folder + "/.verify.db"};
    std::error_code ignored;
    fs::remove(scratch.path, ignored);
    if (auto good = unpack_sqlite_backup(path, *manifest, scratch.path); !good) return fail(good);
  }
  return manifest;
}

}   // namespace agentauri::app
