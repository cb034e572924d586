// The end of old jobs: what became of an alert is kept for a while, not for ever.
#pragma once

#include <cstdint>
#include <optional>

#include "domain/job.hpp"
#include "store/database.hpp"

namespace agentauri::store {

// How far a pass has come: jobs in the order in which they ended.
struct EndedJob {
  Time finished_at;
  domain::JobId id;
};
struct Forgotten {
  std::int64_t jobs = 0, attempts = 0;
  std::optional<EndedJob> last;   // where the next batch goes on; nullopt: there was nothing left
};

// Looks at up to `limit` jobs that ended before `before`, whatever their end, and deletes them with their attempts.
// Kept is a job whose block is among the last `undo_blocks` of its chain: should the block leave the chain and come
// back, the row is what keeps the alert from being made again. Several passes at once are harmless.
Result<Forgotten> forget_jobs(Tx& tx, Time before, std::uint64_t undo_blocks, const std::optional<EndedJob>& after,
                              std::size_t limit);

}   // namespace agentauri::store
