// What the documents below /.well-known say of this service's operator.
#pragma once

#include "core/config/environment.hpp"
#include "gateway/settings.hpp"

namespace agentauri::app {

struct ChainSetting;

// Faults stay in `env`: what is no URL or no e-mail address.
gateway::DiscoverySettings read_discovery(Environment& env);
// The same chain as the API tells of it.
gateway::PublicChain public_chain(const ChainSetting& chain);

}   // namespace agentauri::app
