#include "gateway/link_watch.hpp"

#include <algorithm>

#include "gateway/auth/agent_owner.hpp"
#include "gateway/auth/wallet_signature.hpp"

namespace agentauri::gateway {

Task<Result<bool>> LinkWatch::check_one(store::AgentLink link) {
  const auto registry = parse_address(link.registry), wallet = parse_address(link.wallet_address);
  const auto agent = parse_uint256(link.agent_id);
  if (!registry || !wallet || !agent) co_return fail(Code::corrupt, "a link holds no address or no agent");
  const Time now = clock_.now();
  auto owner = co_await read_agent_owner(chains_, link.chain_id, *registry, *agent,
                                         std::chrono::steady_clock::now() + kChainTime);
  if (!owner && owner.error().status != 404) co_return fail(Code::unavailable, owner.error().why);
  const bool still_owns = owner && *owner == *wallet;
  auto done = co_await db_.transact<bool>(store::Priority::bulk,
                                          [id = link.id, still_owns, now](store::Tx& tx) -> Result<bool> {
                                            if (!still_owns)
                                              return store::revoke_agent_link(tx, id, "ownership_changed", now);
                                            if (auto noted = store::note_link_checked(tx, id, now); !noted)
                                              return fail(noted);
                                            return false;
                                          });
  if (done && *done)
    log_.info("an agent has another owner: its link ends",
              {{"chain", link.chain_id}, {"agent", link.agent_id}, {"organization", to_string(link.organization_id)}});
  co_return done;
}

Task<Result<std::int64_t>> LinkWatch::check_chain(domain::ChainId chain) {
  const Time before = clock_.now() - kLinkCheckInterval;
  auto links = co_await db_.snapshot<std::vector<store::AgentLink>>(
      [chain, before](store::Tx& tx) { return store::list_links_to_check(tx, chain, before, kLinksOfOneRound); },
      store::Priority::bulk);
  if (!links) co_return fail(links);
  // What failed before comes last, so that one agent that the node cannot answer for stands in nobody's way.
  std::partition(links->begin(), links->end(), [this](const auto& link) { return !failed_.contains(link.id); });
  std::int64_t ended = 0;
  for (const auto& link : *links) {
    if (co_await cancelled()) break;
    auto one = co_await check_one(link);
    if (one) {
      failed_.erase(link.id);
      if (*one) ++ended;
      continue;
    }
    failed_.insert(link.id);
    if (one.error().code != Code::unavailable) continue;
    log_.warn("owners of linked agents cannot be asked for; again in a minute", {{"text", one.error().text}});
    away_until_[chain] = clock_.now() + kChainRest;
    break;
  }
  co_return ended;
}

Task<Result<std::int64_t>> LinkWatch::check() {
  auto chains = co_await db_.snapshot<std::vector<domain::ChainId>>(
      [](store::Tx& tx) { return store::list_linked_chains(tx); }, store::Priority::bulk);
  if (!chains) co_return fail(chains);
  std::int64_t ended = 0;
  for (const auto chain : *chains) {
    if (!chains_.serves(chain) || away_until_[chain] > clock_.now()) continue;
    auto checked = co_await check_chain(chain);
    if (!checked) co_return fail(checked);
    ended += *checked;
  }
  co_return ended;
}

Task<void> LinkWatch::run() {
  while (co_await sleep_for(kLinkWatchInterval)) {
    const auto checked = co_await check();
    // Once per change: a database that is away is noticed by everybody.
    if (!checked && reads_) log_.warn("links of agents cannot be checked", {{"text", checked.error().text}});
    reads_ = checked.has_value();
  }
}

}   // namespace agentauri::gateway
