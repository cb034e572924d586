// `agentauri backup` and `agentauri verify-backup`: what they say, and what they write into the status.
#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <filesystem>

#include "app/backup_status.hpp"
#include "app/commands.hpp"
#include "app/exit_codes.hpp"
#include "app/make_backup.hpp"

namespace agentauri::app {
namespace {

namespace fs = std::filesystem;

// A status that cannot be understood is replaced: what is known now is worth more.
BackupStatus status_of(const std::string& folder) {
  auto status = read_backup_status(folder);
  if (status) return *status;
  fmt::print(stderr, "{}; it is written anew\n", status.error().text);
  return {};
}

// Says what went wrong and writes it down, where the metrics and `doctor` find it. Another one's being under way is no
// failure of a backup.
int failed(const std::string& folder, const char* what, const Error& error, Time now) {
  fmt::print(stderr, "{}: {}\n", what, error.text);
  std::error_code ignored;
  if (error.code != Code::busy && fs::is_directory(folder, ignored)) {
    auto status = status_of(folder);
    status.last_failure_at = now;
    status.last_failure = fmt::format("{}: {}", what, error.text);
    if (auto written = write_backup_status(folder, status); !written) fmt::print(stderr, "{}\n", written.error().text);
  }
  return error.code == Code::corrupt ? kExitNo : exit_code_of(error);
}

std::string contents(const BackupManifest& manifest) {
  std::int64_t rows = 0;
  for (const auto& table : manifest.tables) rows += table.rows;
  return fmt::format("{} tables, {} rows", manifest.tables.size(), rows);
}

}   // namespace

int run_backup(const Settings& settings, const BackupOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);
  const std::string path = options.to.empty() ? settings.backup_dir : options.to;
  const Time now = SystemClock().now();
  constexpr const char* kWhat = "the backup failed";
  auto folder = BackupFolder::open(path);
  if (!folder) return failed(path, kWhat, folder.error(), now);
  auto made = make_backup(settings, *folder, now);
  if (!made) return failed(path, kWhat, made.error(), SystemClock().now());
  auto status = status_of(path);
  status.last_success_at = now;
  status.last_file = made->name;
  status.last_size_bytes = made->manifest.size_bytes;
  if (auto written = write_backup_status(path, status); !written)
    return failed(path, "the status of the backup was not written", written.error(), now);
  fmt::print("{}  {} bytes, {}\n", folder->path_of(made->name), made->manifest.size_bytes, contents(made->manifest));

  const auto kind = made->manifest.kind;
  auto gone = forget_old_backups(*folder, kind, settings.postgres ? settings.postgres->database : "",
                                 {.keep_days = options.keep_days, .keep_min = options.keep_min}, now,
                                 status.last_verified_file.value_or(""));
  if (!gone) return failed(path, "old backups were not deleted", gone.error(), now);
  for (const auto& name : *gone) fmt::print(stderr, "deleted {}: older than {} days\n", name, options.keep_days);
  return kExitOk;
}

int run_verify_backup(const Settings& settings, const std::string& file) {
  std::signal(SIGPIPE, SIG_IGN);
  // A name without folder is meant to be in BACKUP_DIR; so is none at all: the newest.
  const bool in_folder = file.find('/') == std::string::npos;
  const std::string path = in_folder ? settings.backup_dir : fs::path(file).parent_path().string();
  const Time now = SystemClock().now();
  constexpr const char* kWhat = "the verification failed";
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) {
    fmt::print(stderr, "there is no folder {}: see BACKUP_DIR\n", path);
    return kExitUsage;
  }
  auto folder = BackupFolder::open(path);
  if (!folder) return failed(path, kWhat, folder.error(), now);
  std::string name = fs::path(file).filename();
  if (name.empty()) {
    const auto all = settings.postgres ? folder->list(BackupKind::postgres, settings.postgres->database)
                                       : folder->list(BackupKind::sqlite, "");
    if (all.empty())
      return failed(path, kWhat, {Code::invalid, {}, fmt::format("there is no backup in {}", path)}, now);
    name = all.back();
  }
  if (!fs::exists(folder->path_of(name), ignored)) {
    fmt::print(stderr, "there is no backup {}\n", folder->path_of(name));
    return kExitUsage;
  }
  auto good = verify_backup(settings, folder->path_of(name), path);
  if (!good) return failed(path, kWhat, good.error(), SystemClock().now());
  auto status = status_of(path);
  status.last_verified_at = SystemClock().now();
  status.last_verified_file = name;
  if (auto written = write_backup_status(path, status); !written)
    return failed(path, "the status of the verification was not written", written.error(), now);
  if (*good)
    fmt::print("{}  good: restored, {} compared\n", name, contents(**good));
  else
    fmt::print("{}  restored without an error; it has no {}.json that would tell what it should hold\n", name, name);
  return kExitOk;
}

}   // namespace agentauri::app
