// Who may make an account: everybody, whoever holds an invitation, or nobody; and the invitations themselves.
//
// An invitation is a text that makes one account before it expires. Only its SHA-256 is kept.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/use_cases/accounts.hpp"
#include "store/invitations.hpp"

namespace agentauri::gateway {

inline constexpr std::string_view kInvitationPrefix = "inv_";
inline constexpr std::size_t kInvitationBytes = 47;   // with 43 base64url characters
inline constexpr int kDefaultInvitationDays = 7, kMaxInvitationDays = 365;
inline constexpr std::int64_t kMaxListedInvitations = 1000;

std::string_view to_string(GatewaySettings::Registration mode);

// 403 registration_closed.
std::unexpected<Refusal> registration_closed();
// 403 registration_closed, invitation_required, or invitation_invalid: unknown, used, expired, or for another address
// than `email`. Where registration is open an invitation is not looked at. For every way to make an account by oneself.
Outcome<void> check_may_register(store::Tx& tx, GatewaySettings::Registration mode,
                                 const std::optional<std::string>& invitation, const std::string& email, Time now);
// After check_may_register(), in the transaction that makes the account: of two at once one gets it.
Outcome<void> use_up_invitation(store::Tx& tx, GatewaySettings::Registration mode,
                                const std::optional<std::string>& invitation, domain::AccountId user, Time now);

// All of it: may they, account, invitation, session. The first of all becomes an administrator where the settings say
// so.
Outcome<SignedIn> register_user(store::Tx& tx, NewUser user, const std::string& password_hash,
                                const std::optional<std::string>& invitation, const GatewaySettings& settings,
                                const SessionIssuer& issuer, Time now, const ClientInfo& client);

struct NewInvitation {
  std::optional<std::string> email;
  int days = kDefaultInvitationDays;
  std::optional<domain::AccountId> by;   // nullopt: from the command line
};
struct MadeInvitation {
  store::Invitation invitation;
  std::string text;   // shown once
};
// 400 when the address is none, or days are out of [1, kMaxInvitationDays].
Outcome<MadeInvitation> invite(store::Tx& tx, const NewInvitation& wanted, Time now);
// 404 for one that is used or unknown.
Outcome<void> take_back_invitation(store::Tx& tx, const std::string& id);

}   // namespace agentauri::gateway
