// A whole store copied from one engine to the other, so that it can be broken off and gone on with at any point.
//
// The target holds the table `store_copy` from the first row until all of it has been compared: for each table how much
// of it is there, and what the source holds. Rows and their count are written in one transaction, in the order of the
// source's primary key. While `store_copy` exists, nothing may serve from the target (is_half_copied()).
#pragma once

#include "store/table_rows.hpp"

namespace agentauri::store {

struct CopyProgress {
  enum class Phase : std::uint8_t { reading, copying, comparing } phase = Phase::reading;
  std::string_view table;
  std::int64_t rows = 0;    // of this table so far
  std::int64_t total = 0;   // of this table; 0 while reading
};
using OnProgress = std::function<void(const CopyProgress&)>;

// Copies every table that is not local, sets what the database numbers by itself, compares, and takes `store_copy`
// away. Both schemas must be of the same version, and nobody may write to either meanwhile: the caller sees to it.
// Returns what was copied. Code::conflict: the target holds something else than nothing or a part of this very source.
// Code::corrupt: the copy is not what the source holds.
Result<std::vector<TableDigest>> copy_store(Database& from, Database& to, const OnProgress& on_progress);

Result<bool> is_half_copied(Tx& tx);

}   // namespace agentauri::store
