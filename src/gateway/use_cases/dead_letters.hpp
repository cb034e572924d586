// Deliveries of a trigger that have died (pipeline.md 7.4): shown, sent again under the same id, put away.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/use_cases/triggers.hpp"
#include "store/dead_jobs.hpp"

namespace agentauri::gateway {

inline constexpr std::int64_t kMaxReplays = 500;   // of one request

struct ReplayOutcome {
  struct Skipped {
    domain::JobId job;
    std::string why;
  };
  std::vector<domain::JobId> replayed;
  std::vector<Skipped> skipped;
  std::int64_t left = 0;   // dead ones that are still there
};

Outcome<store::DeliveryPage> list_dead_letters(store::Tx& tx, const Caller& caller, std::string_view trigger,
                                               const PageBounds& page);
// `id`: of a delivery, or of an event whose deliveries are meant. 404 when nothing dead has it; 409 `conflict` when
// none of them can be sent, which says why.
Outcome<ReplayOutcome> replay_dead_letter(store::Tx& tx, const Caller& caller, std::string_view trigger,
                                          std::string_view id);
// Up to `limit` of those that can be sent, the first to die first.
Outcome<ReplayOutcome> replay_dead_letters(store::Tx& tx, const Caller& caller, std::string_view trigger,
                                           std::int64_t limit);
// Returns how many. `id`: as above; nullopt: up to kMaxReplays of them.
Outcome<std::int64_t> purge_dead_letters(store::Tx& tx, const Caller& caller, std::string_view trigger,
                                         const std::optional<std::string>& id);

}   // namespace agentauri::gateway
