// How long deliveries wait for an attempt, for whoever watches.
#pragma once

#include <optional>

#include "core/base/time.hpp"
#include "store/database.hpp"

namespace agentauri::store {

// When the pending job that is due first is due: in the past or to come; nullopt: none is pending.
Result<std::optional<Time>> oldest_due_job(Tx& tx);

}   // namespace agentauri::store
