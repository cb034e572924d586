#include "app/coverage_gap.hpp"

#include <algorithm>
#include <map>

namespace agentauri::app {

std::uint64_t coverage_gap(std::uint64_t from, std::uint64_t to, const std::vector<store::CoverageRow>& ranges) {
  if (to < from) return 0;
  std::map<Address, std::vector<std::pair<std::uint64_t, std::uint64_t>>> by_contract;
  for (const auto& range : ranges) by_contract[range.contract].emplace_back(range.from_block, range.to_block);
  std::uint64_t worst = by_contract.empty() ? to - from + 1 : 0;
  for (auto& [contract, list] : by_contract) {
    std::sort(list.begin(), list.end());
    std::uint64_t covered = 0;
    std::uint64_t next = from;
    for (const auto& [first, last] : list) {
      const std::uint64_t begin = std::max(first, next);
      const std::uint64_t end = std::min(last, to);
      if (end < begin) continue;
      covered += end - begin + 1;
      next = end + 1;
    }
    worst = std::max(worst, to - from + 1 - covered);
  }
  return worst;
}

}   // namespace agentauri::app
