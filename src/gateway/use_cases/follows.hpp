// Following an agent (http-api.md 7.11): one trigger for each registry, made, changed and removed as one.
//
// The triggers are ordinary ones, which their owners may edit and delete by hand. So a follow answers what they say as
// they are: it is enabled while one of them is, does what they do, and monitors as many registries as it has triggers.
// Every PUT makes the bundle whole again; with its last trigger the follow is gone.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/use_cases/triggers.hpp"
#include "store/follows.hpp"

namespace agentauri::gateway {

inline constexpr std::int64_t kMaxFollowsPerOrganization = 100;
inline constexpr std::size_t kMaxActionsPerFollow = 10;

struct FollowDraft {
  std::int64_t chain_id = 0;
  std::optional<bool> enabled;                       // of a PUT
  std::optional<std::vector<ActionDraft>> actions;   // of a PUT: the whole new list
};

struct FollowView {
  struct Action {
    domain::ActionType type = domain::ActionType::rest;
    std::string config;                  // as stored
    std::optional<std::string> secret;   // whsec_…, the same for all its triggers; only where it was just made
  };
  store::Follow follow;
  std::vector<Action> actions;
};
struct FollowViews {
  std::vector<FollowView> rows;
  std::int64_t total = 0;
};

Outcome<FollowView> create_follow(store::Tx& tx, const Caller& caller, const ActionContext& context,
                                  const Uint256& agent, const FollowDraft& draft);
Outcome<FollowViews> list_follows(store::Tx& tx, const Caller& caller, const store::FollowFilter& filter,
                                  const PageBounds& page);
Outcome<FollowView> update_follow(store::Tx& tx, const Caller& caller, const ActionContext& context,
                                  const Uint256& agent, const FollowDraft& draft);
Outcome<void> delete_follow(store::Tx& tx, const Caller& caller, const Uint256& agent, domain::ChainId chain);

}   // namespace agentauri::gateway
