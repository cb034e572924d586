// The sessions of a user, as their user sees and ends them.
#pragma once

#include <string>
#include <vector>

#include "domain/principal.hpp"
#include "gateway/refusal.hpp"
#include "store/sessions.hpp"

namespace agentauri::gateway {

// Those that live, the one that was used last first. At most kMaxSessionsPerAccount.
Outcome<std::vector<store::Session>> list_sessions(store::Tx& tx, const domain::Principal& user, Time now);
// 404 for one that is somebody else's, has ended, or never was.
Outcome<domain::SessionId> end_session(store::Tx& tx, const domain::Principal& user, const std::string& id, Time now);

}   // namespace agentauri::gateway
