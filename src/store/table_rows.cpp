#include "store/table_rows.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>

#include "core/crypto/crypto.hpp"

namespace agentauri::store {
namespace {

using Kind = TableColumn::Kind;

const Query kColumns{"table_columns",
                     "SELECT name AS column_name, lower(type) AS column_type FROM pragma_table_info(:table)",
                     "SELECT CAST(column_name AS text), CAST(data_type AS text) FROM information_schema.columns "
                     "WHERE table_schema = 'public' AND table_name = CAST(:table AS text)"};
const Query kSchemaVersion{"schema_version", "SELECT CAST(max(version) AS bigint) FROM agentauri_migrations"};
const Query kTableExists{"table_exists", "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = :table",
                         "SELECT count(*) FROM pg_catalog.pg_tables "
                         "WHERE schemaname = 'public' AND tablename = CAST(:table AS text)"};

std::optional<Kind> kind_of(std::string_view type) {
  static constexpr std::array<std::pair<std::string_view, Kind>, 10> kTypes{{{"integer", Kind::integer},
                                                                             {"bigint", Kind::integer},
                                                                             {"smallint", Kind::integer},
                                                                             {"boolean", Kind::boolean},
                                                                             {"timestamp with time zone", Kind::time},
                                                                             {"text", Kind::text},
                                                                             {"numeric", Kind::numeric},
                                                                             {"bytea", Kind::bytes},
                                                                             {"blob", Kind::bytes},
                                                                             {"uuid", Kind::bytes}}};
  for (const auto& [name, kind] : kTypes) {
    if (name == type) return kind;
  }
  return std::nullopt;
}

// Names of parameters: a Params keeps a view of them.
constexpr std::size_t kMaxColumns = 128;
std::string_view parameter(std::size_t i) {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (std::size_t n = 0; n < kMaxColumns; ++n) out.push_back(fmt::format("p{}", n));
    return out;
  }();
  ENSURE(i < names.size(), "a table has more columns than are carried");
  return names[i];
}

std::string quoted(std::string_view name) {
  return fmt::format("\"{}\"", name);
}

std::string quoted_list(const TableShape& shape, const std::vector<std::size_t>* places = nullptr) {
  std::vector<std::string> names;
  if (places == nullptr) {
    for (const auto& column : shape.columns) names.push_back(quoted(column.name));
  } else {
    for (const std::size_t i : *places) names.push_back(quoted(shape.columns[i].name));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string parameter_list(std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) names.push_back(fmt::format(":{}", parameter(i)));
  return fmt::format("{}", fmt::join(names, ", "));
}

void bind(Params& params, std::string_view name, Kind kind, const Cell& cell) {
  if (std::holds_alternative<std::monostate>(cell)) {
    params.null(name);
  } else if (const auto* number = std::get_if<std::int64_t>(&cell)) {
    if (kind == Kind::time)
      params.time(name, from_micros(*number));
    else if (kind == Kind::boolean)
      params.boolean(name, *number != 0);
    else
      params.i64(name, *number);
  } else if (const auto* flag = std::get_if<bool>(&cell)) {
    params.boolean(name, *flag);
  } else if (const auto* text = std::get_if<std::string>(&cell)) {
    if (kind == Kind::numeric)
      params.numeric(name, *text);
    else
      params.text(name, *text);
  } else if (const auto* bytes = std::get_if<Bytes>(&cell)) {
    params.blob(name, *bytes);
  }
}

Cell read_cell(const Rows& rows, std::size_t row, std::size_t column, Kind kind) {
  if (rows.is_null(row, column)) return std::monostate{};
  switch (kind) {
    case Kind::boolean:
      return static_cast<std::int64_t>(rows.boolean(row, column));
    case Kind::integer:
      return rows.i64(row, column);
    case Kind::time:
      return to_micros(rows.time(row, column));
    case Kind::text:
    case Kind::numeric:
      return rows.text(row, column);
    case Kind::bytes:
      return rows.blob(row, column);
  }
  return std::monostate{};
}

void append_number(Bytes& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(value >> shift));
}

void append_sized(Bytes& out, ByteView bytes) {
  append_number(out, bytes.size());
  out.insert(out.end(), bytes.begin(), bytes.end());
}

}   // namespace

