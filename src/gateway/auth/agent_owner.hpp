// Who owns an agent: `ownerOf` of its identity registry (protocols.md 1.8).
#pragma once

#include "core/async/task.hpp"
#include "core/base/number.hpp"
#include "gateway/chain_reader.hpp"
#include "gateway/refusal.hpp"

namespace agentauri::gateway {

// 404 agent_not_found when the registry knows no such agent; 503 verification_unavailable for everything that leaves
// the question open. Whom the owner has approved, and the wallet that the agent names for payments, are not owners.
Task<Outcome<Address>> read_agent_owner(ChainReader& chains, domain::ChainId chain, Address registry, Uint256 agent,
                                        ChainReader::Deadline deadline);

Bytes owner_of_call(const Uint256& agent);

}   // namespace agentauri::gateway
