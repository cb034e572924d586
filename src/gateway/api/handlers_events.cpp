// Events: global, for everybody who has a session or a key.
#include <algorithm>

#include "gateway/api/event_selection.hpp"
#include "gateway/api/render.hpp"
#include "gateway/api/routes.hpp"
#include "store/chain_log.hpp"

namespace agentauri::gateway::handlers {
namespace {

constexpr std::int64_t kMaxPageSize = 100;
constexpr std::int64_t kMaxOffset = 1'000'000'000;   // far beyond what is worth paging to, and far from overflow

struct EventQuery {
  EventSelection selection;
  PageBounds page;
};

Outcome<EventQuery> read_query(std::string_view text) {
  QueryReader query(text);
  EventQuery out;
  out.page.limit = std::clamp<std::int64_t>(query.integer({"limit"}).value_or(20), 1, kMaxPageSize);
  const std::int64_t page = std::clamp<std::int64_t>(query.integer({"page"}).value_or(1), 1, kMaxOffset / kMaxPageSize);
  out.page.offset =
      std::clamp<std::int64_t>(query.integer({"offset"}).value_or((page - 1) * out.page.limit), 0, kMaxOffset);
  out.selection = read_event_selection(query);
  if (query.refusal()) return std::unexpected(*query.refusal());
  return out;
}

}   // namespace

Outcome<Unit> list_events(const Services& services, const Request& request) {
  auto query = read_query(request.http.query);
  if (!query) return pass(query);
  Unit unit;
  unit.operation = "Failed to query events";
  unit.body = [caller = request.caller(services.clock), query = std::move(*query)](store::Tx& tx) -> Outcome<Reply> {
    if (caller.organization_header) {
      if (auto context = resolve_organization(tx, caller); !context) return pass(context);
    }
    store::EventPage found;
    if (!query.selection.is_empty) {
      auto rows = store::list_events(tx, query.selection.filter, query.page.limit + 1, query.page.offset);
      if (!rows) return broken(rows);
      found = std::move(*rows);
    }
    Reply reply;
    reply.body = render_page(found.rows, found.total, query.page, render_event);
    return reply;
  };
  return unit;
}

}   // namespace agentauri::gateway::handlers
