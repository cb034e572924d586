// Who gets the next attempts: due jobs, in order, shared out among receivers and organizations. Pure.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "store/jobs.hpp"

namespace agentauri::store {

struct Shares {
  std::vector<std::size_t> chosen;                      // places in `due`, in its order
  std::vector<std::pair<std::size_t, Time>> put_back;   // place, and when it is due again
  std::map<LaneKey, Time> lane_slots;
  std::map<domain::OrganizationId, Time> organization_slots;
};

// `due`: the lanes of due jobs in the order in which they are served. `more`: others wait behind them, so what finds no
// room, and will not find it soon, makes way.
Shares share_out(std::span<const LaneKey> due, const ClaimRoom& room, std::size_t limit, bool more, Time now);

}   // namespace agentauri::store
