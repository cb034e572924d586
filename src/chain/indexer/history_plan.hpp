// What the coverage ledger leaves out, as work: ranges with the contracts whose logs are missing there. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "core/base/bytes.hpp"
#include "store/chain_log.hpp"

namespace agentauri::chain {

struct Gap {
  std::uint64_t from = 0, to = 0;
  std::vector<Address> contracts;
  bool operator==(const Gap&) const = default;
};

// The parts of [start, end] that some contract's ranges leave out, ascending, without overlap.
std::deque<Gap> find_gaps(const std::vector<store::CoverageRow>& coverage, const std::vector<Address>& contracts,
                          std::uint64_t start, std::uint64_t end);

// Work that several readers take from and give back to.
class HistoryPlan {
 public:
  explicit HistoryPlan(std::deque<Gap> gaps) : gaps_(std::move(gaps)) {}

  // Up to `blocks` blocks that are not above `limit`; nullopt when there are none.
  std::optional<Gap> take(std::uint64_t blocks, std::uint64_t limit);
  // What could not be done.
  void give_back(Gap gap);
  void done() { --in_hand_; }

  bool complete() const { return gaps_.empty() && in_hand_ == 0; }
  std::uint64_t blocks_left() const;

 private:
  std::deque<Gap> gaps_;
  unsigned in_hand_ = 0;
};

}   // namespace agentauri::chain
