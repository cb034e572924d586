#include "gateway/api/routes.hpp"

#include <algorithm>

#include "net/http_message.hpp"
#include "store/value_check.hpp"

namespace agentauri::gateway {
namespace {

// Compares segment by segment; `{name}` takes one non-empty segment. What is no text names nothing.
bool matches(std::string_view path_template, std::string_view path, std::vector<std::string>* params) {
  while (true) {
    const std::size_t template_end = path_template.find('/');
    const std::size_t end = path.find('/');
    const std::string_view wanted = path_template.substr(0, template_end);
    const std::string_view given = path.substr(0, end);
    if (wanted.starts_with('{')) {
      std::string decoded;
      if (given.empty() || !net::percent_decode(given, decoded) || !store::is_storable_text(decoded)) return false;
      if (params != nullptr) params->push_back(std::move(decoded));
    } else if (wanted != given) {
      return false;
    }
    if ((template_end == std::string_view::npos) != (end == std::string_view::npos)) return false;
    if (end == std::string_view::npos) return true;
    path_template.remove_prefix(template_end + 1);
    path.remove_prefix(end + 1);
  }
}

std::string allow_of(std::string_view path_template) {
  constexpr std::string_view kOrder[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
  std::string out;
  for (const auto method : kOrder) {
    const auto served = method == "HEAD" ? std::string_view("GET") : method;
    const bool exists = std::any_of(routes().begin(), routes().end(),
                                    [&](const Route& r) { return r.path == path_template && r.method == served; });
    if (exists) out += std::string(method) + ", ";
  }
  return out + "OPTIONS";
}

}   // namespace

const std::vector<Route>& routes() {
  using enum Access;
  using enum Counts;
  namespace h = handlers;
  static const std::vector<Route> table{
      {"GET", "/api/v1/health", open, exempt, nullptr, &h::health, false},
      {"GET", "/api/v1/health/live", open, exempt, nullptr, &h::health_live, false},
      {"GET", "/api/v1/health/ready", open, exempt, nullptr, &h::health_ready, false},
      {"GET", "/api/v1/openapi.json", open, exempt, nullptr, &h::openapi},
      {"GET", "/.well-known/agent.json", open, exempt, nullptr, &h::agent_card, true, true},
      {"GET", "/.well-known/agent-card.json", open, exempt, nullptr, &h::agent_card, true, true},
      {"GET", "/.well-known/security.txt", open, exempt, nullptr, &h::security_txt},

      {"POST", "/api/v1/auth/register", open, registration, nullptr, &h::register_account},
      {"POST", "/api/v1/auth/login", open, Counts::auth, nullptr, &h::log_in},
      {"POST", "/api/v1/auth/refresh", open, Counts::auth, &h::refresh},
      {"POST", "/api/v1/auth/logout", Access::optional, Counts::auth, &h::log_out},
      {"GET", "/api/v1/auth/me", session, Counts::auth, &h::me},
      {"GET", "/api/v1/auth/password-policy", open, Counts::auth, nullptr, &h::password_policy},
      {"POST", "/api/v1/auth/password", session, Counts::auth, nullptr, &h::change_password},
      {"GET", "/api/v1/auth/sessions", session, Counts::auth, &h::list_sessions},
      {"DELETE", "/api/v1/auth/sessions/{id}", session, Counts::auth, &h::end_session},

      {"POST", "/api/v1/triggers", member, trigger_change, &h::create_trigger},
      {"GET", "/api/v1/triggers", member, read, &h::list_triggers},
      {"GET", "/api/v1/triggers/{id}", member, read, &h::get_trigger},
      {"PUT", "/api/v1/triggers/{id}", member, trigger_change, &h::update_trigger},
      {"DELETE", "/api/v1/triggers/{id}", member, trigger_change, &h::delete_trigger},
      {"GET", "/api/v1/triggers/{id}/deliveries", member, read, &h::list_deliveries},
      {"GET", "/api/v1/organizations/{id}/triggers", member, read, &h::list_organization_triggers},

      {"POST", "/api/v1/triggers/{trigger_id}/conditions", member, trigger_change, &h::create_condition},
      {"GET", "/api/v1/triggers/{trigger_id}/conditions", member, read, &h::list_conditions},
      {"PUT", "/api/v1/triggers/{trigger_id}/conditions/{id}", member, trigger_change, &h::update_condition},
      {"DELETE", "/api/v1/triggers/{trigger_id}/conditions/{id}", member, trigger_change, &h::delete_condition},

      {"POST", "/api/v1/triggers/{trigger_id}/actions", member, trigger_change, &h::create_action},
      {"GET", "/api/v1/triggers/{trigger_id}/actions", member, read, &h::list_actions},
      {"PUT", "/api/v1/triggers/{trigger_id}/actions/{id}", member, trigger_change, &h::update_action},
      {"DELETE", "/api/v1/triggers/{trigger_id}/actions/{id}", member, trigger_change, &h::delete_action},
      {"POST", "/api/v1/triggers/{trigger_id}/actions/{id}/rotate-secret", member, trigger_change, &h::rotate_secret},

      {"GET", "/api/v1/triggers/{id}/circuit-breaker", member, read, &h::get_breaker},
      {"PATCH", "/api/v1/triggers/{id}/circuit-breaker", member, trigger_change, &h::update_breaker},
      {"POST", "/api/v1/triggers/{id}/circuit-breaker/reset", member, trigger_change, &h::reset_breaker},
      {"GET", "/api/v1/triggers/{id}/dlq", member, read, &h::list_dead_letters},
      {"DELETE", "/api/v1/triggers/{id}/dlq", member, trigger_change, &h::purge_dead_letters},
      {"POST", "/api/v1/triggers/{id}/dlq/replay", member, trigger_change, nullptr, &h::replay_dead_letters},
      {"DELETE", "/api/v1/triggers/{id}/dlq/{event_id}", member, trigger_change, &h::purge_dead_letter},
      {"POST", "/api/v1/triggers/{id}/dlq/{event_id}/replay", member, trigger_change, nullptr, &h::replay_dead_letter},
      {"POST", "/api/v1/triggers/{id}/test", member, trigger_change, nullptr, &h::test_trigger},

      {"GET", "/api/v1/agents/following", member, read, &h::list_follows},
      {"POST", "/api/v1/agents/{agent_id}/follow", member, trigger_change, &h::create_follow},
      {"PUT", "/api/v1/agents/{agent_id}/follow", member, trigger_change, &h::update_follow},
      {"DELETE", "/api/v1/agents/{agent_id}/follow", member, trigger_change, &h::delete_follow},

      {"GET", "/api/v1/events", member, read, &h::list_events},
      {"GET", "/api/v1/events/stream", member, read, nullptr, &h::stream_events},
      {"GET", "/api/v1/ponder/status", Access::optional, read, &h::indexer_status},
      {"GET", "/api/v1/ponder/events", Access::optional, read, &h::event_counts},

      {"POST", "/api/v1/organizations", session, Counts::write, &h::create_organization},
      {"GET", "/api/v1/organizations", member, read, &h::list_organizations},
      {"GET", "/api/v1/organizations/{id}", member, read, &h::get_organization},
      {"PUT", "/api/v1/organizations/{id}", admin, Counts::write, &h::update_organization},
      {"DELETE", "/api/v1/organizations/{id}", member, Counts::write, &h::delete_organization},
      {"POST", "/api/v1/organizations/{id}/transfer", member, Counts::write, &h::transfer_organization},
      {"POST", "/api/v1/organizations/{id}/members", admin, Counts::write, &h::add_member},
      {"GET", "/api/v1/organizations/{id}/members", member, read, &h::list_members},
      {"PUT", "/api/v1/organizations/{id}/members/{user_id}", member, Counts::write, &h::update_member},
      {"DELETE", "/api/v1/organizations/{id}/members/{user_id}", admin, Counts::write, &h::remove_member},

      {"POST", "/api/v1/organizations/{id}/api-keys", admin, Counts::write, &h::create_api_key},
      {"GET", "/api/v1/organizations/{id}/api-keys", member, read, &h::list_api_keys},
      {"GET", "/api/v1/organizations/{id}/api-keys/stats", member, read, &h::api_key_stats},
      {"POST", "/api/v1/api-keys", admin, Counts::write, &h::create_api_key},
      {"GET", "/api/v1/api-keys", member, read, &h::list_api_keys},
      {"GET", "/api/v1/api-keys/{id}", member, read, &h::get_api_key},
      {"PATCH", "/api/v1/api-keys/{id}", admin, Counts::write, &h::update_api_key},
      {"DELETE", "/api/v1/api-keys/{id}", member, Counts::write, &h::revoke_api_key},
      {"POST", "/api/v1/api-keys/{id}/rotate", admin, Counts::write, &h::rotate_api_key},
      {"POST", "/api/v1/api-keys/{id}/regenerate", admin, Counts::write, &h::rotate_api_key},

      {"POST", "/api/v1/auth/nonce", open, Counts::auth, &h::issue_nonce},
      {"POST", "/api/v1/auth/wallet", open, Counts::auth, nullptr, &h::log_in_with_wallet},
      {"POST", "/api/v1/agents/link/challenge", admin, Counts::write, &h::issue_link_challenge},
      {"POST", "/api/v1/agents/link", admin, Counts::write, nullptr, &h::link_agent},
      {"GET", "/api/v1/agents/linked", member, read, &h::list_linked_agents},
      {"GET", "/api/v1/organizations/{id}/agents", member, read, &h::list_organization_agents},
      {"DELETE", "/api/v1/agents/{agent_id}/link", admin, Counts::write, &h::unlink_agent},
  };
  return table;
}

bool is_for_any_origin(std::string_view path_template) {
  bool is_route = false;
  for (const auto& route : routes()) {
    if (route.path != path_template) continue;
    if (!route.any_origin) return false;
    is_route = true;
  }
  return is_route;
}

RouteMatch match_route(std::string_view method, std::string_view path) {
  const std::string_view served = method == "HEAD" ? "GET" : method;
  RouteMatch out;
  // Of two templates that a path fits, the one with the literal segment is meant: they first differ where the other has
  // a parameter, and `{` sorts behind all that a literal has.
  for (const auto& route : routes()) {
    const bool is_nearer = out.path_template.empty() || route.path < out.path_template;
    if (is_nearer && matches(route.path, path, nullptr)) out.path_template = route.path;
  }
  for (const auto& route : routes()) {
    if (route.path != out.path_template || route.method != served) continue;
    matches(route.path, path, &out.params);
    out.route = &route;
    return out;
  }
  if (!out.path_template.empty()) out.allow = allow_of(out.path_template);
  return out;
}

}   // namespace agentauri::gateway
