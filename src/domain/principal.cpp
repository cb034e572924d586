#include "domain/principal.hpp"

namespace agentauri::domain {

std::string_view to_string(Role role) {
  switch (role) {
    case Role::viewer:
      return "viewer";
    case Role::member:
      return "member";
    case Role::admin:
      return "admin";
    case Role::owner:
      return "owner";
  }
  return "viewer";
}

std::optional<Role> parse_role(std::string_view text) {
  if (text == "viewer") return Role::viewer;
  if (text == "member") return Role::member;
  if (text == "admin") return Role::admin;
  if (text == "owner") return Role::owner;
  return std::nullopt;
}

}   // namespace agentauri::domain
