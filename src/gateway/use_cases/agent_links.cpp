#include "gateway/use_cases/agent_links.hpp"

#include <fmt/format.h>

#include "core/base/text.hpp"
#include "gateway/use_cases/organizations.hpp"

namespace agentauri::gateway {
namespace {

using domain::Role;
using store::Tx;

std::unexpected<Refusal> invalid_challenge(std::string text) {
  return refuse(400, "invalid_challenge", std::move(text));
}

// One sentence for what does not exist and for what is not the caller's.
template <class T>
Outcome<T> as_member(Outcome<T> found) {
  if (!found && found.error().status == 404) found.error().message = "Organization not found or you are not a member";
  return found;
}

Outcome<OrganizationContext> require_admin(Tx& tx, const Caller& caller, std::string_view organization,
                                           std::string_view denial) {
  auto found = as_member(find_organization_of_path(tx, caller, organization));
  if (found && found->role < Role::admin) return forbidden(std::string(denial));
  return found;
}
Outcome<OrganizationContext> require_linker(Tx& tx, const Caller& caller, const LinkWish& wish) {
  auto found = require_admin(tx, caller, wish.organization, "Only admins can link agents to the organization");
  if (found && !wish.registry)
    return refuse(400, "unsupported_chain",
                  fmt::format("Chain {} has no identity registry that this service knows", wish.chain_id));
  return found;
}

std::string statement_of(const LinkWish& wish, domain::OrganizationId organization) {
  return fmt::format("Link ERC-8004 agent {} to AgentAuri organization {}", to_string(wish.agent),
                     to_string(organization));
}
std::vector<std::string> resources_of(const LinkWish& wish, domain::OrganizationId organization) {
  return {fmt::format("urn:agentauri:link:eip155:{}:{}:{}", wish.chain_id, to_hex_0x(*wish.registry),
                      to_string(wish.agent)),
          fmt::format("urn:agentauri:org:{}", to_string(organization))};
}

SiweExpectation expected_of(const GatewaySettings& settings, const LinkWish& wish, domain::OrganizationId organization,
                            const Uuid& nonce) {
  SiweExpectation out;
  out.domains = {settings.siwe_domains.front()};
  out.uri = settings.siwe_uri;
  out.chain_id = static_cast<std::uint64_t>(wish.chain_id);
  out.chain_ids = {out.chain_id};
  out.statement = statement_of(wish, organization);
  out.nonce = to_hex(nonce.view());
  out.address = wish.address;
  out.request_id = to_string(nonce);
  out.resources = resources_of(wish, organization);
  out.resources_required = true;
  return out;
}

// Found in the store, and still good.
Outcome<void> check_nonce(Tx& tx, const Uuid& id, std::string_view challenge, Time now) {
  auto row = store::find_nonce(tx, id, kLinkPurpose);
  if (!row) return broken(row);
  if (!*row || (*row)->message != challenge)
    return invalid_challenge("The challenge is none that this service issued. Please request a new one.");
  if ((*row)->used_at)
    return refuse(400, "nonce_reused", "This challenge has already been used. Please request a new one.");
  if ((*row)->expires_at <= now)
    return refuse(400, "challenge_expired", "Challenge has expired. Please request a new one.");
  if ((*row)->attempts >= store::kNonceAttempts)
    return invalid_challenge("The challenge is void after too many bad signatures. Please request a new one.");
  return {};
}

}   // namespace

Outcome<IssuedText> issue_link_challenge(Tx& tx, const Caller& caller, const GatewaySettings& settings,
                                         const LinkWish& wish) {
  auto organization = require_linker(tx, caller, wish);
  if (!organization) return pass(organization);
  const Uuid nonce = make_uuid_v4();
  const Time expires_at = caller.now + kLinkNonceLife;
  auto message = make_siwe_message(settings, wish.address, wish.chain_id, nonce, caller.now, expires_at);
  message.statement = statement_of(wish, organization->id);
  message.resources = resources_of(wish, organization->id);
  IssuedText out{nonce, message.format(), expires_at};
  const store::Nonce row{.nonce = nonce,
                         .purpose = std::string(kLinkPurpose),
                         .address = to_hex_0x(wish.address),
                         .chain_id = wish.chain_id,
                         .message = out.message,
                         .created_at = caller.now,
                         .expires_at = expires_at};
  if (auto inserted = store::insert_nonce(tx, row); !inserted) return broken(inserted);
  return out;
}

Outcome<Uuid> check_link_challenge(Tx& tx, const Caller& caller, const GatewaySettings& settings, const LinkWish& wish,
                                   std::string_view challenge) {
  auto organization = require_linker(tx, caller, wish);
  if (!organization) return pass(organization);
  if (!challenge.contains("\nNonce: ")) return invalid_challenge("Nonce not found in challenge message");
  const auto message = SiweMessage::parse(challenge);
  if (!message) {
    auto out = invalid_challenge("The challenge is none that this service issued. Please request a new one.");
    out.error().details.push_back({"challenge", "eip4361", message.error().field + ": " + message.error().text});
    return out;
  }
  const auto nonce = read_nonce(message->nonce);
  if (!nonce) return invalid_challenge("The challenge is none that this service issued. Please request a new one.");
  if (auto good = check_nonce(tx, *nonce, challenge, caller.now); !good) return pass(good);
  // As issued, but for this very wish?
  const auto expected = expected_of(settings, wish, organization->id, *nonce);
  if (const auto fault = check_siwe(*message, expected, caller.now)) {
    if (fault->code == "message_expired")
      return refuse(400, "challenge_expired", "Challenge has expired. Please request a new one.");
    return invalid_challenge("The challenge was issued for something else: " + fault->text);
  }
  return *nonce;
}

Outcome<store::AgentLink> link_agent(Tx& tx, const Caller& caller, const LinkWish& wish, const Uuid& nonce,
                                     const std::string& signature) {
  // Held, so that it cannot go away below the new row.
  auto held = as_member(hold_organization(tx, caller, wish.organization));
  if (!held) return pass(held);
  if (held->role < Role::admin) return forbidden("Only admins can link agents to the organization");
  store::AgentLink out;
  out.id = make_uuid_v7(caller.now);
  out.chain_id = wish.chain_id;
  out.registry = to_hex_0x(*wish.registry);
  out.agent_id = to_string(wish.agent);
  out.organization_id = held->organization.id;
  out.wallet_address = wish.wallet;
  out.linked_by = caller.principal.account;
  out.signature = signature;
  out.created_at = caller.now;

  auto existing = store::find_active_link(tx, out.chain_id, out.registry, out.agent_id);
  if (!existing) return broken(existing);
  const auto taken = [] { return refuse(409, "already_linked", "This agent is already linked to an organization"); };
  if (*existing && to_lower((*existing)->wallet_address) == to_hex_0x(wish.address)) return taken();
  auto mine = store::consume_nonce(tx, nonce, caller.now);
  if (!mine) return broken(mine);
  if (!*mine) return refuse(400, "nonce_reused", "This challenge has already been used. Please request a new one.");
  if (*existing) {
    auto revoked = store::revoke_agent_link(tx, (*existing)->id, "ownership_changed", caller.now);
    if (!revoked) return broken(revoked);
  }
  if (auto inserted = store::insert_agent_link(tx, out); !inserted) {
    if (inserted.error().code != Code::conflict) return broken(inserted);
    auto refused = taken();
    refused.error().cause = inserted.error();
    return refused;
  }
  return out;
}

Outcome<std::vector<store::AgentLink>> list_linked_agents(Tx& tx, const Caller& caller, std::string_view organization) {
  auto found = as_member(find_organization_of_path(tx, caller, organization));
  if (!found) return pass(found);
  auto links = store::list_agent_links(tx, found->id);
  if (!links) return broken(links);
  return std::move(*links);
}

Outcome<void> unlink_agent(Tx& tx, const Caller& caller, std::string_view organization, domain::ChainId chain,
                           const Uint256& agent) {
  auto found = require_admin(tx, caller, organization, "Only admins can unlink agents from the organization");
  if (!found) return pass(found);
  auto link = store::find_link_of_organization(tx, found->id, chain, to_string(agent));
  if (!link) return broken(link);
  if (!*link) return not_found("Agent link not found");
  auto revoked = store::revoke_agent_link(tx, (*link)->id, "unlinked", caller.now);
  if (!revoked) return broken(revoked);
  if (!*revoked) return not_found("Agent link not found or already revoked");
  return {};
}

}   // namespace agentauri::gateway