const Query& interned_query(std::string_view name, std::string sql) {
  struct Interned {
    Interned(std::string n, std::string text) : name(std::move(n)), sql(std::move(text)) {}
    std::string name, sql;
    Query query{Query::Unlisted{}, name, sql};
  };
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<Interned>> all;
  const std::lock_guard lock(mutex);
  auto& entry = all[sql];
  // Numbered, since a connection knows a statement by its name, and a table may differ between two databases.
  if (!entry) entry = std::make_unique<Interned>(fmt::format("{}_{}", name, all.size()), std::move(sql));
  return entry->query;
}

Result<std::optional<TableShape>> read_shape(Tx& tx, const TableInfo& table) {
  auto rows = tx.run(kColumns, Params().text("table", std::string(table.name)));
  if (!rows) return fail(rows);
  if (rows->empty()) return std::optional<TableShape>();
  TableShape shape;
  shape.table = &table;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    const auto kind = kind_of(rows->text(i, 1));
    if (!kind)
      return fail(Code::unsupported, fmt::format("the column {}.{} has a type that is not carried: {}", table.name,
                                                 rows->text(i, 0), rows->text(i, 1)));
    shape.columns.push_back({rows->text(i, 0), *kind});
  }
  std::sort(shape.columns.begin(), shape.columns.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  for (const auto name : table.key) {
    const auto found = std::find_if(shape.columns.begin(), shape.columns.end(),
                                    [name](const TableColumn& column) { return column.name == name; });
    if (found == shape.columns.end())
      return fail(Code::corrupt, fmt::format("the table {} has no column {}", table.name, name));
    shape.key.push_back(static_cast<std::size_t>(found - shape.columns.begin()));
  }
  return std::optional(std::move(shape));
}

Result<std::vector<Row>> read_page(Tx& tx, const TableShape& shape, const Row* after) {
  const std::string key = quoted_list(shape, &shape.key);
  std::string sql = fmt::format("SELECT {} FROM {}", quoted_list(shape), quoted(shape.table->name));
  Params params;
  if (after != nullptr) {
    sql += fmt::format(" WHERE ({}) > ({})", key, parameter_list(shape.key.size()));
    for (std::size_t i = 0; i < shape.key.size(); ++i)
      bind(params, parameter(i), shape.columns[shape.key[i]].kind, (*after)[shape.key[i]]);
  }
  sql += fmt::format(" ORDER BY {} LIMIT {}", key, kPageRows);
  auto rows = tx.run(interned_query(fmt::format("page_of_{}", shape.table->name), std::move(sql)), params);
  if (!rows) return fail(rows);
  std::vector<Row> out(rows->size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i].reserve(shape.columns.size());
    for (std::size_t c = 0; c < shape.columns.size(); ++c)
      out[i].push_back(read_cell(*rows, i, c, shape.columns[c].kind));
  }
  return out;
}

Result<void> insert_rows(Tx& tx, const TableShape& from, const TableShape& to, const std::vector<Row>& rows) {
  const auto same_name = [](const TableColumn& a, const TableColumn& b) { return a.name == b.name; };
  if (!std::equal(from.columns.begin(), from.columns.end(), to.columns.begin(), to.columns.end(), same_name))
    return fail(Code::invalid, fmt::format("the table {} has other columns in the two stores", from.table->name));
  std::string sql = fmt::format("INSERT INTO {} ({}) VALUES ({})", quoted(to.table->name), quoted_list(to),
                                parameter_list(to.columns.size()));
  const Query& query = interned_query(fmt::format("copy_into_{}", to.table->name), std::move(sql));
  std::vector<Params> sets(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t c = 0; c < to.columns.size(); ++c) bind(sets[i], parameter(c), to.columns[c].kind, rows[i][c]);
  }
  auto inserted = tx.run_many(query, sets);
  if (!inserted) return fail(inserted);
  return {};
}

