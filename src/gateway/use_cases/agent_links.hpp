// Linking on-chain agents to organizations (protocols.md 1.7): a challenge that only this server issues, signed by the
// agent's owner. Plain functions over a transaction; signature and ownership are found out in between
// (auth/wallet_signature.hpp, auth/agent_owner.hpp).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/number.hpp"
#include "gateway/settings.hpp"
#include "gateway/use_cases/organization_context.hpp"
#include "gateway/use_cases/wallets.hpp"
#include "store/wallets.hpp"

namespace agentauri::gateway {

inline constexpr std::chrono::minutes kLinkNonceLife{5};
inline constexpr std::string_view kLinkPurpose = "agent_link";

// What somebody wants to link, and where.
struct LinkWish {
  Uint256 agent;
  domain::ChainId chain_id = 0;
  std::optional<Address> registry;   // of the chain as configured; nullopt: the chain has none, or is not served
  std::string organization;          // as sent
  std::string wallet;                // as sent
  Address address;                   // the same
};

// All of them: 404 when the organization is not the caller's, 403 below admin, 400 unsupported_chain.
Outcome<IssuedText> issue_link_challenge(store::Tx& tx, const Caller& caller, const GatewaySettings& settings,
                                         const LinkWish& wish);
// The nonce of a challenge that was issued for exactly this wish, as it was issued. 400 invalid_challenge, nonce_reused
// or challenge_expired.
Outcome<Uuid> check_link_challenge(store::Tx& tx, const Caller& caller, const GatewaySettings& settings,
                                   const LinkWish& wish, std::string_view challenge);
// The nonce is used up and the link is there. 409 already_linked. A link by a wallet that is not the owner any more, as
// the caller has just found out, gives way.
Outcome<store::AgentLink> link_agent(store::Tx& tx, const Caller& caller, const LinkWish& wish, const Uuid& nonce,
                                     const std::string& signature);

// Active ones, newest first.
Outcome<std::vector<store::AgentLink>> list_linked_agents(store::Tx& tx, const Caller& caller,
                                                          std::string_view organization);
// What is linked to another organization is not found, like what is linked to none.
Outcome<void> unlink_agent(store::Tx& tx, const Caller& caller, std::string_view organization, domain::ChainId chain,
                           const Uint256& agent);

}   // namespace agentauri::gateway
