// Agents that an organization follows.
#include <fmt/format.h>

#include "gateway/api/handler_parts.hpp"
#include "gateway/api/render.hpp"
#include "gateway/api/render_parts.hpp"
#include "gateway/api/routes.hpp"
#include "gateway/use_cases/follows.hpp"
#include "rules/action_secrets.hpp"

namespace agentauri::gateway::handlers {
namespace {

using namespace render_parts;

constexpr std::uint64_t kMaxExact = (1ULL << 53) - 1;   // what every JSON reader keeps exact

Outcome<Uint256> path_agent(const Request& request) {
  const auto agent = parse_uint256(request.params[0]);
  if (!agent) return not_found("the agent id in the path is not a whole number below 2^256");
  return *agent;
}

Outcome<std::vector<ActionDraft>> read_actions(const json::Array& items) {
  std::vector<ActionDraft> out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!items[i].is_object())
      return bad_request(fmt::format("Json deserialize error: actions[{}] must be an object", i));
    auto draft = read_action_draft(items[i].get_object(), true, fmt::format("actions[{}].", i));
    if (!draft) return pass(draft);
    out.push_back(std::move(*draft));
  }
  return out;
}

Outcome<FollowDraft> read_draft(const net::HttpRequest& http, bool is_new) {
  auto body = read_body(http);
  if (!body) return pass(body);
  BodyReader reader(*body);
  FollowDraft out;
  const auto* actions = reader.array("actions");
  if (is_new) {
    const auto chain = reader.integer("chain_id", INT64_MIN, INT64_MAX);
    reader.require("chain_id", chain.has_value());
    reader.require("actions", actions != nullptr);
    out.chain_id = chain.value_or(0);
  } else {
    out.enabled = reader.flag("enabled");
  }
  if (reader.refusal()) return std::unexpected(*reader.refusal());
  if (actions == nullptr) return out;
  auto drafts = read_actions(*actions);
  if (!drafts) return pass(drafts);
  out.actions = std::move(*drafts);
  return out;
}

Outcome<domain::ChainId> query_chain(const Request& request) {
  QueryReader query(request.http.query);
  const auto chain = query.integer({"chain_id"});
  if (query.refusal()) return std::unexpected(*query.refusal());
  if (!chain) return bad_request("Query deserialize error: missing field `chain_id`");
  return *chain;
}

json::Value render_agent(const Uint256& agent) {
  const auto small = agent.to_u64();
  if (small && *small <= kMaxExact) return json::Value(*small);
  return text(to_string(agent));
}

json::Object render_follow(const FollowView& view) {
  const auto& follow = view.follow;
  json::Array actions;
  for (const auto& action : view.actions) {
    json::Object row;
    row["action_type"] = text(to_string(action.type));
    auto config = json::parse(action.config);
    row["config_preview"] =
        config && config->is_object() ? rules::mask_config(std::move(config->get_object())) : json::Object();
    if (action.secret) row["signing_secret"] = text(*action.secret);
    actions.push_back(std::move(row));
  }
  json::Object out;
  out["id"] = text(to_string(follow.id));
  out["agent_id"] = render_agent(follow.agent_id);
  out["chain_id"] = follow.chain_id;
  out["organization_id"] = text(to_string(follow.organization_id));
  out["enabled"] = follow.enabled;
  out["registries_monitored"] = follow.parts.size();
  out["actions"] = std::move(actions);
  out["created_at"] = time(follow.created_at);
  out["updated_at"] = time(follow.updated_at);
  return out;
}

json::Object render_trigger_ids(const store::Follow& follow) {
  json::Object out;
  for (const auto& part : follow.parts) out[to_string(part.registry)] = text(to_string(part.trigger));
  return out;
}

}   // namespace

Outcome<Unit> create_follow(const Services& services, const Request& request) {
  auto agent = path_agent(request);
  if (!agent) return pass(agent);
  auto draft = read_draft(request.http, true);
  if (!draft) return pass(draft);
  return unit_of(true, "Failed to create follow record",
                 [caller = request.caller(services.clock), context = services.actions, agent = *agent,
                  draft = std::move(*draft)](store::Tx& tx) -> Outcome<Reply> {
                   auto made = gateway::create_follow(tx, caller, context, agent, draft);
                   if (!made) return pass(made);
                   auto data = render_follow(*made);
                   data["trigger_ids"] = render_trigger_ids(made->follow);
                   return reply_with(wrap(std::move(data)), 201);
                 });
}

Outcome<Unit> list_follows(const Services& services, const Request& request) {
  QueryReader query(request.http.query);
  store::FollowFilter filter;
  filter.chain_id = query.integer({"chain_id"});
  filter.enabled = query.flag("enabled");
  const auto page = query.page();
  if (query.refusal()) return std::unexpected(*query.refusal());
  return unit_of(false, "Failed to list follows",
                 [caller = request.caller(services.clock), filter, page](store::Tx& tx) -> Outcome<Reply> {
                   auto rows = gateway::list_follows(tx, caller, filter, page);
                   if (!rows) return pass(rows);
                   return reply_with(render_page(rows->rows, rows->total, page, render_follow));
                 });
}

Outcome<Unit> update_follow(const Services& services, const Request& request) {
  auto agent = path_agent(request);
  if (!agent) return pass(agent);
  auto chain = query_chain(request);
  if (!chain) return pass(chain);
  auto draft = read_draft(request.http, false);
  if (!draft) return pass(draft);
  draft->chain_id = *chain;
  return unit_of(true, "Failed to update follow",
                 [caller = request.caller(services.clock), context = services.actions, agent = *agent,
                  draft = std::move(*draft)](store::Tx& tx) -> Outcome<Reply> {
                   auto updated = gateway::update_follow(tx, caller, context, agent, draft);
                   if (!updated) return pass(updated);
                   return reply_with(wrap(render_follow(*updated)));
                 });
}

Outcome<Unit> delete_follow(const Services& services, const Request& request) {
  auto agent = path_agent(request);
  if (!agent) return pass(agent);
  auto chain = query_chain(request);
  if (!chain) return pass(chain);
  return unit_of(
      true, "Failed to delete follow",
      [caller = request.caller(services.clock), agent = *agent, chain = *chain](store::Tx& tx) -> Outcome<Reply> {
        auto deleted = gateway::delete_follow(tx, caller, agent, chain);
        if (!deleted) return pass(deleted);
        return no_content();
      });
}

}   // namespace agentauri::gateway::handlers
