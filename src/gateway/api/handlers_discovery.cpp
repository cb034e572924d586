// What stands below /.well-known.
#include "gateway/api/discovery.hpp"
#include "gateway/api/routes.hpp"

namespace agentauri::gateway::handlers {

Task<Outcome<Reply>> agent_card(Services& services, Request&) {
  Reply reply;
  reply.fixed = services.discovery.agent_card();
  co_return reply;
}

Task<Outcome<Reply>> security_txt(Services& services, Request&) {
  Reply reply;
  reply.fixed = services.discovery.security_txt();
  co_return reply;
}

}   // namespace agentauri::gateway::handlers
