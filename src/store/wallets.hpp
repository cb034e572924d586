// Wallets: texts issued for signing, identities of accounts, agents linked to organizations; the same on SQLite and
// PostgreSQL.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/ids.hpp"
#include "store/database.hpp"

namespace agentauri::store {

// --- nonces ----------------------------------------------------------------------------------------------------------

// So many bad signatures make a nonce void.
inline constexpr std::int64_t kNonceAttempts = 5;

struct Nonce {
  Uuid nonce;
  std::string purpose;   // login, agent_link
  std::string address;   // lower-case
  domain::ChainId chain_id = 1;
  std::string message;   // as issued
  Time created_at, expires_at;
  std::int64_t attempts = 0;   // bad signatures so far
  std::optional<Time> used_at = std::nullopt;
};
Result<void> insert_nonce(Tx& tx, const Nonce& nonce);
// nullopt: unknown, of another purpose, or forgotten. Whether it is still good is for the caller to say.
Result<std::optional<Nonce>> find_nonce(Tx& tx, const Uuid& nonce, std::string_view purpose);
// One bad signature.
Result<void> count_nonce_attempt(Tx& tx, const Uuid& nonce);
// false: somebody else was first, or it has expired or become void meanwhile.
Result<bool> consume_nonce(Tx& tx, const Uuid& nonce, Time now);
// Expired before `before`; at most `limit`. Returns how many went.
Result<std::int64_t> delete_old_nonces(Tx& tx, Time before, std::int64_t limit);

// --- identities ------------------------------------------------------------------------------------------------------

inline constexpr std::string_view kWalletProvider = "wallet";

struct Identity {
  Uuid id;
  domain::AccountId account_id;
  std::string provider, provider_user_id;
  std::optional<std::string> wallet_address;   // lower-case
  std::optional<domain::ChainId> chain_id;
  std::optional<std::string> display_name;
  Time created_at;
};
// Code::conflict when that identity belongs to an account already.
Result<void> insert_identity(Tx& tx, const Identity& identity);
Result<std::optional<domain::AccountId>> find_identity(Tx& tx, std::string_view provider, const std::string& user_id);
Result<void> touch_identity(Tx& tx, std::string_view provider, const std::string& user_id, Time now);
// Oldest first.
Result<std::vector<Identity>> list_identities(Tx& tx, domain::AccountId account);

// --- agents of organizations -----------------------------------------------------------------------------------------

struct AgentLink {
  Uuid id;
  domain::ChainId chain_id = 0;
  std::string registry;   // lower-case
  std::string agent_id;   // uint256, decimal
  domain::OrganizationId organization_id;
  std::string wallet_address;   // as sent
  domain::AccountId linked_by;
  std::string signature;
  std::string status = "active";
  Time created_at;
};
// Code::conflict while an active link of the same agent exists.
Result<void> insert_agent_link(Tx& tx, const AgentLink& link);
// Of whichever organization.
Result<std::optional<AgentLink>> find_active_link(Tx& tx, domain::ChainId chain, const std::string& registry,
                                                  const std::string& agent_id);
// Of this organization, in whichever registry of the chain; the newest where there are several.
Result<std::optional<AgentLink>> find_link_of_organization(Tx& tx, domain::OrganizationId organization,
                                                           domain::ChainId chain, const std::string& agent_id);
// false: it was not active any more.
Result<bool> revoke_agent_link(Tx& tx, const Uuid& id, std::string_view reason, Time now);
// Active ones, newest first.
Result<std::vector<AgentLink>> list_agent_links(Tx& tx, domain::OrganizationId organization);

// Active ones whose owner must be asked for: not checked since `before`, or the events of the chain, as they came in
// since, say that the agent went to somebody else. The longest unchecked first. Of one chain, since a chain that does
// not answer must not keep the links of the others waiting.
Result<std::vector<AgentLink>> list_links_to_check(Tx& tx, domain::ChainId chain, Time before, std::int64_t limit);
// Those with active links.
Result<std::vector<domain::ChainId>> list_linked_chains(Tx& tx);
Result<void> note_link_checked(Tx& tx, const Uuid& id, Time now);

}   // namespace agentauri::store
