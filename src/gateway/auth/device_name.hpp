// What a user would call the device behind a User-Agent: "Firefox on Windows", "curl". Pure.
#pragma once

#include <string>
#include <string_view>

namespace agentauri::gateway {

// The product's own name when it is no known browser; "Unknown device" when there is nothing to go by.
std::string device_name(std::string_view user_agent);

}   // namespace agentauri::gateway
