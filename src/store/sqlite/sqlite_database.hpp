// The embedded store: SQLite in a folder that one process holds.
//
// One writer thread runs the bodies of a group, each inside a savepoint, and commits the group (WAL, synchronous=FULL);
// whatever arrives while a commit is being made durable forms the next group. Reader threads serve queries and
// snapshots; bulk ones leave one of them free, so that a session's look-up does not wait behind a long list.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/telemetry/metrics.hpp"
#include "store/database.hpp"
#include "store/migrations.hpp"

namespace agentauri::store {

struct SqliteSettings {
  std::string data_dir;                             // exists; holds agentauri.db and the lock file
  unsigned readers = 3;                             // one of them takes no bulk reads
  std::chrono::milliseconds read_timeout{30'000};   // of a statement of a reader
  std::size_t group_bodies = 256;                   // at most so many units in one commit
  std::chrono::microseconds group_time{2000};       // a group takes no further unit after this time
  bool read_only = false;         // for tools beside a running process: no lock, no migration, every write fails
  std::int64_t max_pages = 0;     // of the file, for tests of a full disk; 0: no bound
  const Clock* clock = nullptr;   // of now(); nullptr: the system's
  Metrics* metrics = nullptr;
};

// Opens and migrates; forgets the instances of earlier processes, since the folder is held alone. Code::busy when
// another process holds the folder, with a sentence that names it.
Result<std::unique_ptr<Database>> make_sqlite_database(SqliteSettings settings);

// What `agentauri migrate status` shows; also beside a process that holds the folder.
Result<std::vector<MigrationStatus>> sqlite_migration_status(const std::string& data_dir);

}   // namespace agentauri::store
