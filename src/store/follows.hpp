// Agents that organizations follow: a row, and up to three triggers that do the work. Whether a follow is enabled, and
// what it does, is what its triggers say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/trigger.hpp"
#include "store/database.hpp"

namespace agentauri::store {

struct Follow {
  struct Part {
    domain::Registry registry = domain::Registry::identity;
    domain::TriggerId trigger;
  };
  domain::FollowId id;
  domain::OrganizationId organization_id;
  domain::AccountId account_id;   // who made it
  Uint256 agent_id;
  domain::ChainId chain_id = 0;
  Time created_at, updated_at;
  bool enabled = true;       // of its triggers at least one is
  std::vector<Part> parts;   // the triggers that exist, in the order of the registries
};

// Code::conflict when the organization follows that agent already.
Result<void> insert_follow(Tx& tx, const Follow& follow);
Result<void> insert_follow_part(Tx& tx, domain::FollowId follow, const Follow::Part& part);
// nullopt when the organization does not follow it.
Result<std::optional<Follow>> find_follow(Tx& tx, domain::OrganizationId owner, domain::ChainId chain,
                                          const Uint256& agent);
// The same, held until the transaction ends. Triggers are locked before their follow.
Result<std::optional<Follow>> lock_follow(Tx& tx, domain::OrganizationId owner, domain::ChainId chain,
                                          const Uint256& agent);
Result<void> touch_follow(Tx& tx, domain::FollowId follow, Time now);
// The row alone: its triggers are deleted one by one, and the last takes it along (triggers.hpp).
Result<void> delete_follow(Tx& tx, domain::FollowId follow);
Result<std::int64_t> count_follows(Tx& tx, domain::OrganizationId owner, std::int64_t up_to);

struct FollowFilter {
  std::optional<domain::ChainId> chain_id;
  std::optional<bool> enabled;
};
struct FollowPage {
  std::vector<Follow> rows;
  std::int64_t total = 0;
};
// Newest first.
Result<FollowPage> list_follows(Tx& tx, domain::OrganizationId owner, const FollowFilter& filter, std::int64_t limit,
                                std::int64_t offset);

// What its triggers do, trigger by trigger in the order of the registries, by priority.
struct FollowAction {
  domain::Registry registry = domain::Registry::identity;
  domain::Action action;
};
Result<std::vector<FollowAction>> follow_actions(Tx& tx, domain::FollowId follow);

}   // namespace agentauri::store
