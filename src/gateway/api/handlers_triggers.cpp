// Triggers, their conditions, actions and deliveries.
#include "gateway/api/handler_parts.hpp"
#include "gateway/api/render.hpp"
#include "gateway/api/routes.hpp"
#include "gateway/use_cases/triggers.hpp"

namespace agentauri::gateway::handlers {
namespace {

json::Object render_edited(const EditedTrigger& edited, bool detail) {
  return wrap(detail ? render_trigger_detail(edited.trigger, &edited.new_secrets) : render_trigger(edited.trigger),
              edited.warnings);
}

}   // namespace

// --- triggers --------------------------------------------------------------------------------------------------------

Outcome<Unit> create_trigger(const Services& services, const Request& request) {
  auto body = read_body(request.http);
  if (!body) return pass(body);
  auto draft = read_trigger_draft(*body, true);
  if (!draft) return pass(draft);
  return unit_of(true, "Failed to create trigger",
                 [caller = request.caller(services.clock), context = services.actions,
                  draft = std::move(*draft)](store::Tx& tx) -> Outcome<Reply> {
                   auto made = gateway::create_trigger(tx, caller, context, draft);
                   if (!made) return pass(made);
                   auto reply = reply_with(render_edited(*made, draft.conditions || draft.actions), 201);
                   if (!made->new_secrets.empty()) reply.secret_of = to_string(made->trigger.id);
                   return reply;
                 });
}

Outcome<Unit> update_trigger(const Services& services, const Request& request) {
  auto body = read_body(request.http);
  if (!body) return pass(body);
  auto draft = read_trigger_draft(*body, false);
  if (!draft) return pass(draft);
  return unit_of(true, "Failed to update trigger",
                 [caller = request.caller(services.clock), context = services.actions, id = request.params[0],
                  draft = std::move(*draft)](store::Tx& tx) -> Outcome<Reply> {
                   auto updated = gateway::update_trigger(tx, caller, context, id, draft);
                   if (!updated) return pass(updated);
                   return reply_with(render_edited(*updated, draft.conditions || draft.actions));
                 });
}

Outcome<Unit> delete_trigger(const Services& services, const Request& request) {
  return unit_of(true, "Failed to delete trigger",
                 [caller = request.caller(services.clock), id = request.params[0]](store::Tx& tx) -> Outcome<Reply> {
                   auto deleted = gateway::delete_trigger(tx, caller, id);
                   if (!deleted) return pass(deleted);
                   return no_content();
                 });
}

Outcome<Unit> get_trigger(const Services& services, const Request& request) {
  return unit_of(false, "Failed to fetch trigger",
                 [caller = request.caller(services.clock), id = request.params[0]](store::Tx& tx) -> Outcome<Reply> {
                   auto found = gateway::find_trigger(tx, caller, id);
                   if (!found) return pass(found);
                   return reply_with(wrap(render_trigger_detail(*found, nullptr)));
                 });
}

Outcome<Unit> list_triggers(const Services& services, const Request& request) {
  auto page = read_page(request);
  if (!page) return pass(page);
  return unit_of(false, "Failed to list triggers",
                 [caller = request.caller(services.clock), page = *page](store::Tx& tx) -> Outcome<Reply> {
                   auto rows = gateway::list_triggers(tx, caller, page);
                   if (!rows) return pass(rows);
                   return reply_with(render_page(rows->rows, rows->total, page, render_trigger));
                 });
}

Outcome<Unit> list_organization_triggers(const Services& services, const Request& request) {
  auto page = read_page(request);
  if (!page) return pass(page);
  return unit_of(
      false, "Failed to list triggers",
      [caller = request.caller(services.clock), id = request.params[0], page = *page](store::Tx& tx) -> Outcome<Reply> {
        auto rows = gateway::list_triggers_of(tx, caller, id, page);
        if (!rows) return pass(rows);
        return reply_with(render_page(rows->rows, rows->total, page, render_trigger));
      });
}

Outcome<Unit> list_deliveries(const Services& services, const Request& request) {
  auto page = read_page(request);
  if (!page) return pass(page);
  return unit_of(
      false, "Failed to list deliveries",
      [caller = request.caller(services.clock), id = request.params[0], page = *page](store::Tx& tx) -> Outcome<Reply> {
        auto rows = gateway::list_deliveries(tx, caller, id, page);
        if (!rows) return pass(rows);
        return reply_with(render_page(rows->rows, rows->total, page, [&id](const store::Delivery& delivery) {
          return render_delivery(delivery, id);
        }));
      });
}

// --- conditions ------------------------------------------------------------------------------------------------------

Outcome<Unit> create_condition(const Services& services, const Request& request) {
  auto body = read_body(request.http);
  if (!body) return pass(body);
  auto draft = read_condition_draft(*body, true);
  if (!draft) return pass(draft);
  return unit_of(true, "Failed to create condition",
                 [caller = request.caller(services.clock), trigger = request.params[0],
                  draft = std::move(*draft)](store::Tx& tx) -> Outcome<Reply> {
                   auto made = gateway::create_condition(tx, caller, trigger, draft);
                   if (!made) return pass(made);
                   return reply_with(wrap(render_condition(made->condition, made->trigger), made->warnings), 201);
                 });
}

Outcome<Unit> list_conditions(const Services& services, const Request& request) {
  return unit_of(false, "Failed to list conditions",
                 [caller = request.caller(services.clock), id = request.params[0]](store::Tx& tx) -> Outcome<Reply> {
                   auto trigger = gateway::find_trigger(tx, caller, id);
                   if (!trigger) return pass(trigger);
                   json::Array rows;
                   for (const auto& condition : trigger->conditions)
                     rows.push_back(render_condition(condition, trigger->id));
                   return reply_with(wrap(std::move(rows)));
                 });
}

Outcome<Unit> update_condition(const Services& services, const Request& request) {
  auto id = path_integer(request.params[1], INT64_MIN, INT64_MAX);
  if (!id) return pass(id);
  auto body = read_body(request.http);
  if (!body) return pass(body);
  auto draft = read_condition_draft(*body, false);
  if (!draft) return pass(draft);
  return unit_of(true, "Failed to update condition",
                 [caller = request.caller(services.clock), trigger = request.params[0], id = *id,
                  draft = std::move(*draft)](store::Tx& tx) -> Outcome<Reply> {
                   auto updated = gateway::update_condition(tx, caller, trigger, id, draft);
                   if (!updated) return pass(updated);
                   return reply_with(wrap(render_condition(updated->condition, updated->trigger), updated->warnings));
                 });
}

Outcome<Unit> delete_condition(const Services& services, const Request& request) {
  auto id = path_integer(request.params[1], INT64_MIN, INT64_MAX);
  if (!id) return pass(id);
  return unit_of(true, "Failed to delete condition",
                 [caller = request.caller(services.clock), trigger = request.params[0],
                  id = *id](store::Tx& tx) -> Outcome<Reply> {
                   auto deleted = gateway::delete_condition(tx, caller, trigger, id);
                   if (!deleted) return pass(deleted);
                   return no_content();
                 });
}

// --- actions ---------------------------------------------------------------------------------------------------------

Outcome<Unit> create_action(const Services& services, const Request& request) {
  auto body = read_body(request.http);
  if (!body) return pass(body);
  auto draft = read_action_draft(*body, true);
  if (!draft) return pass(draft);
  return unit_of(true, "Failed to create action",
                 [caller = request.caller(services.clock), context = services.actions, trigger = request.params[0],
                  draft = std::move(*draft)](store::Tx& tx) -> Outcome<Reply> {
                   auto made = gateway::create_action(tx, caller, context, trigger, draft);
                   if (!made) return pass(made);
                   auto reply = reply_with(
                       wrap(render_action(made->action, made->trigger, made->new_secret), made->warnings), 201);
                   if (made->new_secret) reply.secret_of = std::to_string(made->action.id);
                   return reply;
                 });
}

Outcome<Unit> list_actions(const Services& services, const Request& request) {
  return unit_of(false, "Failed to list actions",
                 [caller = request.caller(services.clock), id = request.params[0]](store::Tx& tx) -> Outcome<Reply> {
                   auto trigger = gateway::find_trigger(tx, caller, id);
                   if (!trigger) return pass(trigger);
                   json::Array rows;
                   for (const auto& action : trigger->actions)
                     rows.push_back(render_action(action, trigger->id, std::nullopt));
                   return reply_with(wrap(std::move(rows)));
                 });
}

namespace {

Outcome<domain::ActionId> path_action(const Request& request) {
  auto id = path_integer(request.params[1], INT32_MIN, INT32_MAX);
  if (!id) return pass(id);
  return static_cast<domain::ActionId>(*id);
}

}   // namespace

Outcome<Unit> update_action(const Services& services, const Request& request) {
  auto id = path_action(request);
  if (!id) return pass(id);
  auto body = read_body(request.http);
  if (!body) return pass(body);
  auto draft = read_action_draft(*body, false);
  if (!draft) return pass(draft);
  return unit_of(true, "Failed to update action",
                 [caller = request.caller(services.clock), context = services.actions, trigger = request.params[0],
                  id = *id, draft = std::move(*draft)](store::Tx& tx) -> Outcome<Reply> {
                   auto updated = gateway::update_action(tx, caller, context, trigger, id, draft);
                   if (!updated) return pass(updated);
                   return reply_with(
                       wrap(render_action(updated->action, updated->trigger, updated->new_secret), updated->warnings));
                 });
}

Outcome<Unit> delete_action(const Services& services, const Request& request) {
  auto id = path_action(request);
  if (!id) return pass(id);
  return unit_of(true, "Failed to delete action",
                 [caller = request.caller(services.clock), trigger = request.params[0],
                  id = *id](store::Tx& tx) -> Outcome<Reply> {
                   auto deleted = gateway::delete_action(tx, caller, trigger, id);
                   if (!deleted) return pass(deleted);
                   return no_content();
                 });
}

Outcome<Unit> rotate_secret(const Services& services, const Request& request) {
  auto id = path_action(request);
  if (!id) return pass(id);
  Outcome<json::Object> body = json::Object();
  if (!request.http.body.empty()) body = read_body(request.http);
  if (!body) return pass(body);
  BodyReader reader(*body);
  const auto overlap = reader.integer("overlap_seconds", INT64_MIN, INT64_MAX).value_or(kDefaultOverlapSeconds);
  if (reader.refusal()) return std::unexpected(*reader.refusal());
  return unit_of(true, "Failed to update action",
                 [caller = request.caller(services.clock), &keys = services.actions.keys, trigger = request.params[0],
                  id = *id, overlap](store::Tx& tx) -> Outcome<Reply> {
                   auto rotated = gateway::rotate_secret(tx, caller, keys, trigger, id, overlap);
                   if (!rotated) return pass(rotated);
                   auto reply = reply_with(wrap(render_action(rotated->action, rotated->trigger, rotated->new_secret)));
                   reply.secret_of = std::to_string(rotated->action.id);
                   return reply;
                 });
}

}   // namespace agentauri::gateway::handlers
