// Dead deliveries of a trigger.
#include "gateway/api/handler_parts.hpp"
#include "gateway/api/render.hpp"
#include "gateway/api/render_parts.hpp"
#include "gateway/api/routes.hpp"
#include "gateway/use_cases/dead_letters.hpp"

namespace agentauri::gateway::handlers {
namespace {

using namespace render_parts;

constexpr std::int64_t kDefaultReplays = 100;

json::Object render_replay(const ReplayOutcome& outcome) {
  json::Array replayed, skipped;
  for (const auto& job : outcome.replayed) replayed.push_back(text(to_hex(job.view())));
  for (const auto& each : outcome.skipped) {
    json::Object row;
    row["id"] = text(to_hex(each.job.view()));
    row["reason"] = text(each.why);
    skipped.push_back(std::move(row));
  }
  json::Object out;
  out["replayed"] = std::move(replayed);
  out["skipped"] = std::move(skipped);
  out["left"] = std::min(outcome.left, store::kMaxTotal);
  return out;
}

// What is sent again by hand, and by whom, stands in the log; the workers hear of it at once.
template <class Body>
Task<Outcome<Reply>> replay_with(Services& services, const Request& request, Body body) {
  const auto outcome = std::make_shared<ReplayOutcome>();
  auto unit = unit_of(true, "Failed to replay dead letters",
                      [outcome, body = std::move(body)](store::Tx& tx) -> Outcome<Reply> {
                        auto done = body(tx);
                        if (!done) return pass(done);
                        *outcome = std::move(*done);
                        return reply_with(wrap(render_replay(*outcome)), 202);
                      });
  auto reply = co_await run_unit(services, request, std::move(unit));
  if (!reply) co_return reply;
  services.db.notify("jobs");
  static const Log log("gateway");
  log.info("dead deliveries are sent again", {{"request_id", request.request_id},
                                              {"user_id", to_string(request.principal.account)},
                                              {"trigger_id", request.params[0]},
                                              {"replayed", static_cast<std::uint64_t>(outcome->replayed.size())},
                                              {"skipped", static_cast<std::uint64_t>(outcome->skipped.size())}});
  services.metrics.counter("dead_letters_replayed_total", "Dead deliveries sent again by hand")
      .add(static_cast<double>(outcome->replayed.size()));
  co_return reply;
}

Outcome<Unit> purge(const Services& services, const Request& request, std::optional<std::string> id) {
  return unit_of(true, "Failed to delete dead letters",
                 [caller = request.caller(services.clock), trigger = request.params[0],
                  id = std::move(id)](store::Tx& tx) -> Outcome<Reply> {
                   auto purged = gateway::purge_dead_letters(tx, caller, trigger, id);
                   if (!purged) return pass(purged);
                   json::Object data;
                   data["deleted"] = *purged;
                   return reply_with(wrap(std::move(data)));
                 });
}

}   // namespace

Outcome<Unit> list_dead_letters(const Services& services, const Request& request) {
  auto page = read_page(request);
  if (!page) return pass(page);
  return unit_of(
      false, "Failed to list dead letters",
      [caller = request.caller(services.clock), id = request.params[0], page = *page](store::Tx& tx) -> Outcome<Reply> {
        auto rows = gateway::list_dead_letters(tx, caller, id, page);
        if (!rows) return pass(rows);
        return reply_with(render_page(rows->rows, rows->total, page, [&id](const store::Delivery& delivery) {
          return render_delivery(delivery, id);
        }));
      });
}

Task<Outcome<Reply>> replay_dead_letters(Services& services, Request& request) {
  QueryReader query(request.http.query);
  const auto limit = query.integer({"limit"}).value_or(kDefaultReplays);
  if (query.refusal()) co_return std::unexpected(*query.refusal());
  co_return co_await replay_with(
      services, request, [caller = request.caller(services.clock), trigger = request.params[0], limit](store::Tx& tx) {
        return gateway::replay_dead_letters(tx, caller, trigger, limit);
      });
}

Task<Outcome<Reply>> replay_dead_letter(Services& services, Request& request) {
  co_return co_await replay_with(
      services, request,
      [caller = request.caller(services.clock), trigger = request.params[0], id = request.params[1]](store::Tx& tx) {
        return gateway::replay_dead_letter(tx, caller, trigger, id);
      });
}

Outcome<Unit> purge_dead_letters(const Services& services, const Request& request) {
  return purge(services, request, std::nullopt);
}
Outcome<Unit> purge_dead_letter(const Services& services, const Request& request) {
  return purge(services, request, request.params[1]);
}

}   // namespace agentauri::gateway::handlers
