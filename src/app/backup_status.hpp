// What is known about the backups in a folder: BACKUP_DIR/status.json, written by whoever makes or verifies one
// (`agentauri backup`, `agentauri verify-backup`, deploy/backup/backup-postgresql) and read by metrics and `doctor`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/result.hpp"
#include "core/base/time.hpp"

namespace agentauri::app {

// Each part is absent until it has happened for the first time. Times are whole seconds.
struct BackupStatus {
  std::optional<Time> last_success_at;
  std::optional<std::string> last_file;   // name in the folder
  std::optional<std::int64_t> last_size_bytes;
  std::optional<Time> last_verified_at;   // a restore of it was compared with what was backed up
  std::optional<std::string> last_verified_file;
  std::optional<Time> last_failure_at;       // of a backup or of a verification
  std::optional<std::string> last_failure;   // one sentence

  bool operator==(const BackupStatus&) const = default;
};

// A folder without the file reads as "never"; so does a folder that does not exist. Code::corrupt when the file is
// there and cannot be understood, Code::unavailable when it cannot be read.
Result<BackupStatus> read_backup_status(const std::string& folder);

// Replaces the file as a whole (mode 0644: it holds no secret, and the gateway may run as another user). The folder
// must exist. Two writers at once: the last one wins; `agentauri backup` holds the folder's lock meanwhile.
Result<void> write_backup_status(const std::string& folder, const BackupStatus& status);

}   // namespace agentauri::app
