// Members of organizations and their roles. Every organization has exactly one owner, whom only a transfer changes.
#pragma once

#include <string>
#include <string_view>

#include "gateway/refusal.hpp"
#include "gateway/use_cases/organization_context.hpp"
#include "gateway/use_cases/triggers.hpp"
#include "store/organizations.hpp"

namespace agentauri::gateway {

// `john@example.com` is `j***@e***.com`.
std::string mask_email(std::string_view email);

Outcome<store::Member> add_member(store::Tx& tx, const Caller& caller, std::string_view organization,
                                  const std::string& account, const std::string& role);
// Addresses are masked but for an owner, an admin, and in the caller's own row.
Outcome<store::MemberPage> list_members(store::Tx& tx, const Caller& caller, std::string_view organization,
                                        const PageBounds& page);
Outcome<store::Member> update_member(store::Tx& tx, const Caller& caller, std::string_view organization,
                                     std::string_view account, const std::string& role);
// Anybody may leave, but the owner.
Outcome<void> remove_member(store::Tx& tx, const Caller& caller, std::string_view organization,
                            std::string_view account);

}   // namespace agentauri::gateway
