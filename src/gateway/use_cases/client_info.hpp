// Where a request came from, as sessions remember it.
#pragma once

#include <optional>
#include <string>

namespace agentauri::gateway {

// Printable ASCII.
struct ClientInfo {
  std::optional<std::string> user_agent, ip;
};

}   // namespace agentauri::gateway
