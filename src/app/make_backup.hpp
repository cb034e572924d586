// Backups as operations: made, verified, loaded. The commands around them (backup_command.cpp) speak and keep the
// status.
#pragma once

#include <string>

#include "app/backup_folder.hpp"
#include "app/settings.hpp"

namespace agentauri::app {

// What a finished backup is called, and what it holds.
struct MadeBackup {
  std::string name;
  BackupManifest manifest;
};
// Of the store that `settings` name, while it serves. Nothing stands under the final name unless all went well.
Result<MadeBackup> make_backup(const Settings& settings, const BackupFolder& folder, Time now);

// Restores the file `path` into a database of its own, which is gone afterwards, and compares it with its manifest. Of
// PostgreSQL that is the database `agentauri_verify_<DB_NAME>` beside the one that `settings` name: the role needs
// CREATEDB. Files are made in `scratch_folder`. Code::corrupt: the backup is no good. A backup without manifest is
// restored and checked only, and the answer is nullopt.
Result<std::optional<BackupManifest>> verify_backup(const Settings& settings, const std::string& path,
                                                    const std::string& scratch_folder);

// Unpacks a backup of the embedded store into the file `to` (made anew, mode 0600), durable, checked and compared with
// its manifest (may be nullopt). On failure there is no file.
Result<void> unpack_sqlite_backup(const std::string& path, const std::optional<BackupManifest>& manifest,
                                  const std::string& to);

// Compares what is in the database with `manifest`.
Result<void> compare_postgres(const PostgresLogin& login, const BackupManifest& manifest);

}   // namespace agentauri::app
