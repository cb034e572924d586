#include "store/coverage.hpp"

#include <algorithm>
#include <string>

namespace agentauri::store {
namespace {

using domain::ChainId;

constexpr std::string_view kHeaderChecked = "header_checked", kProviderTrusted = "provider_trusted";

const Query kList{"coverage_list",
                  "SELECT contract, from_block, to_block, level FROM coverage WHERE chain_id = :chain "
                  "ORDER BY contract, from_block"};
// The usual case in one statement: the next blocks of the same level, with nothing known about them yet.
const Query kExtend{
    "coverage_extend",
    "UPDATE coverage SET to_block = :to WHERE chain_id = :chain AND contract = :contract "
    "AND to_block = :from - 1 AND level = :level AND NOT EXISTS (SELECT 1 FROM coverage o "
    "WHERE o.chain_id = :chain AND o.contract = :contract AND o.from_block >= :from AND o.from_block <= :to + 1)"};
const Query kNear{"coverage_near",
                  "SELECT from_block, to_block, level FROM coverage WHERE chain_id = :chain AND contract = :contract "
                  "AND from_block <= :to + 1 AND to_block >= :from - 1 ORDER BY from_block"};
const Query kDropNear{"coverage_drop_near",
                      "DELETE FROM coverage WHERE chain_id = :chain AND contract = :contract "
                      "AND from_block <= :to + 1 AND to_block >= :from - 1"};
const Query kAdd{"coverage_add",
                 "INSERT INTO coverage (chain_id, contract, from_block, to_block, level) "
                 "VALUES (:chain, :contract, :from, :to, :level)"};
const Query kDropAbove{"coverage_drop_above", "DELETE FROM coverage WHERE chain_id = :chain AND from_block > :num"};
const Query kCutAbove{"coverage_cut_above",
                      "UPDATE coverage SET to_block = :num WHERE chain_id = :chain AND to_block > :num"};

struct Range {
  std::int64_t from = 0, to = 0;
  std::string level;
};

Params range_params(ChainId chain, const Address& contract, const Range& range) {
  return Params()
      .i64("chain", chain)
      .blob("contract", contract.view())
      .i64("from", range.from)
      .i64("to", range.to)
      .text("level", range.level);
}

Result<std::vector<Range>> read_near(Tx& tx, ChainId chain, const Address& contract, const Range& range) {
  auto rows = tx.run(kNear, range_params(chain, contract, range));
  if (!rows) return fail(rows);
  std::vector<Range> out;
  for (std::size_t i = 0; i < rows->size(); ++i) out.push_back({rows->i64(i, 0), rows->i64(i, 1), rows->text(i, 2)});
  return out;
}

// What is left of `known` outside of `range`, with `range` in it, neighbours of one level joined.
std::vector<Range> joined(const std::vector<Range>& known, const Range& range) {
  std::vector<Range> pieces{range};
  for (const auto& old : known) {
    if (old.from < range.from) pieces.push_back({old.from, std::min(old.to, range.from - 1), old.level});
    if (old.to > range.to) pieces.push_back({std::max(old.from, range.to + 1), old.to, old.level});
  }
  std::sort(pieces.begin(), pieces.end(), [](const Range& a, const Range& b) { return a.from < b.from; });
  std::vector<Range> out;
  for (auto& piece : pieces) {
    if (!out.empty() && out.back().to + 1 == piece.from && out.back().level == piece.level) {
      out.back().to = piece.to;
    } else {
      out.push_back(std::move(piece));
    }
  }
  return out;
}

Result<void> replace_range(Tx& tx, ChainId chain, const Address& contract, const std::vector<Range>& known,
                           const Range& range) {
  if (auto dropped = tx.run(kDropNear, range_params(chain, contract, range)); !dropped) return fail(dropped);
  std::vector<Params> rows;
  for (const auto& piece : joined(known, range)) rows.push_back(range_params(chain, contract, piece));
  if (auto added = tx.run_many(kAdd, rows); !added) return fail(added);
  return {};
}

}   // namespace

Result<void> cover(Tx& tx, ChainId chain, const Coverage& coverage, std::uint64_t from, std::uint64_t to) {
  const Range range{static_cast<std::int64_t>(from), static_cast<std::int64_t>(to),
                    std::string(coverage.header_checked ? kHeaderChecked : kProviderTrusted)};
  for (const auto& contract : coverage.contracts) {
    auto extended = tx.run(kExtend, range_params(chain, contract, range));
    if (!extended) return fail(extended);
    if (extended->affected() > 0) continue;
    auto known = read_near(tx, chain, contract, range);
    if (!known) return fail(known);
    if (auto replaced = replace_range(tx, chain, contract, *known, range); !replaced) return replaced;
  }
  return {};
}

Result<void> settle_coverage(Tx& tx, ChainId chain, const std::vector<Address>& contracts, std::uint64_t from,
                             std::uint64_t to) {
  for (const auto& contract : contracts) {
    Range range{static_cast<std::int64_t>(from), static_cast<std::int64_t>(to), std::string(kHeaderChecked)};
    auto known = read_near(tx, chain, contract, range);
    if (!known) return fail(known);
    // Only what is covered whole is settled: a hole must stay one.
    std::int64_t next = range.from;
    int parts = 0;
    for (const auto& old : *known) {
      if (old.to < range.from || old.from > range.to) continue;
      if (old.from > next) break;
      next = std::max(next, old.to + 1);
      ++parts;
      if (old.level == kProviderTrusted) range.level = kProviderTrusted;
    }
    if (next <= range.to || parts < 2) continue;
    if (auto replaced = replace_range(tx, chain, contract, *known, range); !replaced) return replaced;
  }
  return {};
}

Result<void> cut_coverage(Tx& tx, ChainId chain, std::uint64_t num) {
  const auto params = Params().i64("chain", chain).i64("num", static_cast<std::int64_t>(num));
  if (auto dropped = tx.run(kDropAbove, params); !dropped) return fail(dropped);
  if (auto cut = tx.run(kCutAbove, params); !cut) return fail(cut);
  return {};
}

Result<std::vector<CoverageRow>> read_coverage(Tx& tx, ChainId chain) {
  auto rows = tx.run(kList, Params().i64("chain", chain));
  if (!rows) return fail(rows);
  std::vector<CoverageRow> out;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    out.push_back({rows->fixed<20>(i, 0), static_cast<std::uint64_t>(rows->i64(i, 1)),
                   static_cast<std::uint64_t>(rows->i64(i, 2)), rows->text(i, 3)});
  }
  return out;
}

}   // namespace agentauri::store
