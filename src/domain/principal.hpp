// Who is asking. Every use-case takes one; authenticate() is the only place that makes one.
#pragma once

#include <optional>
#include <string>

#include "domain/ids.hpp"

namespace agentauri::domain {

enum class Role : std::uint8_t { viewer, member, admin, owner };
std::string_view to_string(Role role);
std::optional<Role> parse_role(std::string_view text);

// What an API key may do.
enum class Permission : std::uint8_t { read, write, remove, admin };   // `delete` on the wire
std::string_view to_string(Permission permission);
std::optional<Permission> parse_permission(std::string_view text);

class Permissions {
 public:
  void add(Permission permission) { bits_ |= bit(permission); }
  // `admin` implies all.
  bool allows(Permission permission) const { return (bits_ & (bit(permission) | bit(Permission::admin))) != 0; }
  // What a key with these counts as where a role is asked for: never the owner.
  Role role() const;

 private:
  static constexpr std::uint8_t bit(Permission permission) {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(permission));
  }
  std::uint8_t bits_ = 0;
};

struct Principal {
  enum class Kind : std::uint8_t { anonymous, session, api_key };

  Kind kind = Kind::anonymous;
  AccountId account;   // the user, or the creator of the key
  std::string username;
  std::optional<SessionId> session;
  std::optional<OrganizationId> organization;   // of this request: header, else the personal one
  Role role = Role::viewer;                     // in that organization
  bool by_cookie = false;                       // unsafe methods then need an allowed Origin
  // Of a key, whose organization is `organization` and no other:
  std::optional<ApiKeyId> key;
  Permissions permissions;
  std::string plan;                                  // of the organization
  std::optional<std::int64_t> rate_limit_override;   // requests per hour
};

}   // namespace agentauri::domain
