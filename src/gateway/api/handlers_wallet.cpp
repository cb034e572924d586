// /auth/nonce and /auth/wallet: signing in with a wallet.
#include "gateway/api/auth_replies.hpp"
#include "gateway/api/handler_parts.hpp"
#include "gateway/api/render.hpp"
#include "gateway/api/render_wallets.hpp"
#include "gateway/api/routes.hpp"
#include "gateway/auth/wallet_signature.hpp"
#include "gateway/use_cases/wallets.hpp"

namespace agentauri::gateway {
namespace {

constexpr std::size_t kAddressLength = 42;
// Of one wallet at the same moment, or of two whose names begin alike: each but one starts over.
constexpr int kSignInTries = 5;

struct WalletForm {
  Address address;
  std::string signature, text;
  std::optional<std::string> invitation;
};
Outcome<WalletForm> read_form(const net::HttpRequest& http) {
  auto body = read_body(http);
  if (!body) return pass(body);
  BodyReader reader(*body);
  const auto address = reader.required_text("address");
  WalletForm out;
  out.signature = reader.required_text("signature");
  out.text = reader.required_text("message");
  out.invitation = reader.text("invitation");
  if (reader.refusal()) return std::unexpected(*reader.refusal());
  Validation validation;
  validation.length("address", address, kAddressLength, kAddressLength);
  validation.length("signature", out.signature, 1, SIZE_MAX);
  validation.length("message", out.text, 1, SIZE_MAX);
  if (!validation.ok()) return std::unexpected(validation.refusal());
  auto parsed = read_wallet_address(address);
  if (!parsed) return pass(parsed);
  out.address = *parsed;
  return out;
}

Unit check_nonce(LoginText login, Time now) {
  return handlers::unit_of(false, "Failed to verify nonce", [login, now](store::Tx& tx) -> Outcome<Reply> {
    if (auto good = check_login_nonce(tx, login, now); !good) return pass(good);
    return Reply();
  });
}

Unit sign_in(LoginText login, bool by_contract, const Services& services, ClientInfo client) {
  return handlers::unit_of(
      true, "Failed to process wallet login",
      [login, by_contract, client = std::move(client), &issuer = services.issuer, &settings = services.settings,
       now = services.clock.now()](store::Tx& tx) -> Outcome<Reply> {
        auto who = sign_in_with_wallet(tx, login, by_contract, settings, issuer, now, client);
        if (who) return signed_in(std::move(*who), 200, settings.production);
        // Words of its own keep the cause, by which the caller knows to start over.
        if (who.error().cause && who.error().cause->code == Code::conflict)
          who.error().message = "Failed to create user";
        return pass(who);
      });
}

}   // namespace

Unit count_bad_signature(const Uuid& nonce) {
  return handlers::unit_of(true, "Failed to verify nonce", [nonce](store::Tx& tx) -> Outcome<Reply> {
    if (auto counted = store::count_nonce_attempt(tx, nonce); !counted) return broken(counted);
    return Reply();
  });
}

namespace handlers {

Outcome<Unit> issue_nonce(const Services& services, const Request& request) {
  auto body = read_body(request.http);
  if (!body) return pass(body);
  BodyReader reader(*body);
  auto address = reader.text("address");
  if (!address) address = reader.text("wallet_address");
  reader.require("address", address.has_value());
  const auto chain = reader.integer("chain_id", 1, INT64_MAX).value_or(1);
  if (reader.refusal()) return std::unexpected(*reader.refusal());
  Validation validation;
  validation.length("address", *address, kAddressLength, kAddressLength);
  if (!validation.ok()) return std::unexpected(validation.refusal());
  const auto parsed = read_wallet_address(*address);
  if (!parsed) return std::unexpected(parsed.error());
  return unit_of(true, "Failed to generate nonce",
                 [&settings = services.settings, account = *parsed, chain,
                  now = services.clock.now()](store::Tx& tx) -> Outcome<Reply> {
                   auto issued = issue_login_text(tx, settings, account, chain, now);
                   if (!issued) return pass(issued);
                   return reply_with(render_nonce(*issued));
                 });
}

Task<Outcome<Reply>> log_in_with_wallet(Services& services, Request& request) {
  auto form = read_form(request.http);
  if (!form) co_return pass(form);
  const Time now = services.clock.now();
  auto login = read_login_text(services.settings, form->address, form->text, now);
  if (!login) co_return pass(login);
  login->invitation = std::move(form->invitation);
  if (auto good = co_await run_unit(services, request, check_nonce(*login, now)); !good) co_return pass(good);

  SignedMessage message{form->address, login->chain_id, std::move(form->text), std::move(form->signature)};
  auto proof =
      co_await verify_signature(services.chains, std::move(message), std::chrono::steady_clock::now() + kChainTime);
  if (!proof && is_bad_signature(proof.error())) {
    auto counted = co_await run_unit(services, request, count_bad_signature(login->nonce));
    if (!counted) co_return pass(counted);
  }
  if (!proof) co_return pass(proof);

  Outcome<Reply> reply;
  for (int i = 0; i < kSignInTries; ++i) {
    reply = co_await run_unit(services, request, sign_in(*login, proof->by_contract, services, request.client()));
    const bool raced = !reply && reply.error().cause && reply.error().cause->code == Code::conflict;
    if (!raced) break;
  }
  co_return reply;
}

}   // namespace handlers
}   // namespace agentauri::gateway
