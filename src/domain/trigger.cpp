#include "domain/trigger.hpp"

namespace agentauri::domain {

std::string_view to_string(ActionType type) {
  switch (type) {
    case ActionType::telegram:
      return "telegram";
    case ActionType::rest:
      return "rest";
    case ActionType::mcp:
      return "mcp";
  }
  return "rest";
}

std::optional<ActionType> parse_action_type(std::string_view text) {
  if (text == "telegram") return ActionType::telegram;
  if (text == "rest" || text == "webhook") return ActionType::rest;
  if (text == "mcp") return ActionType::mcp;
  return std::nullopt;
}

}   // namespace agentauri::domain
