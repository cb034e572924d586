#include "store/table_sizes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <list>

#include "store/event_storage.hpp"

namespace agentauri::store {
namespace {

// Chunks of a hypertable inherit from it, and live in another schema.
const Query kPostgres{
    Query::Unlisted{}, "table_sizes",
    "SELECT CAST(c.relname AS text), pg_total_relation_size(c.oid) + COALESCE((SELECT "
    "CAST(sum(pg_total_relation_size(i.inhrelid)) AS bigint) FROM pg_inherits i WHERE i.inhparent = c.oid), 0), "
    "CAST(GREATEST(c.reltuples, 0) + COALESCE((SELECT sum(GREATEST(x.reltuples, 0)) FROM pg_inherits i JOIN pg_class x "
    "ON "
    "x.oid = i.inhrelid WHERE i.inhparent = c.oid), 0) AS bigint) FROM pg_class c WHERE c.relnamespace = "
    "to_regnamespace('public') AND c.relkind IN ('r', 'p')"};
// What is compressed counts as well.
const Query kHypertable{Query::Unlisted{}, "hypertable_size",
                        "SELECT hypertable_size(CAST('public.events' AS regclass))"};
const Query kSqliteNames{
    Query::Unlisted{}, "table_names",
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"};
const Query kHasDbstat{Query::Unlisted{}, "has_dbstat",
                       "SELECT count(*) FROM pragma_module_list WHERE name = 'dbstat'"};
const Query kSqlite{Query::Unlisted{}, "table_pages",
                    "SELECT m.tbl_name, SUM(s.pgsize) FROM dbstat s JOIN sqlite_master m ON m.name = s.name "
                    "WHERE s.aggregate = TRUE GROUP BY m.tbl_name"};
const Query kPages{
    Query::Unlisted{}, "file_pages",
    "SELECT (SELECT page_count FROM pragma_page_count), (SELECT freelist_count FROM pragma_freelist_count), "
    "(SELECT page_size FROM pragma_page_size)"};

Result<std::vector<TableSize>> read_postgres(Tx& tx) {
  auto rows = tx.run(kPostgres);
  if (!rows) return fail(rows);
  std::vector<TableSize> out;
  for (std::size_t i = 0; i < rows->size(); ++i) out.push_back({rows->text(i, 0), rows->i64(i, 1), rows->i64(i, 2)});
  auto events = read_event_storage(tx);
  if (!events) return fail(events);
  if (events->storage != EventStorage::hypertable) return out;
  auto size = tx.run(kHypertable);
  if (!size) return fail(size);
  for (auto& table : out) {
    if (table.name == "events") table.bytes = size->i64(0, 0);
  }
  return out;
}

Result<std::vector<TableSize>> read_sqlite(Tx& tx) {
  // A statement is known by its query's place, so these stay.
  static std::list<std::pair<std::string, Query>> counts;
  auto names = tx.run(kSqliteNames);
  if (!names) return fail(names);
  std::vector<TableSize> out;
  for (std::size_t i = 0; i < names->size(); ++i) {
    auto& count = counts.emplace_back(fmt::format("SELECT count(*) FROM \"{}\"", names->text(i, 0)),
                                      Query{Query::Unlisted{}, "table_rows", ""});
    count.second.sql = count.first;
    auto rows = tx.run(count.second);
    if (!rows) return fail(rows);
    out.push_back({names->text(i, 0), 0, rows->i64(0, 0)});
  }
  auto known = tx.run(kHasDbstat);
  if (!known) return fail(known);
  if (known->i64(0, 0) == 0) return out;
  auto pages = tx.run(kSqlite);
  if (!pages) return fail(pages);
  for (std::size_t i = 0; i < pages->size(); ++i) {
    for (auto& table : out) {
      if (table.name == pages->text(i, 0)) table.bytes = pages->i64(i, 1);
    }
  }
  return out;
}

}   // namespace

Result<std::vector<TableSize>> read_table_sizes(Tx& tx, std::string_view engine) {
  auto out = engine == "postgres" ? read_postgres(tx) : read_sqlite(tx);
  if (out)
    std::sort(out->begin(), out->end(),
              [](const auto& a, const auto& b) { return std::pair(-a.bytes, a.name) < std::pair(-b.bytes, b.name); });
  return out;
}

Result<FilePages> read_file_pages(Tx& tx) {
  auto row = tx.run(kPages);
  if (!row) return fail(row);
  return FilePages{row->i64(0, 0), row->i64(0, 1), row->i64(0, 2)};
}

}   // namespace agentauri::store
