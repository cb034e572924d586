// /auth/sessions: where a user is signed in.
#include "gateway/api/auth_replies.hpp"
#include "gateway/api/handler_parts.hpp"
#include "gateway/api/render_parts.hpp"
#include "gateway/api/routes.hpp"
#include "gateway/auth/device_name.hpp"
#include "gateway/use_cases/sessions.hpp"

namespace agentauri::gateway::handlers {
namespace {

json::Object render_session(const store::Session& session, bool is_current) {
  using namespace render_parts;
  json::Object out;
  out["id"] = text(to_string(session.id));
  out["created_at"] = time(session.created_at);
  out["last_used_at"] = time(session.last_used_at);
  out["expires_at"] = time(session.expires_at);
  out["device"] = text(device_name(session.user_agent.value_or("")));
  out["user_agent"] = text(session.user_agent);
  out["address"] = text(session.ip);
  out["current"] = is_current;
  return out;
}

}   // namespace

Outcome<Unit> list_sessions(const Services& services, const Request& request) {
  return unit_of(false, "Failed to list sessions",
                 [user = request.principal, now = services.clock.now()](store::Tx& tx) -> Outcome<Reply> {
                   auto sessions = gateway::list_sessions(tx, user, now);
                   if (!sessions) return pass(sessions);
                   json::Array rows;
                   for (const auto& session : *sessions)
                     rows.push_back(render_session(session, session.id == user.session));
                   json::Object body;
                   body["sessions"] = std::move(rows);
                   return reply_with(std::move(body));
                 });
}

Outcome<Unit> end_session(const Services& services, const Request& request) {
  return unit_of(
      true, "Failed to end session",
      [user = request.principal, id = request.params[0], now = services.clock.now()](store::Tx& tx) -> Outcome<Reply> {
        auto ended = gateway::end_session(tx, user, id, now);
        if (!ended) return pass(ended);
        auto reply = no_content();
        reply.revoked = {*ended};
        if (*ended == user.session) reply.headers = no_token_cookies();
        return reply;
      });
}

}   // namespace agentauri::gateway::handlers
