#include "app/chain_roles.hpp"

#include <fmt/format.h>

#include "chain/chain_table.hpp"
#include "chain/evm/json_rpc_source.hpp"
#include "chain/indexer/follower.hpp"

namespace agentauri::app {
std::string chain_key(domain::ChainId id) {
  const auto* known = chain::find_known_chain(id);
  return known != nullptr ? std::string(known->key) : fmt::format("chain{}", id);
}

chain::Contracts contracts_of(const ChainSetting& setting) {
  const auto* known = chain::find_known_chain(setting.id);
  chain::Contracts out;
  if (known != nullptr) out = chain::official_contracts(known->testnet);
  if (setting.identity) out.identity = setting.identity;
  if (setting.reputation) out.reputation = setting.reputation;
  if (setting.validation) out.validation = setting.validation;
  return out;
}

std::string chain_name(domain::ChainId id) {
  const auto* known = chain::find_known_chain(id);
  return known != nullptr ? std::string(known->name) : fmt::format("Chain {}", id);
}

std::uint32_t chain_confirmations(const ChainSetting& setting) {
  if (setting.confirmations) return *setting.confirmations;
  const auto* known = chain::find_known_chain(setting.id);
  return known != nullptr ? known->confirmations : 0;
}

std::string chain_lease(domain::ChainId id) {
  return fmt::format("chain:{}", id);
}

Task<void> follow_chain(ChainRoleParts parts, ChainSetting setting) {
  static const Log log("indexer");
  const auto* known = chain::find_known_chain(setting.id);
  chain::JsonRpcSettings rpc;
  rpc.chain_id = setting.id;
  rpc.chain_name = chain_key(setting.id);
  rpc.urls = setting.rpc_urls;
  chain::JsonRpcSource source(parts.client, rpc, parts.metrics);
  for (;;) {
    const auto epoch = co_await parts.membership.hold(chain_lease(setting.id));
    if (!epoch) co_return;
    chain::FollowerSettings follow;
    follow.chain_id = setting.id;
    follow.name = chain_key(setting.id);
    follow.contracts = contracts_of(setting);
    follow.start_block = setting.start_block.value_or(known != nullptr ? known->start_block : 0);
    follow.epoch = *epoch;
    if (known != nullptr) follow.finality_depth = known->finality_depth;
    follow.fixed_poll = setting.poll_interval;
    chain::ChainFollower follower(source, parts.db, parts.clock, follow, parts.metrics, parts.on_commit);
    const auto ended = co_await follower.run();
    if (co_await cancelled()) co_return;
    log.warn("the chain is not followed here any more; taking its lease again",
             {{"chain", follow.name}, {"why", ended ? std::string() : ended.error().text}});
    if (!co_await sleep_for(std::chrono::seconds(1))) co_return;
  }
}

}   // namespace agentauri::app
