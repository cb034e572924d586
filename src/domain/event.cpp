#include "domain/event.hpp"

#include <fmt/format.h>

namespace agentauri::domain {

std::string_view to_string(Registry registry) {
  switch (registry) {
    case Registry::identity:
      return "identity";
    case Registry::reputation:
      return "reputation";
    case Registry::validation:
      return "validation";
  }
  return "identity";
}

std::optional<Registry> parse_registry(std::string_view text) {
  if (text == "identity") return Registry::identity;
  if (text == "reputation") return Registry::reputation;
  if (text == "validation") return Registry::validation;
  return std::nullopt;
}

std::string event_id(const Event& event) {
  return fmt::format("{}-{}-{}-{}", to_string(event.registry), event.chain_id, to_hex_0x(event.txn_hash),
                     event.log_index);
}

}   // namespace agentauri::domain
