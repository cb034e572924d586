// What several benches do with a store.
#pragma once

#include <cstdint>
#include <memory>

#include "core/async/task.hpp"
#include "domain/ids.hpp"
#include "store/database.hpp"

namespace agentauri::bench {

// PostgreSQL as DB_HOST, DB_PORT, DB_NAME, DB_USER and DB_PASSWORD name it; ends the process when one of them is
// missing or the database cannot be had. Its schema is left as it is.
std::unique_ptr<store::Database> open_postgres(unsigned connections = 4);

// How many of the blocks 1 to `last` the ledger holds as read, of the contract that it holds least of. The gauge
// `indexer_coverage_gap_blocks` does not suffice: it leaves out what a reader has in hand.
Task<std::uint64_t> blocks_read(store::Database& db, domain::ChainId chain, std::uint64_t last);

}   // namespace agentauri::bench
