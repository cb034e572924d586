// Organizations and their members.
#include "gateway/api/handler_parts.hpp"
#include "gateway/api/render.hpp"
#include "gateway/api/render_access.hpp"
#include "gateway/api/routes.hpp"
#include "gateway/use_cases/members.hpp"
#include "gateway/use_cases/organizations.hpp"

namespace agentauri::gateway::handlers {

// --- organizations ---------------------------------------------------------------------------------------------------

Outcome<Unit> create_organization(const Services& services, const Request& request) {
  auto body = read_body(request.http);
  if (!body) return pass(body);
  BodyReader reader(*body);
  NewOrganization wanted{reader.required_text("name"), reader.required_text("slug"), reader.text("description")};
  if (reader.refusal()) return std::unexpected(*reader.refusal());
  return unit_of(
      true, "Failed to create organization",
      [caller = request.caller(services.clock), wanted = std::move(wanted)](store::Tx& tx) -> Outcome<Reply> {
        auto made = gateway::create_organization(tx, caller, wanted);
        if (!made) return pass(made);
        return reply_with(wrap(render_organization(*made)), 201);
      });
}

Outcome<Unit> list_organizations(const Services& services, const Request& request) {
  auto page = read_page(request);
  if (!page) return pass(page);
  return unit_of(false, "Failed to list organizations",
                 [caller = request.caller(services.clock), page = *page](store::Tx& tx) -> Outcome<Reply> {
                   auto rows = gateway::list_organizations(tx, caller, page);
                   if (!rows) return pass(rows);
                   return reply_with(render_page(rows->rows, rows->total, page, [](const auto& row) {
                     return render_organization(row.organization, row.role);
                   }));
                 });
}

Outcome<Unit> get_organization(const Services& services, const Request& request) {
  return unit_of(false, "Failed to fetch organization",
                 [caller = request.caller(services.clock), id = request.params[0]](store::Tx& tx) -> Outcome<Reply> {
                   auto found = gateway::find_organization(tx, caller, id);
                   if (!found) return pass(found);
                   return reply_with(wrap(render_organization(found->organization, found->role)));
                 });
}

Outcome<Unit> update_organization(const Services& services, const Request& request) {
  auto body = read_body(request.http);
  if (!body) return pass(body);
  BodyReader reader(*body);
  OrganizationDraft draft{reader.text("name"), reader.text("description")};
  if (reader.refusal()) return std::unexpected(*reader.refusal());
  return unit_of(true, "Failed to update organization",
                 [caller = request.caller(services.clock), id = request.params[0],
                  draft = std::move(draft)](store::Tx& tx) -> Outcome<Reply> {
                   auto updated = gateway::update_organization(tx, caller, id, draft);
                   if (!updated) return pass(updated);
                   return reply_with(wrap(render_organization(*updated)));
                 });
}

Outcome<Unit> delete_organization(const Services& services, const Request& request) {
  return unit_of(true, "Failed to delete organization",
                 [caller = request.caller(services.clock), id = request.params[0]](store::Tx& tx) -> Outcome<Reply> {
                   auto ended = gateway::delete_organization(tx, caller, id);
                   if (!ended) return pass(ended);
                   Reply reply = no_content();
                   reply.revoked_keys = std::move(*ended);
                   return reply;
                 });
}

Outcome<Unit> transfer_organization(const Services& services, const Request& request) {
  auto body = read_body(request.http);
  if (!body) return pass(body);
  BodyReader reader(*body);
  auto new_owner = reader.required_text("new_owner_id");
  if (reader.refusal()) return std::unexpected(*reader.refusal());
  return unit_of(true, "Failed to transfer ownership",
                 [caller = request.caller(services.clock), id = request.params[0],
                  new_owner = std::move(new_owner)](store::Tx& tx) -> Outcome<Reply> {
                   auto moved = gateway::transfer_organization(tx, caller, id, new_owner);
                   if (!moved) return pass(moved);
                   return reply_with(wrap(render_organization(*moved)));
                 });
}

// --- members ---------------------------------------------------------------------------------------------------------

Outcome<Unit> add_member(const Services& services, const Request& request) {
  auto body = read_body(request.http);
  if (!body) return pass(body);
  BodyReader reader(*body);
  auto account = reader.required_text("user_id");
  auto role = reader.required_text("role");
  if (reader.refusal()) return std::unexpected(*reader.refusal());
  return unit_of(true, "Failed to add member",
                 [caller = request.caller(services.clock), id = request.params[0], account = std::move(account),
                  role = std::move(role)](store::Tx& tx) -> Outcome<Reply> {
                   auto added = gateway::add_member(tx, caller, id, account, role);
                   if (!added) return pass(added);
                   return reply_with(wrap(render_member(*added)), 201);
                 });
}

Outcome<Unit> list_members(const Services& services, const Request& request) {
  auto page = read_page(request);
  if (!page) return pass(page);
  return unit_of(
      false, "Failed to list members",
      [caller = request.caller(services.clock), id = request.params[0], page = *page](store::Tx& tx) -> Outcome<Reply> {
        auto rows = gateway::list_members(tx, caller, id, page);
        if (!rows) return pass(rows);
        return reply_with(render_page(rows->rows, rows->total, page, render_member));
      });
}

Outcome<Unit> update_member(const Services& services, const Request& request) {
  auto body = read_body(request.http);
  if (!body) return pass(body);
  BodyReader reader(*body);
  auto role = reader.required_text("role");
  if (reader.refusal()) return std::unexpected(*reader.refusal());
  return unit_of(true, "Failed to update member role",
                 [caller = request.caller(services.clock), id = request.params[0], account = request.params[1],
                  role = std::move(role)](store::Tx& tx) -> Outcome<Reply> {
                   auto updated = gateway::update_member(tx, caller, id, account, role);
                   if (!updated) return pass(updated);
                   return reply_with(wrap(render_member(*updated)));
                 });
}

Outcome<Unit> remove_member(const Services& services, const Request& request) {
  return unit_of(true, "Failed to remove member",
                 [caller = request.caller(services.clock), id = request.params[0],
                  account = request.params[1]](store::Tx& tx) -> Outcome<Reply> {
                   auto removed = gateway::remove_member(tx, caller, id, account);
                   if (!removed) return pass(removed);
                   return no_content();
                 });
}

}   // namespace agentauri::gateway::handlers
