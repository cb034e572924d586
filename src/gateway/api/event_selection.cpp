#include "gateway/api/event_selection.hpp"

#include "core/base/number.hpp"
#include "rules/event_fields.hpp"

namespace agentauri::gateway {

EventSelection read_event_selection(QueryReader& query) {
  EventSelection out;
  out.filter.chain_id = query.integer({"chainId", "chain_id"});
  out.filter.registry = query.text({"registry"});
  if (auto type = query.text({"eventType", "event_type"}))
    out.filter.event_type = std::string(rules::resolve_event_type(*type));
  if (const auto agent = query.text({"agentId", "agent_id"})) {
    // Compared as a number: 007 is agent 7.
    const auto number = parse_uint256(*agent);
    out.is_empty = !number;
    if (number) out.filter.agent_id = to_string(*number);
  }
  out.filter.search = query.text({"search"});
  return out;
}

}   // namespace agentauri::gateway
