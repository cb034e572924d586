#include "gateway/use_cases/sessions.hpp"

namespace agentauri::gateway {

Outcome<std::vector<store::Session>> list_sessions(store::Tx& tx, const domain::Principal& user, Time now) {
  auto sessions = store::list_sessions(tx, user.account, now);
  if (!sessions) return broken(sessions);
  return std::move(*sessions);
}

Outcome<domain::SessionId> end_session(store::Tx& tx, const domain::Principal& user, const std::string& id, Time now) {
  const auto session = domain::SessionId::parse(id);
  if (!session) return not_found("Session not found");
  auto found = store::find_session(tx, *session);
  if (!found) return broken(found);
  if (!*found || (*found)->session.account_id != user.account || (*found)->session.expires_at <= now)
    return not_found("Session not found");
  auto revoked = store::revoke_session(tx, *session, "ended by its user", now);
  if (!revoked) return broken(revoked);
  if (!*revoked) return not_found("Session not found");
  return *session;
}

}   // namespace agentauri::gateway
