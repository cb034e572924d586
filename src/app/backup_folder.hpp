// BACKUP_DIR: names of backups, what is written down beside each, and which of them may go.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "core/crypto/sha256_stream.hpp"
#include "store/table_rows.hpp"

namespace agentauri::app {

enum class BackupKind : std::uint8_t {
  postgres,   // <database>_<YYYYMMDD_HHMMSS>.sql.gz: what pg_dump writes
  sqlite,     // agentauri_<YYYYMMDD_HHMMSS>.db.gz: a database file
};

// The name's time is UTC.
std::string backup_name(BackupKind kind, const std::string& database, Time at);
// Of `<anything>_<YYYYMMDD_HHMMSS>.sql.gz` or `.db.gz`; nullopt for every other name.
std::optional<BackupKind> kind_of_backup(const std::string& name);

// What a backup held, in the file `<backup>.json` beside it.
struct BackupManifest {
  BackupKind kind = BackupKind::sqlite;
  std::int64_t size_bytes = 0;
  std::string sha256;   // of the packed file, hexadecimal
  Time created_at;      // of the moment that it shows
  std::int64_t schema_version = 0;
  std::string program_version;
  std::string database;   // of PostgreSQL
  std::vector<store::TableDigest> tables;
};
std::string to_json(const BackupManifest& manifest, const std::string& file);
// nullopt when there is none: the guide's script writes none. Code::corrupt when it cannot be understood.
Result<std::optional<BackupManifest>> read_manifest(const std::string& backup_path);
// Size and SHA-256 of the file as the manifest says. Code::corrupt otherwise.
Result<void> check_file(const std::string& backup_path, const BackupManifest& manifest);

// One backup or verification at a time: Code::busy when another one is under way. Makes the folder when it is missing.
class BackupFolder {
 public:
  static Result<BackupFolder> open(std::string path);
  ~BackupFolder();
  BackupFolder(BackupFolder&& other) noexcept;
  BackupFolder& operator=(BackupFolder&&) = delete;

  const std::string& path() const { return path_; }
  std::string path_of(const std::string& name) const { return path_ + "/" + name; }

  // Backups of `database` (of the embedded store: empty), the oldest first.
  std::vector<std::string> list(BackupKind kind, const std::string& database) const;
  // A name for a backup of now that nothing there has.
  std::string free_name(BackupKind kind, const std::string& database, Time now) const;
  // What runs that were cut short left behind.
  void forget_partial(BackupKind kind, const std::string& database) const;

 private:
  BackupFolder(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::string path_;
  int lock_ = -1;
};

struct Retention {
  int keep_days = 7;   // as find's -mtime +7: a backup goes when it is 8 or more whole days old
  int keep_min = 3;    // so many of the newest stay, whatever their age; at least 1
};
// Deletes backups that are too old, with what is beside them; never the `keep_min` newest, never `verified` (the last
// one that is known to be good; may be empty), never a file with another name. Returns the names.
Result<std::vector<std::string>> forget_old_backups(const BackupFolder& folder, BackupKind kind,
                                                    const std::string& database, const Retention& retention, Time now,
                                                    const std::string& verified);

// A file that is written under `<name>.partial` and gets its name when it is whole. One that was not finished is
// deleted.
class PartialFile {
 public:
  static Result<PartialFile> create(const BackupFolder& folder, const std::string& name);
  ~PartialFile();
  PartialFile(PartialFile&& other) noexcept;
  PartialFile& operator=(PartialFile&&) = delete;

  Result<void> write(std::string_view bytes);
  std::int64_t size() const { return size_; }
  // No more is written. Durable afterwards; returns its SHA-256.
  Result<std::string> close();
  // Puts the manifest beside it, then the file in its place, and makes both durable.
  Result<void> publish(const BackupManifest& manifest);

 private:
  PartialFile(std::string folder, std::string name, int fd)
      : folder_(std::move(folder)), name_(std::move(name)), fd_(fd) {}
  std::string partial() const { return folder_ + "/" + name_ + ".partial"; }

  std::string folder_, name_;
  int fd_ = -1;
  std::int64_t size_ = 0;
  bool published_ = false;
  crypto::Sha256Stream hash_;
};

}   // namespace agentauri::app
