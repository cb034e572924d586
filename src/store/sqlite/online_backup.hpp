// Copies of the embedded store: made while a process writes to it, and looked at before they are trusted.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "store/table_rows.hpp"

namespace agentauri::store {

struct SqliteCopy {
  std::vector<TableDigest> tables;
  std::int64_t schema_version = 0;
};

// Writes the store of `data_dir` as of one moment to the file `to` (replaced), without waiting for the process that
// holds the folder, nor it for us; and says what was in the store at that very moment. `to` is a database of its own,
// durable when this returns.
Result<SqliteCopy> copy_sqlite(const std::string& data_dir, const std::string& to);

// Checks the database file `path` (structure, indexes, references) and says what is in it. Code::corrupt with SQLite's
// first complaint. Leaves no files beside it.
Result<SqliteCopy> inspect_sqlite(const std::string& path);

// Takes the folder for as long as the answer lives: nobody serves from it meanwhile. Code::busy as FolderLock says.
Result<std::shared_ptr<void>> hold_sqlite_folder(const std::string& data_dir);

}   // namespace agentauri::store
