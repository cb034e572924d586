#include "gateway/use_cases/follows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "gateway/use_cases/trigger_parts.hpp"
#include "rules/action_secrets.hpp"
#include "store/organizations.hpp"

namespace agentauri::gateway {
namespace {

using domain::Registry;
using domain::Trigger;
using store::Follow;
using store::Tx;

constexpr std::string_view kMayNotFollow = "Insufficient permissions to follow agents";
constexpr std::string_view kMayNotUpdate = "Insufficient permissions to update follow";
constexpr std::string_view kMayNotUnfollow = "Insufficient permissions to unfollow agents";
constexpr std::string_view kNotFollowing = "Not following this agent";
constexpr std::array kRegistries{Registry::identity, Registry::reputation, Registry::validation};
constexpr std::int64_t kTryLater = 3600;   // s: a follow more fits only once another is gone

// Actions that passed every check, with their secrets in clear: each trigger gets its own copy.
using Actions = std::vector<CheckedAction>;

// `stored`: the current ones in clear, whose secrets `***` keeps, place by place.
Outcome<Actions> check_actions(const std::vector<ActionDraft>& drafts, const Actions& stored,
                               const net::AddressGuard& guard, Validation& validation) {
  Actions out;
  std::vector<rules::Warning> warnings;
  for (std::size_t i = 0; i < drafts.size(); ++i) {
    domain::Action base;
    if (i < stored.size()) base.config = json::dump(stored[i].config);
    ActionDraft draft = drafts[i];
    draft.priority = static_cast<std::int32_t>(i);
    out.push_back(
        check_action(draft, std::move(base), true, fmt::format("actions[{}].", i), guard, validation, warnings));
  }
  return out;
}

void check_count(const FollowDraft& draft, Validation& validation) {
  if (draft.actions && (draft.actions->empty() || draft.actions->size() > kMaxActionsPerFollow))
    validation.add("actions", "length",
                   fmt::format("Validation error: length [{{\"min\": 1, \"max\": {}}}]", kMaxActionsPerFollow));
}

// The organization is held first: follows of one organization are made and changed one after the other, so that its
// limits are exact.
Outcome<domain::OrganizationId> hold_organization_of(Tx& tx, const OrganizationContext& organization) {
  auto held = store::lock_organization(tx, organization.id);
  if (!held) return broken(held);
  if (!*held) return forbidden("Not a member of the specified organization");
  return organization.id;
}

Trigger make_trigger(const Follow& follow, Registry registry, bool enabled, Time now) {
  const std::string agent = to_string(follow.agent_id);
  Trigger out;
  out.id = domain::TriggerId::make(now);
  out.organization_id = follow.organization_id;
  out.account_id = follow.account_id;
  out.name = fmt::format("Follow Agent {} - {}", agent, to_string(registry));
  out.description =
      fmt::format("Auto-generated trigger for following agent {} on {} registry", agent, to_string(registry));
  out.chain_id = follow.chain_id;
  out.registry = registry;
  out.enabled = enabled;
  out.created_at = out.updated_at = now;
  return out;
}

// The signing secrets of the actions by place: all triggers of a follow sign with the same ones, so that a receiver
// verifies one.
struct SigningSecret {
  std::string text;
  bool is_new = true;   // its owner has not seen it yet
};
using Secrets = std::vector<std::optional<SigningSecret>>;

// The actions of one trigger, with the secrets that there are, else with new ones for this trigger and the next.
Outcome<void> write_actions(Tx& tx, domain::TriggerId trigger, const Actions& actions, const crypto::DataKeys& keys,
                            Time now, Secrets& secrets) {
  secrets.resize(actions.size());
  for (std::size_t i = 0; i < actions.size(); ++i) {
    CheckedAction own = actions[i];
    auto made = write_action(tx, trigger, own, keys, now);
    if (!made) return pass(made);
    if (!*made) continue;
    if (!secrets[i]) {
      secrets[i] = SigningSecret{std::move(**made), true};
      continue;
    }
    store::SigningSecrets shared;
    shared.current = keys.encrypt(secrets[i]->text, rules::signing_secret_aad(own.action.id));
    if (auto set = store::set_signing_secrets(tx, own.action.id, shared, now); !set) return broken(set);
  }
  return {};
}

Outcome<void> commit(Tx& tx, const Follow& follow, domain::TriggerId trigger, Time now) {
  auto committed = store::commit_edit(tx, follow.organization_id, trigger, now);
  if (!committed) return broken(committed);
  return {};
}

Outcome<void> add_part(Tx& tx, Follow& follow, Registry registry, bool enabled, const Actions& actions,
                       const crypto::DataKeys& keys, Time now, Secrets& secrets) {
  const Trigger trigger = make_trigger(follow, registry, enabled, now);
  if (auto made = store::insert_trigger(tx, trigger); !made) return broken(made);
  domain::Condition condition;
  condition.condition_type = "agent_id_equals";
  condition.field = "agent_id";
  condition.op = "=";
  condition.value = to_string(follow.agent_id);
  condition.created_at = now;
  if (auto made = store::insert_condition(tx, trigger.id, condition); !made) return broken(made);
  if (auto written = write_actions(tx, trigger.id, actions, keys, now, secrets); !written) return written;
  if (auto done = commit(tx, follow, trigger.id, now); !done) return done;
  const Follow::Part part{registry, trigger.id};
  if (auto made = store::insert_follow_part(tx, follow.id, part); !made) return broken(made);
  follow.parts.push_back(part);
  return {};
}

// What its triggers do: an action that several of them have alike is one.
Outcome<std::vector<FollowView::Action>> actions_of(Tx& tx, domain::FollowId follow) {
  auto stored = store::follow_actions(tx, follow);
  if (!stored) return broken(stored);
  struct Shown {
    FollowView::Action action;
    std::string masked;
    std::optional<Registry> matched_by;   // the trigger that had its like last
  };
  std::vector<Shown> out;
  for (auto& [registry, action] : *stored) {
    const auto parsed = json::parse(action.config);
    const std::string masked =
        parsed && parsed->is_object() ? json::dump(rules::mask_config(parsed->get_object())) : action.config;
    const auto like = std::find_if(out.begin(), out.end(), [&](const Shown& shown) {
      return shown.matched_by != registry && shown.action.type == action.type && shown.masked == masked;
    });
    if (like != out.end())
      like->matched_by = registry;
    else
      out.push_back({{action.type, std::move(action.config), std::nullopt}, masked, registry});
  }
  std::vector<FollowView::Action> actions;
  for (auto& shown : out) actions.push_back(std::move(shown.action));
  return actions;
}

Outcome<FollowView> view_of(Tx& tx, Follow follow) {
  auto actions = actions_of(tx, follow.id);
  if (!actions) return pass(actions);
  return FollowView{std::move(follow), std::move(*actions)};
}

// With the secrets that were made, place by place: where there are any, every trigger has just got these actions.
Outcome<FollowView> view_with(Tx& tx, const Follow& follow, const Secrets& secrets) {
  auto current = store::find_follow(tx, follow.organization_id, follow.chain_id, follow.agent_id);
  if (!current) return broken(current);
  if (!*current) return not_found(std::string(kNotFollowing));
  auto view = view_of(tx, std::move(**current));
  if (view && view->actions.size() == secrets.size()) {
    for (std::size_t i = 0; i < secrets.size(); ++i) {
      if (secrets[i] && secrets[i]->is_new) view->actions[i].secret = secrets[i]->text;
    }
  }
  return view;
}

// The follow with its triggers, all of them held: the triggers before the row, as whoever deletes one by hand does.
struct HeldFollow {
  Follow follow;
  std::vector<Trigger> triggers;   // as follow.parts
};
Outcome<HeldFollow> hold_follow(Tx& tx, domain::OrganizationId owner, domain::ChainId chain, const Uint256& agent) {
  auto seen = store::find_follow(tx, owner, chain, agent);
  if (!seen) return broken(seen);
  if (!*seen) return not_found(std::string(kNotFollowing));
  std::vector<domain::TriggerId> ids;
  for (const auto& part : (*seen)->parts) ids.push_back(part.trigger);
  std::sort(ids.begin(), ids.end());
  std::vector<Trigger> locked;
  for (const auto id : ids) {
    auto trigger = store::lock_trigger(tx, owner, id);
    if (!trigger) return broken(trigger);
    if (*trigger) locked.push_back(std::move(**trigger));
  }
  auto follow = store::lock_follow(tx, owner, chain, agent);
  if (!follow) return broken(follow);
  if (!*follow) return not_found(std::string(kNotFollowing));
  HeldFollow out{std::move(**follow), {}};
  for (const auto& part : out.follow.parts) {
    const auto found = std::find_if(locked.begin(), locked.end(), [&](const auto& t) { return t.id == part.trigger; });
    if (found != locked.end()) out.triggers.push_back(std::move(*found));
  }
  return out;
}

// What the first trigger does, in clear, as it would be given.
struct Current {
  Actions actions;
  Secrets secrets;
};
// `must`: fails where something does not decrypt; else that is left out, and only a `***` in its place would miss it.
Outcome<Current> current_actions(Tx& tx, const HeldFollow& held, const crypto::DataKeys& keys, bool must) {
  Current out;
  if (held.triggers.empty()) return out;
  for (const auto& action : held.triggers.front().actions) {
    CheckedAction copy;
    copy.action.type = action.type;
    copy.action.priority = action.priority;
    copy.is_new = copy.config_changed = true;
    const auto parsed = json::parse(action.config);
    auto clear = parsed && parsed->is_object()
                     ? rules::decrypt_config(parsed->get_object(), action.id, keys)
                     : Result<json::Object>(fail(Code::corrupt, "an action's configuration cannot be read"));
    if (!clear && must) return broken(clear);
    if (clear) copy.config = std::move(*clear);
    out.actions.push_back(std::move(copy));
    auto stored = store::read_signing_secrets(tx, action.id);
    if (!stored) return broken(stored);
    auto secret = stored->current ? keys.decrypt(*stored->current, rules::signing_secret_aad(action.id))
                                  : Result<std::string>(fail(Code::not_found, "there is none"));
    if (secret)
      out.secrets.emplace_back(SigningSecret{std::move(*secret), false});
    else
      out.secrets.emplace_back();
  }
  return out;
}

Outcome<void> replace_actions(Tx& tx, const Trigger& trigger, const Actions& actions, const crypto::DataKeys& keys,
                              Time now, Secrets& secrets) {
  for (const auto& action : trigger.actions) {
    if (auto deleted = store::delete_action(tx, trigger.id, action.id, now); !deleted) return broken(deleted);
  }
  return write_actions(tx, trigger.id, actions, keys, now, secrets);
}

Outcome<void> check_room(Tx& tx, domain::OrganizationId organization, std::int64_t wanted) {
  auto triggers = store::count_triggers(tx, organization, kMaxTriggersPerOrganization);
  if (!triggers) return broken(triggers);
  if (*triggers + wanted > kMaxTriggersPerOrganization)
    return bad_request(fmt::format("An organization has at most {} triggers", kMaxTriggersPerOrganization));
  return {};
}

}   // namespace

Outcome<FollowView> create_follow(Tx& tx, const Caller& caller, const ActionContext& context, const Uint256& agent,
                                  const FollowDraft& draft) {
  auto organization = require_role(tx, caller, domain::Role::member, kMayNotFollow);
  if (!organization) return pass(organization);
  Validation validation;
  validation.range("chain_id", draft.chain_id, 1, INT64_MAX);
  check_count(draft, validation);
  auto actions = check_actions(draft.actions.value_or(std::vector<ActionDraft>()), {}, context.guard, validation);
  if (!actions) return pass(actions);
  if (!validation.ok()) return std::unexpected(validation.refusal());

  auto owner = hold_organization_of(tx, *organization);
  if (!owner) return pass(owner);
  auto count = store::count_follows(tx, *owner, kMaxFollowsPerOrganization);
  if (!count) return broken(count);
  if (*count >= kMaxFollowsPerOrganization) {
    auto full = Refusal::make(429, "rate_limited",
                              fmt::format("Maximum {} follows per organization", kMaxFollowsPerOrganization));
    full.retry_after_s = kTryLater;
    return std::unexpected(std::move(full));
  }
  auto known = store::find_follow(tx, *owner, draft.chain_id, agent);
  if (!known) return broken(known);
  if (*known) return refuse(409, "already_following", "Already following this agent. Use PUT to update.");
  if (auto room = check_room(tx, *owner, kRegistries.size()); !room) return pass(room);

  Follow follow;
  follow.id = domain::FollowId::make(caller.now);
  follow.organization_id = *owner;
  follow.account_id = caller.principal.account;
  follow.agent_id = agent;
  follow.chain_id = draft.chain_id;
  follow.created_at = follow.updated_at = caller.now;
  if (auto made = store::insert_follow(tx, follow); !made) return broken(made);
  Secrets secrets;
  for (const auto registry : kRegistries) {
    auto added = add_part(tx, follow, registry, true, *actions, context.keys, caller.now, secrets);
    if (!added) return pass(added);
  }
  return view_with(tx, follow, secrets);
}

Outcome<FollowViews> list_follows(Tx& tx, const Caller& caller, const store::FollowFilter& filter,
                                  const PageBounds& page) {
  auto organization = resolve_organization(tx, caller);
  if (!organization) return pass(organization);
  if (auto checked = check_page(page); !checked) return pass(checked);
  auto rows = store::list_follows(tx, organization->id, filter, page.limit + 1, page.offset);
  if (!rows) return broken(rows);
  FollowViews out;
  out.total = rows->total;
  for (auto& row : rows->rows) {
    auto view = view_of(tx, std::move(row));
    if (!view) return pass(view);
    out.rows.push_back(std::move(*view));
  }
  return out;
}

Outcome<FollowView> update_follow(Tx& tx, const Caller& caller, const ActionContext& context, const Uint256& agent,
                                  const FollowDraft& draft) {
  auto organization = require_role(tx, caller, domain::Role::member, kMayNotUpdate);
  if (!organization) return pass(organization);
  Validation validation;
  check_count(draft, validation);
  if (!validation.ok()) return std::unexpected(validation.refusal());
  auto owner = hold_organization_of(tx, *organization);
  if (!owner) return pass(owner);
  auto held = hold_follow(tx, *owner, draft.chain_id, agent);
  if (!held) return pass(held);
  const auto missing = static_cast<std::int64_t>(kRegistries.size() - held->follow.parts.size());
  auto current = current_actions(tx, *held, context.keys, missing > 0 && !draft.actions);
  if (!current) return pass(current);
  Outcome<Actions> actions = current->actions;
  if (draft.actions) actions = check_actions(*draft.actions, current->actions, context.guard, validation);
  if (!actions) return pass(actions);
  if (!validation.ok()) return std::unexpected(validation.refusal());
  auto& follow = held->follow;
  if (auto room = check_room(tx, *owner, missing); missing > 0 && !room) return pass(room);

  // A receiver goes on verifying what it verified, place by place.
  Secrets secrets = std::move(current->secrets);
  const bool enabled = draft.enabled.value_or(follow.enabled);
  for (auto& trigger : held->triggers) {
    if (draft.enabled) trigger.enabled = *draft.enabled;
    trigger.updated_at = caller.now;
    if (auto updated = store::update_trigger(tx, trigger); !updated) return broken(updated);
    if (draft.actions) {
      auto replaced = replace_actions(tx, trigger, *actions, context.keys, caller.now, secrets);
      if (!replaced) return pass(replaced);
    }
    if (auto done = commit(tx, follow, trigger.id, caller.now); !done) return pass(done);
  }
  for (const auto registry : kRegistries) {
    const bool there = std::any_of(held->follow.parts.begin(), held->follow.parts.end(),
                                   [registry](const auto& part) { return part.registry == registry; });
    if (there) continue;
    auto added = add_part(tx, follow, registry, enabled, *actions, context.keys, caller.now, secrets);
    if (!added) return pass(added);
  }
  if (auto touched = store::touch_follow(tx, follow.id, caller.now); !touched) return broken(touched);
  return view_with(tx, follow, draft.actions ? secrets : Secrets());
}

Outcome<void> delete_follow(Tx& tx, const Caller& caller, const Uint256& agent, domain::ChainId chain) {
  auto organization = require_role(tx, caller, domain::Role::member, kMayNotUnfollow);
  if (!organization) return pass(organization);
  auto owner = hold_organization_of(tx, *organization);
  if (!owner) return pass(owner);
  auto held = hold_follow(tx, *owner, chain, agent);
  if (!held) return pass(held);
  for (const auto& trigger : held->triggers) {
    if (auto deleted = store::delete_trigger(tx, trigger, caller.now); !deleted) return broken(deleted);
  }
  if (auto deleted = store::delete_follow(tx, held->follow.id); !deleted) return broken(deleted);
  return {};
}

}   // namespace agentauri::gateway
