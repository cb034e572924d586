#include "store/store_copy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace agentauri::store {
namespace {

// The table exists only during a copy: these are not held against the schema.
const Query kCreate{Query::Unlisted{}, "store_copy_create",
                    "CREATE TABLE store_copy (table_name text PRIMARY KEY, row_count bigint NOT NULL, "
                    "digest text NOT NULL, copied bigint NOT NULL, last_key text)"};
const Query kDrop{Query::Unlisted{}, "store_copy_drop", "DROP TABLE store_copy"};
const Query kPlan{Query::Unlisted{}, "store_copy_plan",
                  "INSERT INTO store_copy (table_name, row_count, digest, copied) VALUES (:table, :rows, :digest, 0)"};
const Query kRead{Query::Unlisted{}, "store_copy_read",
                  "SELECT table_name, row_count, digest, copied, last_key FROM store_copy"};
const Query kAdvance{Query::Unlisted{}, "store_copy_advance",
                     "UPDATE store_copy SET copied = copied + :rows, last_key = :key "
                     "WHERE table_name = :table AND copied = :before"};
const Query kHalfCopied{"store_copy_exists",
                        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'store_copy'",
                        "SELECT count(*) FROM pg_catalog.pg_tables "
                        "WHERE schemaname = 'public' AND tablename = 'store_copy'"};
// A fresh schema holds these two.
const Query kUsedCounters{"store_copy_used_counters", "SELECT count(*) FROM counters WHERE value <> 0"};
const Query kClearCounters{"store_copy_clear_counters", "DELETE FROM counters"};

// The last number that the database gave, and the next one that it must not give again.
const Query kLastNumber{"store_copy_last_number",
                        "SELECT seq FROM sqlite_sequence WHERE name = :table AND :column IS NOT NULL",
                        "SELECT pg_sequence_last_value(CAST(pg_get_serial_sequence(CAST(:table AS text), "
                        "CAST(:column AS text)) AS regclass))"};
const Query kSetNumber{"store_copy_set_number",
                       "UPDATE sqlite_sequence SET seq = :number WHERE name = :table AND :column IS NOT NULL",
                       "SELECT setval(CAST(pg_get_serial_sequence(CAST(:table AS text), CAST(:column AS text)) AS "
                       "regclass), CAST(:number AS bigint))"};
// SQLite's row of a table that was never written to.
const Query kBeginNumber{Query::Unlisted{}, "store_copy_begin_number",
                         "INSERT INTO sqlite_sequence (name, seq) SELECT :table, 0 WHERE NOT EXISTS "
                         "(SELECT 1 FROM sqlite_sequence WHERE name = :table)"};

struct Step {
  TableDigest expected;
  std::int64_t copied = 0;
  std::optional<std::string> last_key;
};
using Plan = std::map<std::string, Step, std::less<>>;

// A primary key as text and back: what a resumed copy goes on behind.
std::string key_to_text(const TableShape& shape, const Row& row) {
  std::string out;
  for (const std::size_t place : shape.key) {
    const Cell& cell = row[place];
    if (!out.empty()) out += ' ';
    if (const auto* number = std::get_if<std::int64_t>(&cell))
      out += fmt::format("i{}", *number);
    else if (const auto* text = std::get_if<std::string>(&cell))
      out += "t" + to_hex(as_bytes(*text));
    else if (const auto* bytes = std::get_if<Bytes>(&cell))
      out += "b" + to_hex(*bytes);
  }
  return out;
}

Result<Row> key_from_text(const TableShape& shape, std::string_view text) {
  Row out(shape.columns.size());
  for (const std::size_t place : shape.key) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string word(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto bytes = word.empty() || word[0] == 'i' ? std::nullopt : from_hex(word.substr(1));
    if (word.starts_with('i'))
      out[place] = static_cast<std::int64_t>(std::stoll(word.substr(1)));
    else if (bytes && word[0] == 't')
      out[place] = std::string(as_text(*bytes));
    else if (bytes && word[0] == 'b')
      out[place] = *bytes;
    else
      return fail(Code::corrupt, fmt::format("store_copy holds no key of {}", shape.table->name));
  }
  return out;
}

Result<Plan> read_plan(Tx& tx) {
  auto rows = tx.run(kRead);
  if (!rows) return fail(rows);
  Plan plan;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    plan[rows->text(i, 0)] = {
        {rows->text(i, 0), rows->i64(i, 1), rows->text(i, 2)}, rows->i64(i, 3), rows->text_or_null(i, 4)};
  }
  return plan;
}

