// Every table of the schema, once: what a backup proves and what a copy carries. A test holds the list against the
// schemas of both engines, so that a migration cannot add a table that is forgotten here.
#pragma once

#include <string_view>
#include <vector>

namespace agentauri::store {

struct TableInfo {
  std::string_view name;
  std::vector<std::string_view> key;   // the primary key, in its order
  std::string_view identity = {};      // the column that the database numbers by itself, or empty
  // Of the database itself, not of its owner: the ledger of migrations, and the processes that are running. Neither
  // compared nor copied.
  bool is_local = false;
};

// A table stands behind those that it refers to.
const std::vector<TableInfo>& all_tables();

}   // namespace agentauri::store
