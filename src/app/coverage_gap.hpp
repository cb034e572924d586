// What the coverage ledger leaves out.
#pragma once

#include <cstdint>
#include <vector>

#include "store/chain_log.hpp"

namespace agentauri::app {

// Blocks in [from, to] that some contract's ranges leave out; every block when there is no range at all.
std::uint64_t coverage_gap(std::uint64_t from, std::uint64_t to, const std::vector<store::CoverageRow>& ranges);

}   // namespace agentauri::app
