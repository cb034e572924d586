// How large the tables are: what an operator asks first when a disk fills.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/database.hpp"

namespace agentauri::store {

struct TableSize {
  std::string name;
  std::int64_t bytes = 0;   // with its indexes; of a hypertable with its chunks
  std::int64_t rows =
      0;   // PostgreSQL: as its statistics have it; SQLite: counted, which takes a second for 10 million
};
// Of our schema, the largest first.
Result<std::vector<TableSize>> read_table_sizes(Tx& tx, std::string_view engine);

// Of SQLite's file.
struct FilePages {
  std::int64_t pages = 0, free_pages = 0, page_bytes = 0;
};
Result<FilePages> read_file_pages(Tx& tx);

}   // namespace agentauri::store
