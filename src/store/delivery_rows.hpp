// Rows of `jobs` as the API lists them. For the .cpp files of jobs only.
#pragma once

#include <cstdint>

#include "store/database.hpp"
#include "store/jobs.hpp"

namespace agentauri::store {

#define DELIVERY_COLUMNS                                                                                    \
  "id, action_id, action_type, kind, state, event_id, explanation, reason, orphaned, chain_id, block_num, " \
  "attempts, next_at, created_at, finished_at "

// With the attempts of each.
Result<DeliveryPage> read_deliveries(Tx& tx, const Rows& rows, std::int64_t total);

}   // namespace agentauri::store
