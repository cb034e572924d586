// Who is asking. Every use-case takes one; authenticate() is the only place that makes one.
#pragma once

#include <optional>
#include <string>

#include "domain/ids.hpp"

namespace agentauri::domain {

enum class Role : std::uint8_t { viewer, member, admin, owner };
std::string_view to_string(Role role);
std::optional<Role> parse_role(std::string_view text);

struct Principal {
  enum class Kind : std::uint8_t { anonymous, session, api_key };

  Kind kind = Kind::anonymous;
  AccountId account;   // the user, or the creator of the key
  std::string username;
  std::optional<SessionId> session;
  std::optional<OrganizationId> organization;   // of this request: header, else the personal one
  Role role = Role::viewer;                     // in that organization
  bool by_cookie = false;                       // unsafe methods then need an allowed Origin
};

}   // namespace agentauri::domain
