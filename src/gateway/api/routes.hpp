// The one table of routes. To add an endpoint: a handler, a row here, and its description in openapi.yaml.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/api/request.hpp"

namespace agentauri::gateway {

enum class Access : std::uint8_t {
  open,       // credentials are not looked at
  optional,   // a good credential is used, a bad one is as none
  member,     // a session, or a key with the permission of the method: read, write, delete
  admin,      // a session, or a key with the permission `admin`
  session,    // a session only
};
// What a route counts in (limits/rate_limiter.hpp).
enum class Counts : std::uint8_t { exempt, auth, registration, read, write, trigger_change };

struct Route {
  std::string_view method;
  std::string_view path;   // template: `/api/v1/triggers/{id}`
  Access access;
  Counts counts;
  UnitHandler unit = nullptr;   // one of the two
  AsyncHandler async = nullptr;
  // Health checks are too many to be worth a line and a series.
  bool is_recorded = true;
  // Pages of any origin may read it, without credentials.
  bool any_origin = false;
};
const std::vector<Route>& routes();

struct RouteMatch {
  const Route* route = nullptr;   // nullptr: see `allow`
  std::vector<std::string> params;
  std::string allow;                // methods of a path that has others; empty: no such path
  std::string_view path_template;   // of the path, also when the method is wrong
};
// Whether every route of a template is for pages of any origin.
bool is_for_any_origin(std::string_view path_template);
// HEAD is served by the GET route. Parameters are percent-decoded; a literal segment wins over a parameter.
RouteMatch match_route(std::string_view method, std::string_view path);

// --- handlers, by area -----------------------------------------------------------------------------------------------

namespace handlers {

Task<Outcome<Reply>> register_account(Services&, Request&);
Task<Outcome<Reply>> log_in(Services&, Request&);
Task<Outcome<Reply>> password_policy(Services&, Request&);
Task<Outcome<Reply>> change_password(Services&, Request&);
Task<Outcome<Reply>> health(Services&, Request&);
Task<Outcome<Reply>> health_live(Services&, Request&);
Task<Outcome<Reply>> health_ready(Services&, Request&);
Task<Outcome<Reply>> openapi(Services&, Request&);
Task<Outcome<Reply>> agent_card(Services&, Request&);
Task<Outcome<Reply>> security_txt(Services&, Request&);
Outcome<Unit> refresh(const Services&, const Request&);
Outcome<Unit> log_out(const Services&, const Request&);
Outcome<Unit> me(const Services&, const Request&);
Outcome<Unit> list_sessions(const Services&, const Request&);
Outcome<Unit> end_session(const Services&, const Request&);

Outcome<Unit> create_trigger(const Services&, const Request&);
Outcome<Unit> list_triggers(const Services&, const Request&);
Outcome<Unit> list_organization_triggers(const Services&, const Request&);
Outcome<Unit> get_trigger(const Services&, const Request&);
Outcome<Unit> update_trigger(const Services&, const Request&);
Outcome<Unit> delete_trigger(const Services&, const Request&);
Outcome<Unit> list_deliveries(const Services&, const Request&);

Outcome<Unit> create_condition(const Services&, const Request&);
Outcome<Unit> list_conditions(const Services&, const Request&);
Outcome<Unit> update_condition(const Services&, const Request&);
Outcome<Unit> delete_condition(const Services&, const Request&);

Outcome<Unit> create_action(const Services&, const Request&);
Outcome<Unit> list_actions(const Services&, const Request&);
Outcome<Unit> update_action(const Services&, const Request&);
Outcome<Unit> delete_action(const Services&, const Request&);
Outcome<Unit> rotate_secret(const Services&, const Request&);

Outcome<Unit> get_breaker(const Services&, const Request&);
Outcome<Unit> update_breaker(const Services&, const Request&);
Outcome<Unit> reset_breaker(const Services&, const Request&);

Outcome<Unit> list_dead_letters(const Services&, const Request&);
Task<Outcome<Reply>> replay_dead_letters(Services&, Request&);
Task<Outcome<Reply>> replay_dead_letter(Services&, Request&);
Outcome<Unit> purge_dead_letters(const Services&, const Request&);
Outcome<Unit> purge_dead_letter(const Services&, const Request&);
Task<Outcome<Reply>> test_trigger(Services&, Request&);

Outcome<Unit> create_follow(const Services&, const Request&);
Outcome<Unit> list_follows(const Services&, const Request&);
Outcome<Unit> update_follow(const Services&, const Request&);
Outcome<Unit> delete_follow(const Services&, const Request&);

Outcome<Unit> list_events(const Services&, const Request&);
Task<Outcome<Reply>> stream_events(Services&, Request&);
Outcome<Unit> indexer_status(const Services&, const Request&);
Outcome<Unit> event_counts(const Services&, const Request&);

Outcome<Unit> create_organization(const Services&, const Request&);
Outcome<Unit> list_organizations(const Services&, const Request&);
Outcome<Unit> get_organization(const Services&, const Request&);
Outcome<Unit> update_organization(const Services&, const Request&);
Outcome<Unit> delete_organization(const Services&, const Request&);
Outcome<Unit> transfer_organization(const Services&, const Request&);
Outcome<Unit> add_member(const Services&, const Request&);
Outcome<Unit> list_members(const Services&, const Request&);
Outcome<Unit> update_member(const Services&, const Request&);
Outcome<Unit> remove_member(const Services&, const Request&);

Outcome<Unit> create_api_key(const Services&, const Request&);
Outcome<Unit> list_api_keys(const Services&, const Request&);
Outcome<Unit> api_key_stats(const Services&, const Request&);
Outcome<Unit> get_api_key(const Services&, const Request&);
Outcome<Unit> update_api_key(const Services&, const Request&);
Outcome<Unit> revoke_api_key(const Services&, const Request&);
Outcome<Unit> rotate_api_key(const Services&, const Request&);

Outcome<Unit> issue_nonce(const Services&, const Request&);
Task<Outcome<Reply>> log_in_with_wallet(Services&, Request&);
Outcome<Unit> issue_link_challenge(const Services&, const Request&);
Task<Outcome<Reply>> link_agent(Services&, Request&);
Outcome<Unit> list_linked_agents(const Services&, const Request&);
Outcome<Unit> list_organization_agents(const Services&, const Request&);
Outcome<Unit> unlink_agent(const Services&, const Request&);

}   // namespace handlers
}   // namespace agentauri::gateway
