// `agentauri user …`: what an operator does to users and invitations, on the store itself.
#include <fmt/format.h>

#include <cstdio>
#include <functional>

#include "app/commands.hpp"
#include "app/embedded_secrets.hpp"
#include "app/exit_codes.hpp"
#include "app/new_password.hpp"
#include "app/open_store.hpp"
#include "core/crypto/crypto.hpp"
#include "core/json/json.hpp"
#include "gateway/auth/passwords.hpp"
#include "gateway/use_cases/operate_users.hpp"
#include "gateway/use_cases/registration.hpp"

namespace agentauri::app {
namespace {

using gateway::Outcome;
using gateway::Refusal;
using store::Account;
using store::Tx;
using Action = UserOptions::Action;

constexpr std::int64_t kAccountPage = 500;

gateway::GatewaySettings::PasswordPolicy policy_of(const Settings& settings) {
  using Policy = gateway::GatewaySettings::PasswordPolicy;
  return settings.password_policy == "strict" ? Policy::strict : Policy::standard;
}

int print_error(const Error& error) {
  fmt::print(stderr, "{}\n", error.text);
  return error.code == Code::invalid && error.field == "password" ? kExitUsage : exit_code_of(error);
}
// What was asked for cannot be done: 64 when it was asked for wrongly, else 1.
int print_refusal(const Refusal& refusal) {
  fmt::print(stderr, "{}\n", refusal.message);
  return refusal.status == 400 ? kExitUsage : kExitNo;
}

json::Value text(const std::optional<std::string>& value) {
  return value ? json::Value(json::String(*value)) : json::Value();
}
json::Value time(const std::optional<Time>& value) {
  return value ? json::Value(json::String(to_rfc3339(*value))) : json::Value();
}

json::Object to_json(const Account& account, Time now) {
  json::Object out;
  out["id"] = to_string(account.id);
  out["username"] = json::String(account.username);
  out["email"] = json::String(account.email);
  out["is_active"] = account.is_active;
  out["is_admin"] = account.is_admin;
  out["has_password"] = account.password_hash.has_value();
  out["locked_until"] =
      account.locked_until && *account.locked_until > now ? time(account.locked_until) : json::Value();
  out["last_login_at"] = time(account.last_login_at);
  out["created_at"] = time(account.created_at);
  return out;
}

std::string_view state_of(const store::Invitation& invitation, Time now) {
  return invitation.used_at ? "used" : invitation.expires_at <= now ? "expired" : "open";
}
json::Object to_json(const store::Invitation& invitation, Time now) {
  json::Object out;
  out["id"] = to_string(invitation.id);
  out["state"] = json::String(state_of(invitation, now));
  out["email"] = text(invitation.email);
  out["created_at"] = time(invitation.created_at);
  out["expires_at"] = time(invitation.expires_at);
  out["used_at"] = time(invitation.used_at);
  out["used_by"] = invitation.used_by ? json::Value(json::String(to_string(*invitation.used_by))) : json::Value();
  return out;
}

void print_json(json::Object object) {
  fmt::print("{}\n", json::dump(object));
}

// An operator's tool on an open store. Each function returns an exit code.
class UserTool {
 public:
  UserTool(store::Database& db, const Settings& settings, const UserOptions& options, Time now)
      : db_(db), settings_(settings), options_(options), now_(now) {}

  int run() {
    switch (options_.action) {
      case Action::list:
        return list();
      case Action::create:
        return create();
      case Action::reset_password:
        return reset_password();
      case Action::invite:
        return invite();
      case Action::invitations:
        return list_invitations();
      case Action::uninvite:
        return change<bool>("taken back", [this](Tx& tx) -> Outcome<bool> {
          auto done = gateway::take_back_invitation(tx, options_.name);
          if (!done) return gateway::pass(done);
          return true;
        });
      default:
        return change_user();
    }
  }

 private:
  // One transaction whose refusal rolls it back and ends the program.
  template <class T>
  std::expected<T, int> transact(std::function<Outcome<T>(Tx&)> body) {
    std::optional<Refusal> refused;
    auto done = db_.transact_blocking<T>(store::Priority::interactive, [&](Tx& tx) -> Result<T> {
      refused.reset();
      auto out = body(tx);
      if (out) return std::move(*out);
      if (out.error().cause && out.error().message.empty()) return std::unexpected(*out.error().cause);
      refused = out.error();
      return fail(Code::cancelled, "refused");
    });
    if (refused) return std::unexpected(print_refusal(*refused));
    if (!done) return std::unexpected(print_error(done.error()));
    return std::move(*done);
  }

