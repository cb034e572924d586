// /auth/*: registration, sessions, who am I.
#include <fmt/format.h>

#include "gateway/api/body.hpp"
#include "gateway/api/origin.hpp"
#include "gateway/api/render.hpp"
#include "gateway/api/routes.hpp"
#include "gateway/auth/jwt.hpp"

namespace agentauri::gateway {
namespace {

std::pair<std::string, std::string> access_cookie(std::string_view token, bool production) {
  return {"Set-Cookie", fmt::format("{}={}; HttpOnly; SameSite=Lax; {}Path=/; Max-Age={}", kAccessCookie, token,
                                    production ? "Secure; " : "", kAccessTokenSeconds)};
}
std::pair<std::string, std::string> refresh_cookie(std::string_view token, bool production) {
  const auto life = std::chrono::duration_cast<std::chrono::seconds>(kRefreshTokenLife).count();
  return {"Set-Cookie", fmt::format("{}={}; HttpOnly; SameSite=Strict; {}Path=/api/v1/auth; Max-Age={}", kRefreshCookie,
                                    token, production ? "Secure; " : "", life)};
}

Reply signed_in(SignedIn&& who, int status, bool production) {
  Reply reply;
  reply.status = status;
  reply.body = render_auth(who);
  reply.headers = {access_cookie(who.tokens.access, production), refresh_cookie(who.tokens.refresh, production)};
  reply.revoked = std::move(who.revoked);
  return reply;
}

Refusal lane_full() {
  Refusal out = Refusal::make(503, "service_unavailable", "Too many logins at this moment. Please try again.");
  out.retry_after_s = 1;
  return out;
}

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

struct LoginForm {
  std::string identifier, password;
};
Outcome<LoginForm> read_login(const net::HttpRequest& http) {
  auto body = read_body(http);
  if (!body) return pass(body);
  BodyReader reader(*body);
  std::optional<std::string> identifier;
  for (const auto* name : {"username_or_email", "username", "email"}) {
    if (auto value = reader.text(name); value && !identifier) identifier = std::move(value);
  }
  reader.require("username_or_email", identifier.has_value());
  LoginForm out{identifier.value_or(""), reader.required_text("password")};
  if (reader.refusal()) return std::unexpected(*reader.refusal());
  Validation validation;
  validation.length("username_or_email", out.identifier, 1, 1000);
  validation.length("password", out.password, 1, 1000);
  if (!validation.ok()) return std::unexpected(validation.refusal());
  return out;
}

std::unexpected<Refusal> invalid_credentials(std::string_view why) {
  return unauthenticated("invalid_credentials", "Invalid credentials", why);
}

// Everything after the reservation in the limiter.
Task<Outcome<Reply>> check_and_log_in(Services& services, const Request& request, LoginForm form) {
  auto found = co_await services.db.snapshot<std::optional<store::Account>>(
      [id = form.identifier](store::Tx& tx) { return find_login(tx, id); });
  if (!found) {
    auto refusal = store_refusal(found.error(), "Failed to process login");
    if (refusal.status == 503) refusal.message = "Unable to verify account status. Please try again later.";
    co_return std::unexpected(std::move(refusal));
  }
  const bool has_password = *found && (*found)->password_hash;
  if (!has_password) {
    // The same work as for a user who exists, so that the time says nothing.
    auto checked = co_await services.argon.verify_nobody(std::move(form.password));
    if (!checked) co_return std::unexpected(lane_full());
    co_return invalid_credentials(*found ? "the user has no password" : "there is no such user");
  }
  const store::Account account = std::move(**found);
  if (auto may = check_may_log_in(account, services.clock.now()); !may) co_return pass(may);
  auto right = co_await services.argon.verify(*account.password_hash, std::move(form.password));
  if (!right) co_return std::unexpected(lane_full());

  Unit unit;
  unit.writes = true;
  unit.operation = "Failed to process login";
  if (!*right) {
    unit.body = [id = account.id, now = services.clock.now()](store::Tx& tx) -> Outcome<Reply> {
      if (auto noted = note_wrong_password(tx, id, now); !noted) return pass(noted);
      return invalid_credentials("the password is wrong");
    };
  } else {
    unit.body = [account, &issuer = services.issuer, now = services.clock.now(),
                 production = services.settings.production](store::Tx& tx) -> Outcome<Reply> {
      auto who = log_in(tx, account, issuer, now);
      if (!who) return pass(who);
      return signed_in(std::move(*who), 200, production);
    };
  }
  co_return co_await run_unit(services, request, std::move(unit));
}

}   // namespace

namespace handlers {

Task<Outcome<Reply>> register_account(Services& services, Request& request) {
  auto body = read_body(request.http);
  if (!body) co_return pass(body);
  BodyReader reader(*body);
  NewUser user{reader.required_text("username"), reader.required_text("email"), reader.required_text("password")};
  if (reader.refusal()) co_return std::unexpected(*reader.refusal());
  if (auto checked = check_new_user(user, services.settings.password_policy); !checked) co_return pass(checked);
  // Before the dear part; the transaction below decides.
  Unit look;
  look.operation = "Failed to process registration";
  look.body = [user](store::Tx& tx) -> Outcome<Reply> {
    if (auto is_free = check_name_is_free(tx, user); !is_free) return pass(is_free);
    return Reply();
  };
  if (auto looked = co_await run_unit(services, request, std::move(look)); !looked) co_return pass(looked);

  auto hash = co_await services.argon.hash(user.password);
  if (!hash) co_return std::unexpected(lane_full());
  Unit unit;
  unit.writes = true;
  unit.operation = "Failed to create user";
  unit.body = [user, hash = *hash, &issuer = services.issuer, now = services.clock.now(),
               production = services.settings.production](store::Tx& tx) -> Outcome<Reply> {
    auto who = create_account(tx, user, hash, issuer, now);
    if (!who) return pass(who);
    return signed_in(std::move(*who), 201, production);
  };
  co_return co_await run_unit(services, request, std::move(unit));
}

Task<Outcome<Reply>> log_in(Services& services, Request& request) {
  auto form = read_login(request.http);
  if (!form) co_return pass(form);
  auto reservation = services.limiter.reserve_login(request.client_ip, form->identifier, request.allowance);
  if (!reservation) co_return pass(reservation);
  auto reply = co_await check_and_log_in(services, request, std::move(*form));
  // What the client did not get wrong is not held against it.
  if (reply || reply.error().status >= 500) services.limiter.refund(*reservation);
  co_return reply;
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
  unit.body = [token = **token, client = ClientInfo{request.user_agent(), request.client_ip}, &issuer = services.issuer,
               &sessions = services.sessions, now = services.clock.now(),
               production = services.settings.production](store::Tx& tx) -> Outcome<Reply> {
    std::vector<domain::SessionId> revoked;
    auto tokens = issuer.rotate(tx, token, client, now, revoked);
    // A replay ends the session although the answer is a refusal. Should the commit fail, refusing it a little early
    // costs one more look at the store.
    for (const auto session : revoked) sessions.revoke(session);
    if (!tokens) return pass(tokens);
    Reply reply;
    reply.body = render_tokens(*tokens);
    reply.headers = {access_cookie(tokens->access, production), refresh_cookie(tokens->refresh, production)};
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
    reply.headers = {{"Set-Cookie", fmt::format("{}=; HttpOnly; Path=/; Max-Age=0", kAccessCookie)},
                     {"Set-Cookie", fmt::format("{}=; HttpOnly; Path=/api/v1/auth; Max-Age=0", kRefreshCookie)}};
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
