// Invitations to register, the same on SQLite and PostgreSQL. An invitation is known by the SHA-256 of its text; the
// text itself is nowhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/ids.hpp"
#include "store/database.hpp"

namespace agentauri::domain {
using InvitationId = Id<struct InvitationTag>;
}

namespace agentauri::store {

struct Invitation {
  domain::InvitationId id;
  std::optional<std::string> email;   // as written; nullopt: for whoever holds the text
  Time created_at, expires_at;
  std::optional<domain::AccountId> created_by;   // nullopt: from the command line
  std::optional<Time> used_at;
  std::optional<domain::AccountId> used_by;
};

Result<void> insert_invitation(Tx& tx, const Invitation& invitation, const std::string& token_hash);
// Used and expired ones too.
Result<std::optional<Invitation>> find_invitation(Tx& tx, const std::string& token_hash);
// false when it was used already, has expired, or is gone: of two at once one gets it.
Result<bool> use_invitation(Tx& tx, domain::InvitationId id, domain::AccountId user, Time now);
// Newest first.
Result<std::vector<Invitation>> list_invitations(Tx& tx, std::int64_t limit);
// Takes an unused one back; false when there is none with this id.
Result<bool> delete_invitation(Tx& tx, domain::InvitationId id);
// Those that expired before `before`, used or not; at most `limit`. Returns how many went.
Result<std::int64_t> delete_old_invitations(Tx& tx, Time before, std::int64_t limit);

}   // namespace agentauri::store