  // One that only says that it is done.
  template <class T>
  int change(std::string_view verb, std::function<Outcome<T>(Tx&)> body) {
    auto done = transact<T>(std::move(body));
    if (!done) return done.error();
    if (options_.as_json) {
      json::Object out;
      out["success"] = true;
      if constexpr (std::is_same_v<T, std::size_t>) out["sessions_ended"] = static_cast<std::int64_t>(*done);
      print_json(std::move(out));
      return kExitOk;
    }
    fmt::print(stderr, "{}: {}", options_.name, verb);
    if constexpr (std::is_same_v<T, std::size_t>) fmt::print(stderr, "; sessions ended: {}", *done);
    fmt::print(stderr, "\n");
    return kExitOk;
  }

  // `what` on the user that is named.
  template <class T>
  std::function<Outcome<T>(Tx&)> on_user(std::function<Outcome<T>(Tx&, domain::AccountId)> what) {
    return [this, what = std::move(what)](Tx& tx) -> Outcome<T> {
      auto user = gateway::find_user(tx, options_.name);
      if (!user) return gateway::pass(user);
      return what(tx, user->id);
    };
  }
  static Outcome<bool> yes(Outcome<void> done) {
    if (!done) return gateway::pass(done);
    return true;
  }

  int change_user() {
    using Id = domain::AccountId;
    const Time now = now_;
    switch (options_.action) {
      case Action::disable:
        return change("disabled",
                      on_user<std::size_t>([now](Tx& tx, Id id) { return gateway::disable_user(tx, id, now); }));
      case Action::enable:
        return change("enabled",
                      on_user<bool>([now](Tx& tx, Id id) { return yes(gateway::enable_user(tx, id, now)); }));
      case Action::promote:
        return change("an administrator now",
                      on_user<bool>([now](Tx& tx, Id id) { return yes(gateway::promote_user(tx, id, true, now)); }));
      case Action::demote:
        return change("no administrator any more",
                      on_user<bool>([now](Tx& tx, Id id) { return yes(gateway::promote_user(tx, id, false, now)); }));
      case Action::unlock:
        return change("unlocked", on_user<bool>([](Tx& tx, Id id) { return yes(gateway::unlock_user(tx, id)); }));
      default:
        return change("signed out",
                      on_user<std::size_t>([now](Tx& tx, Id id) { return gateway::sign_out_user(tx, id, now); }));
    }
  }

  int list() {
    json::Array rows;
    std::optional<domain::AccountId> after;
    while (true) {
      auto page = db_.snapshot_blocking<std::vector<Account>>(
          [after](Tx& tx) { return store::list_accounts(tx, after, kAccountPage); });
      if (!page) return print_error(page.error());
      for (const auto& account : *page) {
        if (options_.as_json)
          rows.emplace_back(to_json(account, now_));
        else
          print_line(account);
      }
      if (static_cast<std::int64_t>(page->size()) < kAccountPage) break;
      after = page->back().id;
    }
    if (!options_.as_json) return kExitOk;
    json::Object out;
    out["users"] = std::move(rows);
    print_json(std::move(out));
    return kExitOk;
  }
  void print_line(const Account& account) {
    const bool is_locked = account.locked_until && *account.locked_until > now_;
    fmt::print("{:<8} {:<5} {:<24} {:<32} {}\n",
               !account.is_active ? "disabled"
               : is_locked        ? "locked"
                                  : "active",
               account.is_admin ? "admin" : "-", printable(account.username), printable(account.email),
               account.last_login_at ? to_rfc3339(*account.last_login_at) : "never signed in");
  }
  // Names are their users' own text; a terminal obeys control characters.
  static std::string printable(const std::string& text) {
    std::string out;
    for (const char c : text) out.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c);
    return out;
  }

  // The password and its hash; an exit code when there is none.
  struct Password {
    std::string text, hash;
  };
  std::expected<Password, int> hashed(std::string password) {
    auto hash = crypto::hash_password(password);
    if (!hash) return std::unexpected(print_error(hash.error()));
    return Password{std::move(password), std::move(*hash)};
  }

  int create() {
    auto password = read_new_password(options_.password);
    if (!password) return print_error(password.error());
    const gateway::NewUser user{options_.name, options_.email, *password, options_.is_admin};
    if (auto checked = gateway::check_new_user(user, policy_of(settings_)); !checked)
      return print_refusal(checked.error());
    auto secret = hashed(std::move(*password));
    if (!secret) return secret.error();
    auto made = transact<Account>([&](Tx& tx) { return gateway::insert_user(tx, user, secret->hash, now_); });
    if (!made) return made.error();
    json::Object out;
    out["user"] = to_json(*made, now_);
    return tell_password(std::move(out), secret->text, fmt::format("{}: created", options_.name));
  }

