// /auth/*: what deals with passwords: login, the policy, a change.
#include "gateway/api/auth_replies.hpp"
#include "gateway/api/handler_parts.hpp"
#include "gateway/api/render.hpp"
#include "gateway/api/routes.hpp"
#include "gateway/auth/passwords.hpp"

namespace agentauri::gateway {
namespace {

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
  // A flood is turned away before it costs the store anything.
  if (services.argon.is_full()) co_return std::unexpected(lane_full());
  auto found = co_await services.db.snapshot<std::optional<store::Account>>(
      [id = form.identifier](store::Tx& tx) { return find_login(tx, id); });
  if (!found) {
    auto refusal = store_refusal(found.error(), "Failed to process login");
    if (refusal.status == 503) refusal.message = "Unable to verify account status. Please try again later.";
    co_return std::unexpected(std::move(refusal));
  }
  Unit unit;
  unit.writes = true;
  unit.operation = "Failed to process login";
  const bool has_password = *found && (*found)->password_hash;
  if (!has_password) {
    // The same work as for a user who exists, hash and commit, so that the time says nothing.
    auto checked = co_await services.argon.verify_nobody(std::move(form.password));
    if (!checked) co_return std::unexpected(lane_full());
    unit.body = [exists = found->has_value()](store::Tx& tx) -> Outcome<Reply> {
      if (auto noted = note_login_of_nobody(tx); !noted) return pass(noted);
      return invalid_credentials(exists ? "the user has no password" : "there is no such user");
    };
    co_return co_await run_unit(services, request, std::move(unit));
  }
  const store::Account account = std::move(**found);
  if (auto may = check_may_log_in(account, services.clock.now()); !may) co_return pass(may);
  auto right = co_await services.argon.verify(*account.password_hash, std::move(form.password));
  if (!right) co_return std::unexpected(lane_full());

  if (!*right) {
    unit.body = [id = account.id, now = services.clock.now()](store::Tx& tx) -> Outcome<Reply> {
      if (auto noted = note_wrong_password(tx, id, now); !noted) return pass(noted);
      return invalid_credentials("the password is wrong");
    };
  } else {
    unit.body = [account, client = request.client(), &issuer = services.issuer, now = services.clock.now(),
                 production = services.settings.production](store::Tx& tx) -> Outcome<Reply> {
      auto who = log_in(tx, account, issuer, now, client);
      if (!who) return pass(who);
      return signed_in(std::move(*who), 200, production);
    };
  }
  co_return co_await run_unit(services, request, std::move(unit));
}

Outcome<PasswordChange> read_password_change(const net::HttpRequest& http) {
  auto body = read_body(http);
  if (!body) return pass(body);
  BodyReader reader(*body);
  PasswordChange out{reader.required_text("current_password"), reader.required_text("new_password")};
  if (reader.refusal()) return std::unexpected(*reader.refusal());
  Validation validation;
  validation.length("current_password", out.current, 1, 1000);
  if (!validation.ok()) return std::unexpected(validation.refusal());
  return out;
}

// The account, if its password may be tried at all and the new one may be a password.
Task<Outcome<store::Account>> find_changing(Services& services, const Request& request, const PasswordChange& change) {
  auto found = co_await services.db.snapshot<std::optional<store::Account>>(
      [id = request.principal.account](store::Tx& tx) { return store::find_account(tx, id); });
  if (!found) co_return std::unexpected(store_refusal(found.error(), "Failed to change password"));
  if (!*found) co_return unauthenticated("token_invalid", "Invalid or expired token", "the user is gone");
  if (!(*found)->password_hash) {
    Validation validation;
    validation.add("current_password", "password_not_set", "This user signs in without a password");
    co_return std::unexpected(validation.refusal());
  }
  if (auto may = check_may_log_in(**found, services.clock.now()); !may) co_return pass(may);
  if (auto checked = check_new_password(**found, change, services.settings.password_policy); !checked)
    co_return pass(checked);
  co_return std::move(**found);
}

Outcome<Reply> password_changed(std::vector<domain::SessionId>&& ended) {
  json::Object body;
  body["success"] = true;
  body["message"] = "Password changed successfully";
  body["sessions_ended"] = static_cast<std::int64_t>(ended.size());
  auto reply = handlers::reply_with(std::move(body));
  reply.revoked = std::move(ended);
  return reply;
}

// A wrong guess counts as at the login: whoever took over a session must not get to try passwords for free.
Task<Outcome<Reply>> check_and_change(Services& services, const Request& request, store::Account account,
                                      PasswordChange change, bool& guessed_wrong) {
  auto right = co_await services.argon.verify(*account.password_hash, std::move(change.current));
  if (!right) co_return std::unexpected(lane_full());
  Unit unit;
  unit.writes = true;
  unit.operation = "Failed to change password";
  if (!*right) {
    guessed_wrong = true;
    unit.body = [id = account.id, now = services.clock.now()](store::Tx& tx) -> Outcome<Reply> {
      if (auto noted = note_wrong_password(tx, id, now); !noted) return pass(noted);
      return wrong_current_password();
    };
    co_return co_await run_unit(services, request, std::move(unit));
  }
  auto hash = co_await services.argon.hash(std::move(change.next));
  if (!hash) co_return std::unexpected(lane_full());
  unit.body = [account = std::move(account), hash = std::move(*hash), kept = *request.principal.session,
               now = services.clock.now()](store::Tx& tx) -> Outcome<Reply> {
    auto ended = gateway::change_password(tx, account, hash, kept, now);
    if (!ended) return pass(ended);
    return password_changed(std::move(*ended));
  };
  co_return co_await run_unit(services, request, std::move(unit));
}

}   // namespace

namespace handlers {

Task<Outcome<Reply>> log_in(Services& services, Request& request) {
  auto form = read_login(request.http);
  if (!form) co_return pass(form);
  auto reservation = co_await services.limiter.reserve_login(request.client_ip, form->identifier, request.allowance);
  if (!reservation) co_return pass(reservation);
  auto reply = co_await check_and_log_in(services, request, std::move(*form));
  // What the client did not get wrong is not held against it.
  if (reply || reply.error().status >= 500) co_await services.limiter.refund(*reservation);
  co_return reply;
}

Task<Outcome<Reply>> password_policy(Services& services, Request&) {
  co_return reply_with(render_password_policy(services.settings));
}

Task<Outcome<Reply>> change_password(Services& services, Request& request) {
  auto change = read_password_change(request.http);
  if (!change) co_return pass(change);
  auto account = co_await find_changing(services, request, *change);
  if (!account) co_return pass(account);
  auto reservation = co_await services.limiter.reserve_login(request.client_ip, account->username, request.allowance);
  if (!reservation) co_return pass(reservation);
  bool guessed_wrong = false;
  auto reply = co_await check_and_change(services, request, std::move(*account), std::move(*change), guessed_wrong);
  if (!guessed_wrong) co_await services.limiter.refund(*reservation);
  co_return reply;
}

}   // namespace handlers
}   // namespace agentauri::gateway
