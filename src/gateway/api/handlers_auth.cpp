// /auth/*: registration, the next pair of tokens, logout, who am I.
#include <fmt/format.h>

#include "gateway/api/auth_replies.hpp"
#include "gateway/api/body.hpp"
#include "gateway/api/origin.hpp"
#include "gateway/api/render.hpp"
#include "gateway/api/routes.hpp"
#include "gateway/use_cases/registration.hpp"

namespace agentauri::gateway {
namespace {

// The refresh token of a body that may be missing, else of the cookie, which needs an allowed Origin.
Outcome<std::optional<std::string>> find_refresh_token(const Services& services, const Request& request,
                                                       const json::Object& body) {
  BodyReader reader(body);
  auto token = reader.text("refresh_token");
  if (reader.refusal()) return std::unexpected(*reader.refusal());
  if (token) return token;
  token = find_cookie(request.http.headers, kRefreshCookie);
  if (token && !services.cors.allows_cookie(request.http.headers))
    return forbidden("A cookie on this method needs an allowed Origin");
  return token;
}

}   // namespace

namespace handlers {

Task<Outcome<Reply>> register_account(Services& services, Request& request) {
  // Before anything is read, since no body could change it.
  if (services.settings.registration == GatewaySettings::Registration::closed) co_return registration_closed();
  auto body = read_body(request.http);
  if (!body) co_return pass(body);
  BodyReader reader(*body);
  NewUser user{reader.required_text("username"), reader.required_text("email"), reader.required_text("password")};
  const auto invitation = reader.text("invitation");
  if (reader.refusal()) co_return std::unexpected(*reader.refusal());
  if (auto checked = check_new_user(user, services.settings.password_policy); !checked) co_return pass(checked);
  // Before the dear part; the transaction below decides.
  Unit look;
  look.operation = "Failed to process registration";
  look.body = [user, invitation, mode = services.settings.registration,
               now = services.clock.now()](store::Tx& tx) -> Outcome<Reply> {
    if (auto may = check_may_register(tx, mode, invitation, user.email, now); !may) return pass(may);
    if (auto is_free = check_name_is_free(tx, user); !is_free) return pass(is_free);
    return Reply();
  };
  if (auto looked = co_await run_unit(services, request, std::move(look)); !looked) co_return pass(looked);

  auto hash = co_await services.argon.hash(user.password);
  if (!hash) co_return std::unexpected(lane_full());
  Unit unit;
  unit.writes = true;
  unit.operation = "Failed to create user";
  unit.body = [user, invitation, hash = *hash, client = request.client(), &settings = services.settings,
               &issuer = services.issuer, now = services.clock.now()](store::Tx& tx) -> Outcome<Reply> {
    auto who = register_user(tx, user, hash, invitation, settings, issuer, now, client);
    if (!who) return pass(who);
    return signed_in(std::move(*who), 201, settings.production);
  };
  co_return co_await run_unit(services, request, std::move(unit));
}

Outcome<Unit> refresh(const Services& services, const Request& request) {
  const bool has_cookie = find_cookie(request.http.headers, kRefreshCookie).has_value();
  Outcome<json::Object> body = json::Object();
  if (!has_cookie || !request.http.body.empty()) body = read_body(request.http);
  if (!body) return pass(body);
  auto token = find_refresh_token(services, request, *body);
  if (!token) return pass(token);
  if (!*token) return bad_request("Json deserialize error: missing field `refresh_token`");
  Validation validation;
  validation.length("refresh_token", **token, 1, 1000);
  if (!validation.ok()) return std::unexpected(validation.refusal());
  Unit unit;
  unit.writes = true;
  unit.operation = "Failed to process request";
  unit.body = [token = **token, client = request.client(), &issuer = services.issuer, &sessions = services.sessions,
               now = services.clock.now(), production = services.settings.production](store::Tx& tx) -> Outcome<Reply> {
    std::vector<domain::SessionId> revoked;
    auto tokens = issuer.rotate(tx, token, client, now, revoked);
    // A replay ends the session although the answer is a refusal. Should the commit fail, refusing it a little early
    // costs one more look at the store.
    for (const auto session : revoked) sessions.revoke(session);
    if (!tokens) return pass(tokens);
    Reply reply;
    reply.body = render_tokens(*tokens);
    reply.headers = token_cookies(*tokens, production);
    return reply;
  };
  return unit;
}

Outcome<Unit> log_out(const Services& services, const Request& request) {
  Outcome<json::Object> body = json::Object();
  if (!request.http.body.empty()) body = read_body(request.http);
  if (!body) return pass(body);
  BodyReader reader(*body);
  const bool all = reader.flag("all").value_or(false);
  if (reader.refusal()) return std::unexpected(*reader.refusal());
  auto token = find_refresh_token(services, request, *body);
  if (!token) return pass(token);
  LogOut what;
  what.refresh_token = std::move(*token);
  if (request.principal.kind == domain::Principal::Kind::session) {
    // With a token in the body that token says which session is meant.
    if (!reader.text("refresh_token")) what.session = request.principal.session;
    if (all) what.everywhere = request.principal.account;
  }
  Unit unit;
  unit.writes = true;
  unit.operation = "Failed to process request";
  unit.body = [what = std::move(what), now = services.clock.now()](store::Tx& tx) -> Outcome<Reply> {
    auto ended = gateway::log_out(tx, what, now);
    if (!ended) return pass(ended);
    Reply reply;
    json::Object out;
    out["success"] = true;
    out["message"] = "Logged out successfully";
    reply.body = std::move(out);
    reply.headers = no_token_cookies();
    reply.revoked = std::move(*ended);
    return reply;
  };
  return unit;
}

Outcome<Unit> me(const Services&, const Request& request) {
  Unit unit;
  unit.operation = "Failed to fetch user info";
  unit.body = [account = request.principal.account](store::Tx& tx) -> Outcome<Reply> {
    auto found = read_me(tx, account);
    if (!found) return pass(found);
    Reply reply;
    reply.body = render_me(*found);
    return reply;
  };
  return unit;
}

}   // namespace handlers
}   // namespace agentauri::gateway