  int reset_password() {
    auto user = transact<Account>([this](Tx& tx) { return gateway::find_user(tx, options_.name); });
    if (!user) return user.error();
    auto password = read_new_password(options_.password);
    if (!password) return print_error(password.error());
    gateway::Validation validation;
    gateway::check_password(*password, user->username, user->email, policy_of(settings_), validation);
    if (!validation.ok()) return print_refusal(validation.refusal());
    auto secret = hashed(std::move(*password));
    if (!secret) return secret.error();
    auto ended =
        transact<std::size_t>([&](Tx& tx) { return gateway::reset_password(tx, user->id, secret->hash, now_); });
    if (!ended) return ended.error();
    json::Object out;
    out["success"] = true;
    out["sessions_ended"] = static_cast<std::int64_t>(*ended);
    return tell_password(std::move(out), secret->text,
                         fmt::format("{}: has another password; sessions ended: {}", options_.name, *ended));
  }

  // A generated password is data; one that the operator typed is known already.
  int tell_password(json::Object out, const std::string& password, const std::string& talk) {
    const bool is_new = options_.password == PasswordSource::generated;
    if (options_.as_json) {
      if (is_new) out["password"] = json::String(password);
      print_json(std::move(out));
      return kExitOk;
    }
    fmt::print(stderr, "{}\n", talk);
    if (is_new) fmt::print("{}\n", password);
    return kExitOk;
  }

  int invite() {
    gateway::NewInvitation wanted;
    if (!options_.email.empty()) wanted.email = options_.email;
    wanted.days = options_.days;
    auto made = transact<gateway::MadeInvitation>([&](Tx& tx) { return gateway::invite(tx, wanted, now_); });
    if (!made) return made.error();
    if (options_.as_json) {
      auto out = to_json(made->invitation, now_);
      out["invitation"] = json::String(made->text);
      print_json(std::move(out));
      return kExitOk;
    }
    fmt::print(stderr, "for one registration until {}{}; it is shown once:\n", to_rfc3339(made->invitation.expires_at),
               wanted.email ? " by " + *wanted.email : "");
    fmt::print("{}\n", made->text);
    return kExitOk;
  }

  int list_invitations() {
    auto rows = db_.snapshot_blocking<std::vector<store::Invitation>>(
        [](Tx& tx) { return store::list_invitations(tx, gateway::kMaxListedInvitations); });
    if (!rows) return print_error(rows.error());
    json::Array list;
    for (const auto& row : *rows) {
      if (options_.as_json)
        list.emplace_back(to_json(row, now_));
      else
        fmt::print("{:<8} {}  until {}  {}\n", state_of(row, now_), to_string(row.id), to_rfc3339(row.expires_at),
                   printable(row.email.value_or("for anybody")));
    }
    if (!options_.as_json) return kExitOk;
    json::Object out;
    out["invitations"] = std::move(list);
    print_json(std::move(out));
    return kExitOk;
  }

  store::Database& db_;
  const Settings& settings_;
  const UserOptions& options_;
  const Time now_;
};

// The first user may be made before anything was ever served: then the embedded store is made here, with its secret.
Result<std::unique_ptr<store::Database>> open_for(const Settings& settings, const UserOptions& options,
                                                  const Clock& clock, Metrics& metrics) {
  if (options.action == Action::list || options.action == Action::invitations)
    return open_store_to_read(settings, metrics);
  const bool may_be_first = options.action == Action::create || options.action == Action::invite;
  if (!may_be_first) {
    if (auto there = require_store(settings); !there) return fail(there);
  } else if (!settings.postgres && settings.jwt_secret.empty()) {
    if (auto made = make_data_dir(settings.data_dir); !made) return fail(made);
    if (auto secret = load_or_make_jwt_secret(settings.data_dir); !secret) return fail(secret);
  }
  return open_store(settings, clock, metrics);
}

}   // namespace

int run_user(const Settings& settings, const UserOptions& options) {
  SystemClock clock;
  Metrics metrics;
  auto db = open_for(settings, options, clock, metrics);
  if (!db) return print_error(db.error());
  return UserTool(**db, settings, options, clock.now()).run();
}

}   // namespace agentauri::app