void RowSum::add(const TableShape& shape, const Row& row) {
  Bytes text;
  append_sized(text, as_bytes(shape.table->name));
  for (std::size_t c = 0; c < shape.columns.size(); ++c) {
    const Cell& cell = row[c];
    if (std::holds_alternative<std::monostate>(cell)) continue;
    append_sized(text, as_bytes(shape.columns[c].name));
    if (const auto* number = std::get_if<std::int64_t>(&cell)) {
      text.push_back('i');
      append_number(text, static_cast<std::uint64_t>(*number));
    } else if (const auto* flag = std::get_if<bool>(&cell)) {
      text.push_back('i');
      append_number(text, *flag ? 1 : 0);
    } else if (const auto* word = std::get_if<std::string>(&cell)) {
      text.push_back('t');
      append_sized(text, as_bytes(*word));
    } else if (const auto* bytes = std::get_if<Bytes>(&cell)) {
      text.push_back('b');
      append_sized(text, *bytes);
    }
  }
  const Hash32 hash = crypto::sha256(text);
  unsigned carry = 0;
  for (std::size_t i = sum_.data.size(); i-- > 0;) {
    carry += static_cast<unsigned>(sum_.data[i]) + hash.data[i];
    sum_.data[i] = static_cast<std::uint8_t>(carry & 0xffU);
    carry >>= 8U;
  }
  ++rows_;
}

TableDigest RowSum::result(std::string_view table) const {
  return {std::string(table), rows_, to_hex(sum_.view())};
}

Result<std::vector<TableDigest>> digest_tables(Tx& tx, const Progress& done) {
  std::vector<TableDigest> out;
  for (const TableInfo& table : all_tables()) {
    if (table.is_local) continue;
    auto shape = read_shape(tx, table);
    if (!shape) return fail(shape);
    if (!*shape) continue;
    RowSum sum;
    std::optional<Row> last;
    for (bool more = true; more;) {
      auto page = read_page(tx, **shape, last ? &*last : nullptr);
      if (!page) return fail(page);
      for (const Row& row : *page) sum.add(**shape, row);
      more = static_cast<std::int64_t>(page->size()) == kPageRows;
      if (!page->empty()) last = std::move(page->back());
      if (done) done(table.name, sum.result(table.name).rows);
    }
    out.push_back(sum.result(table.name));
  }
  return out;
}

std::string compare_digests(const std::vector<TableDigest>& expected, const std::vector<TableDigest>& found) {
  std::map<std::string, const TableDigest*> by_name;
  for (const auto& each : found) by_name[each.table] = &each;
  for (const auto& each : expected) {
    const auto other = by_name.find(each.table);
    if (other == by_name.end()) return fmt::format("the table {} is missing", each.table);
    if (other->second->rows != each.rows)
      return fmt::format("the table {} has {} rows instead of {}", each.table, other->second->rows, each.rows);
    if (other->second->digest != each.digest)
      return fmt::format("the table {} has {} rows as it should, but other contents", each.table, each.rows);
    by_name.erase(other);
  }
  if (!by_name.empty()) return fmt::format("there is a table {} that was not there", by_name.begin()->first);
  return {};
}

Result<std::int64_t> schema_version(Tx& tx) {
  auto there = tx.run(kTableExists, Params().text("table", "agentauri_migrations"));
  if (!there) return fail(there);
  if (there->i64(0, 0) == 0) return 0;
  auto rows = tx.run(kSchemaVersion);
  if (!rows) return fail(rows);
  return rows->i64_or_null(0, 0).value_or(0);
}

}   // namespace agentauri::store
