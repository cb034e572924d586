// Where the time of one alert went, from the rows that its way has left behind.
#pragma once

#include <optional>

#include "domain/job.hpp"
#include "store/database.hpp"

namespace agentauri::store {

struct LatencyBill {
  Time block_time;                    // of the block, whole seconds
  Time seen, handed_over;             // by the indexer: first sight, its logs read and given to the store
  Time matched;                       // by the engine: the block was durable before, the job is made
  Time sent;                          // by a worker: the attempt was durable, bytes leave right after
  std::optional<Time> acknowledged;   // the answer was there
};
// Of the job's first attempt; nullopt while there is none.
Result<std::optional<LatencyBill>> latency_of(Tx& tx, const domain::JobId& job);

}   // namespace agentauri::store
