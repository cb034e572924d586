#include "gateway/use_cases/operate_users.hpp"

#include <fmt/format.h>

#include "store/api_keys.hpp"

namespace agentauri::gateway {
namespace {

using domain::AccountId;
using store::Tx;

// Held, so that a login that is under way opens its session before this or finds what this left.
Outcome<void> hold(Tx& tx, AccountId user) {
  auto held = store::hold_account(tx, user);
  if (!held) return broken(held);
  if (!*held) return not_found("The user is gone");
  return {};
}

Outcome<std::size_t> end_sessions(Tx& tx, AccountId user, std::string_view reason, Time now) {
  auto ended = store::revoke_sessions_of(tx, user, std::nullopt, reason, now);
  if (!ended) return broken(ended);
  return ended->size();
}

Outcome<void> done(Result<void> result) {
  if (!result) return broken(result);
  return {};
}

}   // namespace

Outcome<store::Account> find_user(Tx& tx, const std::string& name) {
  auto found = find_login(tx, name);
  if (!found) return broken(found);
  if (!*found) return not_found(fmt::format("there is no user \"{}\"", name));
  return std::move(**found);
}

Outcome<std::size_t> reset_password(Tx& tx, AccountId user, const std::string& password_hash, Time now) {
  if (auto held = hold(tx, user); !held) return pass(held);
  if (auto set = store::set_password(tx, user, password_hash, now); !set) return broken(set);
  return end_sessions(tx, user, "password reset by an operator", now);
}

Outcome<std::size_t> disable_user(Tx& tx, AccountId user, Time now) {
  if (auto held = hold(tx, user); !held) return pass(held);
  if (auto set = store::set_active(tx, user, false, now); !set) return broken(set);
  if (auto told = store::recheck_api_keys_of(tx, user, now); !told) return broken(told);
  return end_sessions(tx, user, "user disabled", now);
}

Outcome<void> enable_user(Tx& tx, AccountId user, Time now) {
  if (auto held = hold(tx, user); !held) return held;
  return done(store::set_active(tx, user, true, now));
}

Outcome<void> promote_user(Tx& tx, AccountId user, bool is_admin, Time now) {
  if (auto held = hold(tx, user); !held) return held;
  return done(store::set_admin(tx, user, is_admin, now));
}

Outcome<void> unlock_user(Tx& tx, AccountId user) {
  if (auto held = hold(tx, user); !held) return held;
  return done(store::unlock_account(tx, user));
}

Outcome<std::size_t> sign_out_user(Tx& tx, AccountId user, Time now) {
  if (auto held = hold(tx, user); !held) return pass(held);
  return end_sessions(tx, user, "signed out by an operator", now);
}

}   // namespace agentauri::gateway
