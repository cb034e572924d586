// The indexer role for one chain: holds its lease, follows it, and takes the lease again when it was lost.
#pragma once

#include <functional>

#include "app/membership.hpp"
#include "app/settings.hpp"
#include "chain/evm/normalise.hpp"
#include "core/base/time.hpp"
#include "core/telemetry/metrics.hpp"
#include "net/http_client.hpp"
#include "store/database.hpp"

namespace agentauri::app {

// What following a chain needs; everything outlives the task.
struct ChainRoleParts {
  store::Database& db;
  const Clock& clock;
  Metrics& metrics;
  net::HttpClient& client;   // unguarded
  Membership& membership;
  std::function<void()> on_commit;
};
// Whoever holds it follows the chain; its epoch is the chain's.
std::string chain_lease(domain::ChainId id);
Task<void> follow_chain(ChainRoleParts parts, ChainSetting chain);

// The work of `agentauri chain rewind`: the chain's head goes back to the newest known block at or below `to`, and the
// chain is "ok" again. Whoever follows it meets a new epoch, gives up, and takes it up from there. Returns that block.
// Refused where alerts from before `kept_since` may be forgotten, since they would be sent again.
Result<std::uint64_t> take_chain_back(store::Tx& tx, domain::ChainId chain, std::uint64_t to, Time kept_since,
                                      Time now);

std::string chain_name(domain::ChainId id);
std::string chain_key(domain::ChainId id);   // label of metrics
// The official ones where the chain is known, and what the operator says instead.
chain::Contracts contracts_of(const ChainSetting& chain);
std::uint32_t chain_confirmations(const ChainSetting& chain);

}   // namespace agentauri::app
