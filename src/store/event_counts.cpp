#include "store/event_counts.hpp"

#include <algorithm>
#include <array>

namespace agentauri::store {
namespace {

// Blocks of one look: enough to make few of them, and a statement that is planned once.
constexpr std::array<std::string_view, 16> kNames{"h0", "h1", "h2",  "h3",  "h4",  "h5",  "h6",  "h7",
                                                  "h8", "h9", "h10", "h11", "h12", "h13", "h14", "h15"};
const Query kCountOfBlocks{"event_count_of_blocks",
                           "SELECT event_type, count(*) FROM events WHERE chain_id = :chain AND canonical = :yes AND "
                           "block_hash IN (:h0, :h1, :h2, :h3, :h4, :h5, :h6, :h7, :h8, :h9, :h10, :h11, :h12, :h13, "
                           ":h14, :h15) GROUP BY event_type"};
const Query kChange{"event_counts_change",
                    "INSERT INTO event_counts (chain_id, event_type, count) VALUES (:chain, :type, :change) "
                    "ON CONFLICT (chain_id, event_type) DO UPDATE SET count = event_counts.count + :change"};
const Query kList{"event_counts_list",
                  "SELECT chain_id, event_type, count FROM event_counts WHERE count > 0 "
                  "ORDER BY chain_id, count DESC, event_type"};

}   // namespace

Result<TypeCounts> count_canonical_events(Tx& tx, domain::ChainId chain, const std::vector<Hash32>& blocks) {
  TypeCounts out;
  for (std::size_t first = 0; first < blocks.size(); first += kNames.size()) {
    Params params;
    params.i64("chain", chain).boolean("yes", true);
    // What is left over names the last one again, which changes no count.
    for (std::size_t i = 0; i < kNames.size(); ++i)
      params.blob(kNames[i], blocks[std::min(first + i, blocks.size() - 1)].view());
    auto rows = tx.run(kCountOfBlocks, params);
    if (!rows) return fail(rows);
    for (std::size_t i = 0; i < rows->size(); ++i) out[rows->text(i, 0)] += rows->i64(i, 1);
  }
  return out;
}

Result<void> change_event_counts(Tx& tx, domain::ChainId chain, const TypeCounts& before, const TypeCounts& after) {
  TypeCounts changes = after;
  for (const auto& [type, count] : before) changes[type] -= count;
  std::vector<Params> rows;
  for (const auto& [type, change] : changes) {
    if (change != 0) rows.push_back(Params().i64("chain", chain).text("type", type).i64("change", change));
  }
  if (rows.empty()) return {};
  auto changed = tx.run_many(kChange, rows);
  if (!changed) return fail(changed);
  return {};
}

Result<std::vector<EventCount>> list_event_counts(Tx& tx) {
  auto rows = tx.run(kList);
  if (!rows) return fail(rows);
  std::vector<EventCount> out;
  for (std::size_t i = 0; i < rows->size(); ++i) out.push_back({rows->i64(i, 0), rows->text(i, 1), rows->i64(i, 2)});
  return out;
}

}   // namespace agentauri::store
