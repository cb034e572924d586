// Tables read and written as a whole, whatever their columns: for backups, their verification, and copies from one
// engine to the other. The columns come from the database's own catalogue, so what a migration adds is carried along.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/database.hpp"
#include "store/tables.hpp"

namespace agentauri::store {

struct TableColumn {
  enum class Kind : std::uint8_t { integer, boolean, time, text, numeric, bytes };   // SQLite has integer, text, bytes
  std::string name;
  Kind kind;
  bool operator==(const TableColumn&) const = default;
};

// A table as one database has it. Made within a unit of work; good for every later one on the same schema.
struct TableShape {
  const TableInfo* table = nullptr;
  std::vector<TableColumn> columns;   // by name
  std::vector<std::size_t> key;       // places of the primary key among `columns`
};
// nullopt when there is no such table, as in a backup of an earlier version. Code::unsupported names a column of a type
// that is not carried.
Result<std::optional<TableShape>> read_shape(Tx& tx, const TableInfo& table);

using Row = std::vector<Cell>;   // as `columns`

inline constexpr std::int64_t kPageRows = 500;
// The next rows by primary key behind `after` (nullptr: from the start), at most kPageRows of them, in the engine's own
// order. Fewer than that: the end.
Result<std::vector<Row>> read_page(Tx& tx, const TableShape& shape, const Row* after);
// Writes rows of `from` into the table as `to` has it; the columns must be the same.
Result<void> insert_rows(Tx& tx, const TableShape& from, const TableShape& to, const std::vector<Row>& rows);

// What is in a table, independent of engine and order: equal contents give equal digests on SQLite and PostgreSQL.
struct TableDigest {
  std::string table;
  std::int64_t rows = 0;
  std::string digest;   // 64 hexadecimal digits: the sum of the rows' SHA-256, modulo 2^256
  bool operator==(const TableDigest&) const = default;
};
// Adds rows up. NULL columns are left out of a row's hash, so that one which a migration adds changes nothing.
class RowSum {
 public:
  void add(const TableShape& shape, const Row& row);
  TableDigest result(std::string_view table) const;

 private:
  std::int64_t rows_ = 0;
  FixedBytes<32> sum_{};   // big-endian
};

// `done`: called now and then with the table and its rows so far; may be empty.
using Progress = std::function<void(std::string_view table, std::int64_t rows)>;
// Of every table that is not local and that exists, in one pass. For a consistent answer the unit must be a snapshot.
Result<std::vector<TableDigest>> digest_tables(Tx& tx, const Progress& done = {});

// The first difference as a sentence; empty when there is none.
std::string compare_digests(const std::vector<TableDigest>& expected, const std::vector<TableDigest>& found);

// The highest version in the ledger of migrations; 0 without one.
Result<std::int64_t> schema_version(Tx& tx);

// A statement whose text is made at run time. Lives as long as the program, as connections keep what they prepared.
const Query& interned_query(std::string_view name, std::string sql);

}   // namespace agentauri::store
