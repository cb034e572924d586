// The chain part of the settings: CHAIN_<id>_… and the older {CHAIN}_RPC_{PROVIDER} names as aliases.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/settings.hpp"
#include "core/config/environment.hpp"

namespace agentauri::app {

// Chains with at least one RPC URL, by id. A chain that nobody knows needs addresses. Faults name the variable.
std::vector<ChainSetting> read_chains(Environment& env);

// Items between commas, trimmed, empty ones dropped.
std::vector<std::string> split_list(std::string_view text);

}   // namespace agentauri::app
