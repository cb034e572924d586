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

std::string_view to_string(Permission permission) {
  switch (permission) {
    case Permission::read:
      return "read";
    case Permission::write:
      return "write";
    case Permission::remove:
      return "delete";
    case Permission::admin:
      return "admin";
  }
  return "read";
}

std::optional<Permission> parse_permission(std::string_view text) {
  if (text == "read") return Permission::read;
  if (text == "write") return Permission::write;
  if (text == "delete") return Permission::remove;
  if (text == "admin") return Permission::admin;
  return std::nullopt;
}

Role Permissions::role() const {
  if (allows(Permission::admin)) return Role::admin;
  return allows(Permission::write) || allows(Permission::remove) ? Role::member : Role::viewer;
}

}   // namespace agentauri::domain
