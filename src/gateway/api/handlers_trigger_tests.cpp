// Trying a trigger out.
#include "gateway/api/event_body.hpp"
#include "gateway/api/handler_parts.hpp"
#include "gateway/api/render.hpp"
#include "gateway/api/render_parts.hpp"
#include "gateway/api/routes.hpp"
#include "gateway/use_cases/trigger_tests.hpp"

namespace agentauri::gateway::handlers {
namespace {

using namespace render_parts;

Outcome<TestOrder> read_order(const Request& request) {
  TestOrder out;
  out.request_id = request.request_id;
  if (request.http.body.empty()) return out;
  auto body = read_body(request.http);
  if (!body) return pass(body);
  BodyReader reader(*body);
  out.event_id = reader.text("event_id");
  out.sample = reader.text("sample");
  out.send = reader.flag("send").value_or(false);
  if (const auto id = reader.integer("action_id", INT32_MIN, INT32_MAX))
    out.action = static_cast<domain::ActionId>(*id);
  const auto* event = reader.object("event");
  if (reader.refusal()) return std::unexpected(*reader.refusal());
  if (event == nullptr) return out;
  auto draft = read_event_draft(*event);
  if (!draft) return pass(draft);
  out.event = std::move(*draft);
  return out;
}

json::Object render_tested(const TestedAction& tested) {
  json::Object headers;
  for (const auto& [name, value] : tested.preview.headers) headers[name] = text(value);
  json::Object out;
  out["action_id"] = tested.action.id;
  out["action_type"] = text(to_string(tested.action.type));
  out["method"] = text(tested.preview.method);
  out["url"] = text(tested.preview.url);
  out["headers"] = std::move(headers);
  out["body"] = text(tested.preview.body);
  out["error"] = text(tested.preview.error);
  out["delivery_id"] = tested.delivery ? text(to_hex(tested.delivery->view())) : json::Value();
  return out;
}

json::Object render_report(const TestReport& report) {
  const auto explanation = json::parse(rules::explanation_json(report.evaluation));
  ENSURE(explanation.has_value(), "an explanation is JSON");
  json::Array actions;
  for (const auto& tested : report.actions) actions.push_back(render_tested(tested));
  json::Object out;
  out["trigger_id"] = text(to_string(report.trigger));
  out["fires"] = report.selected && report.evaluation.decision == rules::Decision::match;
  out["selected"] = report.selected;
  out["decision"] = explanation->get_object().at("decision");
  out["explanation"] = *explanation;
  out["source"] = text(report.source);
  out["event"] = render_event(report.event);
  out["actions"] = std::move(actions);
  return out;
}

std::size_t deliveries_of(const TestReport& report) {
  return static_cast<std::size_t>(std::count_if(report.actions.begin(), report.actions.end(),
                                                [](const auto& a) { return a.delivery.has_value(); }));
}

}   // namespace

Task<Outcome<Reply>> test_trigger(Services& services, Request& request) {
  auto order = read_order(request);
  if (!order) co_return pass(order);
  const bool sends = order->send;
  const auto made = std::make_shared<std::size_t>(0);
  auto unit = unit_of(sends, "Failed to test trigger",
                      [caller = request.caller(services.clock), &names = services.settings.chain_names,
                       id = request.params[0], order = std::move(*order), made](store::Tx& tx) -> Outcome<Reply> {
                        auto report = gateway::test_trigger(tx, caller, names, id, order);
                        if (!report) return pass(report);
                        *made = deliveries_of(*report);
                        return reply_with(wrap(render_report(*report), report->warnings), order.send ? 202 : 200);
                      });
  auto reply = co_await run_unit(services, request, std::move(unit));
  if (!reply) co_return reply;
  services.metrics.counter("trigger_tests_total", "Triggers tried out by hand", {{"sent", sends ? "true" : "false"}})
      .add();
  if (*made == 0) co_return reply;
  services.db.notify("jobs");
  services.metrics.counter("test_deliveries_total", "Deliveries of tests that were made")
      .add(static_cast<double>(*made));
  static const Log log("gateway");
  log.info("test deliveries are made", {{"request_id", request.request_id},
                                        {"user_id", to_string(request.principal.account)},
                                        {"trigger_id", request.params[0]},
                                        {"deliveries", static_cast<std::uint64_t>(*made)}});
  co_return reply;
}

}   // namespace agentauri::gateway::handlers
