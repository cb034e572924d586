#include "gateway/api/render_wallets.hpp"

#include "core/base/number.hpp"
#include "gateway/api/render_parts.hpp"

namespace agentauri::gateway {

using namespace render_parts;

json::Object render_nonce(const IssuedText& issued) {
  json::Object out;
  out["nonce"] = text(to_string(issued.nonce));
  out["message"] = text(issued.message);
  out["expires_at"] = time(issued.expires_at);
  return out;
}

json::Object render_challenge(const IssuedText& issued) {
  json::Object out;
  out["challenge"] = text(issued.message);
  out["nonce"] = text(to_string(issued.nonce));
  out["expires_at"] = time(issued.expires_at);
  return out;
}

json::Object render_agent_link(const store::AgentLink& link) {
  constexpr std::int64_t kExact = (1LL << 53) - 1;   // what every JSON reader keeps
  const auto small = parse_uint256(link.agent_id)->to_u64();
  json::Object out;
  out["id"] = text(to_string(link.id));
  if (small && *small <= kExact)
    out["agent_id"] = static_cast<std::int64_t>(*small);
  else
    out["agent_id"] = text(link.agent_id);
  out["chain_id"] = link.chain_id;
  out["organization_id"] = text(to_string(link.organization_id));
  out["wallet_address"] = text(link.wallet_address);
  out["status"] = text(link.status);
  std::string created = to_rfc3339(link.created_at);
  created.replace(created.size() - 1, 1, "+00:00");   // as clients of this model know it
  out["created_at"] = text(created);
  return out;
}

}   // namespace agentauri::gateway
