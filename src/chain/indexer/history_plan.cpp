#include "chain/indexer/history_plan.hpp"

#include <algorithm>
#include <set>

namespace agentauri::chain {
namespace {

bool covers(const store::CoverageRow& row, const Address& contract, std::uint64_t num) {
  return row.contract == contract && row.from_block <= num && num <= row.to_block;
}

}   // namespace

std::deque<Gap> find_gaps(const std::vector<store::CoverageRow>& coverage, const std::vector<Address>& contracts,
                          std::uint64_t start, std::uint64_t end) {
  std::deque<Gap> out;
  if (start > end) return out;
  // Between two neighbouring borders nothing changes.
  std::set<std::uint64_t> borders{start};
  for (const auto& row : coverage) {
    if (row.from_block > start && row.from_block <= end) borders.insert(row.from_block);
    if (row.to_block >= start && row.to_block < end) borders.insert(row.to_block + 1);
  }
  for (auto border = borders.begin(); border != borders.end(); ++border) {
    const auto next = std::next(border);
    Gap gap{*border, next == borders.end() ? end : *next - 1, {}};
    for (const auto& contract : contracts) {
      const bool known = std::any_of(coverage.begin(), coverage.end(),
                                     [&](const auto& row) { return covers(row, contract, gap.from); });
      if (!known) gap.contracts.push_back(contract);
    }
    if (gap.contracts.empty()) continue;
    if (!out.empty() && out.back().to + 1 == gap.from && out.back().contracts == gap.contracts) {
      out.back().to = gap.to;
    } else {
      out.push_back(std::move(gap));
    }
  }
  return out;
}

std::optional<Gap> HistoryPlan::take(std::uint64_t blocks, std::uint64_t limit) {
  if (gaps_.empty() || gaps_.front().from > limit) return std::nullopt;
  Gap& first = gaps_.front();
  Gap out = first;
  out.to = std::min({first.to, limit, first.from + std::max<std::uint64_t>(blocks, 1) - 1});
  first.from = out.to + 1;
  if (first.from > first.to) gaps_.pop_front();
  ++in_hand_;
  return out;
}

void HistoryPlan::give_back(Gap gap) {
  --in_hand_;
  const auto place = std::find_if(gaps_.begin(), gaps_.end(), [&gap](const Gap& other) { return other.from > gap.to; });
  gaps_.insert(place, std::move(gap));
}

std::uint64_t HistoryPlan::blocks_left() const {
  std::uint64_t out = 0;
  for (const auto& gap : gaps_) out += gap.to - gap.from + 1;
  return out;
}

}   // namespace agentauri::chain
