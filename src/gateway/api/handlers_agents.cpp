// Agents of organizations: linking what is on chain to who is here.
#include "gateway/api/handler_parts.hpp"
#include "gateway/api/render_wallets.hpp"
#include "gateway/api/routes.hpp"
#include "gateway/auth/agent_owner.hpp"
#include "gateway/auth/wallet_signature.hpp"
#include "gateway/use_cases/agent_links.hpp"

namespace agentauri::gateway {
namespace {

constexpr std::size_t kAddressLength = 42;
constexpr std::size_t kMaxSignatureText = 2 + 2 * 8192;

// A JSON integer, or decimal digits for what is larger than programs keep exactly.
std::optional<Uint256> read_agent_id(const json::Value& value) {
  if (value.is_int64() && value.get_int64() >= 0) return Uint256(static_cast<std::uint64_t>(value.get_int64()));
  if (value.is_uint64()) return Uint256(value.get_uint64());
  return value.is_string() ? parse_uint256(json::view(value.get_string())) : std::nullopt;
}

// The members that challenge and link have in common.
Outcome<LinkWish> read_wish(BodyReader& reader, const ChainReader& chains, Validation& validation) {
  LinkWish out;
  const auto* agent = reader.any("agent_id");
  reader.require("agent_id", agent != nullptr);
  const auto id = agent != nullptr ? read_agent_id(*agent) : std::nullopt;
  if (agent != nullptr && !id) reader.fault("field `agent_id` must be an unsigned integer or its decimal digits");
  out.agent = id.value_or(Uint256());
  const auto chain = reader.integer("chain_id", 1, INT64_MAX);
  reader.require("chain_id", chain.has_value());
  out.chain_id = chain.value_or(0);
  out.organization = reader.required_text("organization_id");
  out.wallet = reader.required_text("wallet_address");
  const auto registry = reader.text("registry");
  if (reader.refusal()) return std::unexpected(*reader.refusal());
  validation.length("organization_id", out.organization, 1, 1000);
  validation.length("wallet_address", out.wallet, kAddressLength, kAddressLength);
  out.registry = chains.identity_registry(out.chain_id);
  if (registry && out.registry && parse_address(*registry) != out.registry)
    validation.add("registry", "registry", "Validation error: registry is not the identity registry of the chain");
  return out;
}

Outcome<void> finish_wish(LinkWish& wish, const Validation& validation) {
  if (!validation.ok()) return std::unexpected(validation.refusal());
  auto address = read_wallet_address(wish.wallet);
  if (!address) return pass(address);
  wish.address = *address;
  return {};
}

struct LinkForm {
  LinkWish wish;
  std::string challenge, signature;
};
Outcome<LinkForm> read_link(const net::HttpRequest& http, const ChainReader& chains) {
  auto body = read_body(http);
  if (!body) return pass(body);
  BodyReader reader(*body);
  LinkForm out;
  out.challenge = reader.required_text("challenge");
  out.signature = reader.required_text("signature");
  Validation validation;
  auto wish = read_wish(reader, chains, validation);
  if (!wish) return pass(wish);
  out.wish = std::move(*wish);
  validation.length("challenge", out.challenge, 1, kMaxSiweBytes);
  validation.length("signature", out.signature, 1, kMaxSignatureText);
  if (auto finished = finish_wish(out.wish, validation); !finished) return pass(finished);
  return out;
}

// The signature, then the owner: of two faults the cheaper one is told.
Task<Outcome<void>> prove_ownership(ChainReader& chains, const LinkForm& form) {
  const auto deadline = std::chrono::steady_clock::now() + kChainTime;
  const auto& wish = form.wish;
  SignedMessage message{wish.address, wish.chain_id, form.challenge, form.signature};
  auto proof = co_await verify_signature(chains, std::move(message), deadline);
  if (!proof) {
    if (is_bad_signature(proof.error())) {
      proof.error().message = "Signature verification failed: " + proof.error().message;
      proof.error().code = "invalid_signature";
    }
    co_return pass(proof);
  }
  auto owner = co_await read_agent_owner(chains, wish.chain_id, *wish.registry, wish.agent, deadline);
  if (!owner) co_return pass(owner);
  if (*owner != wish.address) co_return refuse(403, "not_owner", "Wallet address does not own this agent NFT");
  co_return Outcome<void>();
}

Outcome<Unit> list_agents_of(const Services& services, const Request& request, std::string organization) {
  return handlers::unit_of(false, "Failed to list linked agents",
                           [caller = request.caller(services.clock),
                            organization = std::move(organization)](store::Tx& tx) -> Outcome<Reply> {
                             auto links = list_linked_agents(tx, caller, organization);
                             if (!links) return pass(links);
                             json::Array rows;
                             for (const auto& link : *links) rows.push_back(render_agent_link(link));
                             Reply reply;
                             reply.body = std::move(rows);
                             return reply;
                           });
}

}   // namespace

namespace handlers {

Outcome<Unit> issue_link_challenge(const Services& services, const Request& request) {
  auto body = read_body(request.http);
  if (!body) return pass(body);
  BodyReader reader(*body);
  Validation validation;
  auto wish = read_wish(reader, services.chains, validation);
  if (!wish) return pass(wish);
  if (auto finished = finish_wish(*wish, validation); !finished) return pass(finished);
  return unit_of(true, "Failed to generate challenge",
                 [caller = request.caller(services.clock), &settings = services.settings,
                  wish = std::move(*wish)](store::Tx& tx) -> Outcome<Reply> {
                   auto issued = gateway::issue_link_challenge(tx, caller, settings, wish);
                   if (!issued) return pass(issued);
                   return reply_with(render_challenge(*issued));
                 });
}

Task<Outcome<Reply>> link_agent(Services& services, Request& request) {
  auto form = read_link(request.http, services.chains);
  if (!form) co_return pass(form);
  const auto caller = request.caller(services.clock);
  const auto nonce = std::make_shared<Uuid>();
  Unit check = unit_of(false, "Failed to link agent",
                       [caller, &settings = services.settings, form = *form, nonce](store::Tx& tx) -> Outcome<Reply> {
                         auto good = check_link_challenge(tx, caller, settings, form.wish, form.challenge);
                         if (!good) return pass(good);
                         *nonce = *good;
                         return Reply();
                       });
  if (auto good = co_await run_unit(services, request, std::move(check)); !good) co_return pass(good);

  auto proof = co_await prove_ownership(services.chains, *form);
  if (!proof && is_bad_signature(proof.error())) {
    auto counted = co_await run_unit(services, request, count_bad_signature(*nonce));
    if (!counted) co_return pass(counted);
  }
  if (!proof) co_return pass(proof);
  co_return co_await run_unit(services, request,
                              unit_of(true, "Failed to link agent",
                                      [caller = request.caller(services.clock), form = std::move(*form),
                                       nonce](store::Tx& tx) -> Outcome<Reply> {
                                        auto link = gateway::link_agent(tx, caller, form.wish, *nonce, form.signature);
                                        if (!link) return pass(link);
                                        return reply_with(render_agent_link(*link), 201);
                                      }));
}

Outcome<Unit> list_linked_agents(const Services& services, const Request& request) {
  QueryReader query(request.http.query);
  auto organization = query.text({"organization_id"});
  if (query.refusal()) return std::unexpected(*query.refusal());
  if (!organization) return bad_request("Query deserialize error: missing field `organization_id`");
  return list_agents_of(services, request, std::move(*organization));
}

Outcome<Unit> list_organization_agents(const Services& services, const Request& request) {
  return list_agents_of(services, request, request.params[0]);
}

Outcome<Unit> unlink_agent(const Services& services, const Request& request) {
  QueryReader query(request.http.query);
  auto organization = query.text({"organization_id"});
  const auto chain = query.integer({"chain_id"});
  if (query.refusal()) return std::unexpected(*query.refusal());
  if (!chain) return bad_request("Query deserialize error: missing field `chain_id`");
  if (!organization) return bad_request("Query deserialize error: missing field `organization_id`");
  // No link has such an id, but whose organization it is comes first.
  const auto agent = parse_uint256(request.params[0]);
  return unit_of(true, "Failed to unlink agent",
                 [caller = request.caller(services.clock), organization = std::move(*organization), chain = *chain,
                  agent](store::Tx& tx) -> Outcome<Reply> {
                   if (!agent) return not_found("Agent link not found");
                   auto ended = gateway::unlink_agent(tx, caller, organization, chain, *agent);
                   if (!ended) return pass(ended);
                   json::Object out;
                   out["data"] = "Agent unlinked successfully";
                   return reply_with(std::move(out));
                 });
}

}   // namespace handlers
}   // namespace agentauri::gateway
