// The response models of wallets (protocols.md 1), and a unit that their handlers share.
#pragma once

#include "core/json/json.hpp"
#include "gateway/api/request.hpp"
#include "gateway/use_cases/wallets.hpp"

namespace agentauri::gateway {

json::Object render_nonce(const IssuedText& issued);
json::Object render_challenge(const IssuedText& issued);
json::Object render_agent_link(const store::AgentLink& link);

// One bad signature more; the fifth makes the nonce void.
Unit count_bad_signature(const Uuid& nonce);

}   // namespace agentauri::gateway