Result<void> must_be_empty(Tx& tx) {
  for (const auto& table : all_tables()) {
    if (table.is_local) continue;
    std::int64_t found = 0;
    if (table.name == "counters") {
      auto used = tx.run(kUsedCounters);
      if (!used) return fail(used);
      found = used->i64(0, 0);
    } else {
      auto some = tx.run(interned_query(fmt::format("any_of_{}", table.name),
                                        fmt::format("SELECT 1 FROM \"{}\" LIMIT 1", table.name)));
      if (!some) return fail(some);
      found = static_cast<std::int64_t>(some->size());
    }
    if (found > 0)
      return fail(Code::conflict, fmt::format("the target is not empty: there are rows in {}", table.name));
  }
  return {};
}

// Begins, or finds how far an earlier run came.
Result<Plan> make_plan(Tx& tx, const std::vector<TableDigest>& source) {
  auto half = is_half_copied(tx);
  if (!half) return fail(half);
  if (*half) {
    auto plan = read_plan(tx);
    if (!plan) return fail(plan);
    std::vector<TableDigest> planned;
    for (const auto& [name, step] : *plan) planned.push_back(step.expected);
    if (!compare_digests(planned, source).empty())
      return fail(Code::conflict,
                  "the target holds a part of a copy of another store, or of this one before it changed: begin with an "
                  "empty target");
    return plan;
  }
  if (auto empty = must_be_empty(tx); !empty) return fail(empty);
  if (auto cleared = tx.run(kClearCounters); !cleared) return fail(cleared);
  if (auto made = tx.run(kCreate); !made) return fail(made);
  for (const auto& each : source) {
    auto row = tx.run(kPlan, Params().text("table", each.table).i64("rows", each.rows).text("digest", each.digest));
    if (!row) return fail(row);
  }
  return read_plan(tx);
}

class Copy {
 public:
  Copy(Database& from, Database& to, const OnProgress& on_progress) : from_(from), to_(to), on_progress_(on_progress) {}

  Result<std::vector<TableDigest>> run() {
    auto source = digests(from_, CopyProgress::Phase::reading);
    if (!source) return source;
    auto plan = to_.transact_blocking<Plan>(Priority::bulk, [&](Tx& tx) { return make_plan(tx, *source); });
    if (!plan) return fail(plan);
    for (const auto& table : all_tables()) {
      const auto step = plan->find(table.name);
      if (table.is_local || step == plan->end()) continue;
      if (auto copied = copy_table(table, step->second); !copied) return fail(copied);
    }
    auto target = digests(to_, CopyProgress::Phase::comparing);
    if (!target) return target;
    if (const auto difference = compare_digests(*source, *target); !difference.empty())
      return fail(Code::corrupt, fmt::format("the copy is not what the source holds: {}", difference));
    if (auto ended = end(); !ended) return fail(ended);
    return target;
  }

 private:
  Result<std::vector<TableDigest>> digests(Database& db, CopyProgress::Phase phase) {
    return db.snapshot_blocking<std::vector<TableDigest>>(
        [&](Tx& tx) {
          return digest_tables(tx, [&](std::string_view table, std::int64_t rows) {
            if (on_progress_) on_progress_({phase, table, rows, 0});
          });
        },
        Priority::bulk);
  }

