// The other direction of brotli(), which only tests need.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace agentauri::testing {

// nullopt when it is damaged or longer than `max_bytes` unpacked.
std::optional<std::string> unbrotli(std::string_view packed, std::size_t max_bytes = 4 * 1024 * 1024);

}   // namespace agentauri::testing
