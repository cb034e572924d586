// The circuit breaker of a trigger.
#include "gateway/api/handler_parts.hpp"
#include "gateway/api/render.hpp"
#include "gateway/api/render_parts.hpp"
#include "gateway/api/routes.hpp"
#include "gateway/use_cases/circuit_breakers.hpp"

namespace agentauri::gateway::handlers {
namespace {

using namespace render_parts;

void render_state(const rules::BreakerState& state, json::Object& out) {
  out["state"] = text(rules::to_string(state.phase));
  out["failure_count"] = state.failure_count;
  if (state.last_failure) out["last_failure_time"] = time(*state.last_failure);
  if (state.opened_at) out["opened_at"] = time(*state.opened_at);
  out["half_open_calls"] = state.half_open_calls;
}

json::Object render_breaker(const BreakerView& view) {
  json::Object out;
  out["trigger_id"] = text(to_string(view.trigger.id));
  out["trigger_name"] = text(view.trigger.name);
  render_state(view.state, out);
  json::Object config;
  config["failure_threshold"] = view.trigger.breaker.failure_threshold;
  config["recovery_timeout_seconds"] = view.trigger.breaker.recovery_timeout_seconds;
  config["half_open_max_calls"] = view.trigger.breaker.half_open_max_calls;
  out["config"] = std::move(config);
  json::Array chains;
  for (const auto& [chain, state] : view.chains) {
    json::Object row;
    row["chain_id"] = chain;
    render_state(state, row);
    chains.push_back(std::move(row));
  }
  out["chains"] = std::move(chains);
  return out;
}

Outcome<Reply> reply_of(Outcome<BreakerView> view) {
  if (!view) return pass(view);
  return reply_with(wrap(render_breaker(*view)));
}

}   // namespace

Outcome<Unit> get_breaker(const Services& services, const Request& request) {
  return unit_of(false, "Failed to fetch circuit breaker info",
                 [caller = request.caller(services.clock), id = request.params[0]](store::Tx& tx) {
                   return reply_of(gateway::find_breaker(tx, caller, id));
                 });
}

Outcome<Unit> update_breaker(const Services& services, const Request& request) {
  auto body = read_body(request.http);
  if (!body) return pass(body);
  BodyReader reader(*body);
  BreakerDraft draft;
  draft.failure_threshold = reader.integer("failure_threshold", 0, INT64_MAX);
  draft.recovery_timeout_seconds = reader.integer("recovery_timeout_seconds", 0, INT64_MAX);
  draft.half_open_max_calls = reader.integer("half_open_max_calls", 0, INT64_MAX);
  if (reader.refusal()) return std::unexpected(*reader.refusal());
  return unit_of(true, "Failed to update circuit breaker config",
                 [caller = request.caller(services.clock), id = request.params[0], draft](store::Tx& tx) {
                   return reply_of(gateway::update_breaker(tx, caller, id, draft));
                 });
}

Outcome<Unit> reset_breaker(const Services& services, const Request& request) {
  return unit_of(true, "Failed to reset circuit breaker state",
                 [caller = request.caller(services.clock), id = request.params[0]](store::Tx& tx) {
                   return reply_of(gateway::reset_breaker(tx, caller, id));
                 });
}

}   // namespace agentauri::gateway::handlers