  static Result<TableShape> shape_in(Database& db, const TableInfo& table) {
    auto shape = db.snapshot_blocking<std::optional<TableShape>>([&](Tx& tx) { return read_shape(tx, table); });
    if (!shape) return fail(shape);
    if (!*shape)
      return fail(Code::invalid, fmt::format("the table {} is missing in the {} store", table.name, db.engine()));
    return std::move(**shape);
  }

  Result<void> copy_table(const TableInfo& table, Step step) {
    if (step.copied == step.expected.rows) return {};
    auto source = shape_in(from_, table);
    if (!source) return fail(source);
    auto target = shape_in(to_, table);
    if (!target) return fail(target);
    std::optional<Row> last;
    if (step.last_key) {
      auto key = key_from_text(*source, *step.last_key);
      if (!key) return fail(key);
      last = std::move(*key);
    }
    while (step.copied < step.expected.rows) {
      auto page = from_.snapshot_blocking<std::vector<Row>>(
          [&](Tx& tx) { return read_page(tx, *source, last ? &*last : nullptr); }, Priority::bulk);
      if (!page) return fail(page);
      if (page->empty())
        return fail(Code::conflict, fmt::format("the source has lost rows of {} since the copy began", table.name));
      last = page->back();
      if (auto written = write_page(*source, *target, *page, step, key_to_text(*source, *last)); !written)
        return written;
      step.copied += static_cast<std::int64_t>(page->size());
      if (on_progress_) on_progress_({CopyProgress::Phase::copying, table.name, step.copied, step.expected.rows});
    }
    return {};
  }

  Result<void> write_page(const TableShape& source, const TableShape& target, const std::vector<Row>& page,
                          const Step& step, const std::string& key) {
    return to_.transact_blocking<void>(Priority::bulk, [&](Tx& tx) -> Result<void> {
      auto advanced = tx.run(kAdvance, Params()
                                           .i64("rows", static_cast<std::int64_t>(page.size()))
                                           .text("key", key)
                                           .text("table", std::string(source.table->name))
                                           .i64("before", step.copied));
      if (!advanced) return fail(advanced);
      if (advanced->affected() != 1) return fail(Code::busy, "another copy into the same target is under way");
      return insert_rows(tx, source, target, page);
    });
  }

  // What the database numbers goes on where the source stopped, also when the last ones are deleted: an id that state
  // or deliveries refer to is not given again.
  Result<void> end() {
    std::vector<std::pair<const TableInfo*, std::int64_t>> numbers;
    for (const auto& table : all_tables()) {
      if (table.identity.empty()) continue;
      auto last = from_.query_blocking(
          kLastNumber, Params().text("table", std::string(table.name)).text("column", std::string(table.identity)));
      if (!last) return fail(last);
      if (!last->empty() && !last->is_null(0, 0) && last->i64(0, 0) > 0) numbers.emplace_back(&table, last->i64(0, 0));
    }
    const bool sqlite = to_.engine() == "sqlite";
    return to_.transact_blocking<void>(Priority::bulk, [&](Tx& tx) -> Result<void> {
      for (const auto& [table, number] : numbers) {
        if (sqlite) {
          auto begun = tx.run(kBeginNumber, Params().text("table", std::string(table->name)));
          if (!begun) return fail(begun);
        }
        auto set = tx.run(kSetNumber, Params()
                                          .text("table", std::string(table->name))
                                          .text("column", std::string(table->identity))
                                          .i64("number", number));
        if (!set) return fail(set);
      }
      auto dropped = tx.run(kDrop);
      if (!dropped) return fail(dropped);
      return {};
    });
  }

  Database& from_;
  Database& to_;
  const OnProgress& on_progress_;
};

}   // namespace

Result<bool> is_half_copied(Tx& tx) {
  auto rows = tx.run(kHalfCopied);
  if (!rows) return fail(rows);
  return rows->i64(0, 0) > 0;
}

Result<std::vector<TableDigest>> copy_store(Database& from, Database& to, const OnProgress& on_progress) {
  return Copy(from, to, on_progress).run();
}

}   // namespace agentauri::store
