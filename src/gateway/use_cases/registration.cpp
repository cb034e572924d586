#include "gateway/use_cases/registration.hpp"

#include "core/crypto/crypto.hpp"
#include "gateway/auth/passwords.hpp"

namespace agentauri::gateway {
namespace {

using Mode = GatewaySettings::Registration;
using store::Tx;

std::unexpected<Refusal> invalid_invitation(std::string_view why) {
  Refusal out = Refusal::make(403, "invitation_invalid", "Invalid or expired invitation");
  out.why = why;
  return std::unexpected(std::move(out));
}

std::string hash_of(std::string_view text) {
  return to_hex(crypto::sha256(as_bytes(text)).view());
}

}   // namespace

std::string_view to_string(Mode mode) {
  switch (mode) {
    case Mode::open:
      return "open";
    case Mode::invited:
      return "invited";
    case Mode::closed:
      return "closed";
  }
  return "closed";
}

std::unexpected<Refusal> registration_closed() {
  return refuse(403, "registration_closed", "Registration is closed");
}

Outcome<void> check_may_register(Tx& tx, Mode mode, const std::optional<std::string>& invitation,
                                 const std::string& email, Time now) {
  if (mode == Mode::open) return {};
  if (mode == Mode::closed) return registration_closed();
  if (!invitation || invitation->empty())
    return refuse(403, "invitation_required", "An invitation is needed to register");
  if (invitation->size() != kInvitationBytes || !invitation->starts_with(kInvitationPrefix))
    return invalid_invitation("the invitation is malformed");
  auto found = store::find_invitation(tx, hash_of(*invitation));
  if (!found) return broken(found);
  if (!*found) return invalid_invitation("there is no such invitation");
  const auto& known = **found;
  if (known.used_at) return invalid_invitation("the invitation was used already");
  if (known.expires_at <= now) return invalid_invitation("the invitation is past its expiry");
  if (known.email && fold_case(*known.email) != fold_case(email))
    return invalid_invitation("the invitation is for another address");
  return {};
}

Outcome<void> use_up_invitation(Tx& tx, Mode mode, const std::optional<std::string>& invitation, domain::AccountId user,
                                Time now) {
  if (mode != Mode::invited) return {};
  auto found = store::find_invitation(tx, hash_of(invitation.value_or("")));
  if (!found) return broken(found);
  auto used = *found ? store::use_invitation(tx, (*found)->id, user, now) : Result<bool>(false);
  if (!used) return broken(used);
  if (*used) return {};
  // The account is made already: it must go again.
  auto lost = invalid_invitation("the invitation was used in between");
  lost.error().cause = Error{Code::conflict, "invitations", "the invitation was used in between"};
  return lost;
}

Outcome<SignedIn> register_user(Tx& tx, NewUser user, const std::string& password_hash,
                                const std::optional<std::string>& invitation, const GatewaySettings& settings,
                                const SessionIssuer& issuer, Time now, const ClientInfo& client) {
  if (auto may = check_may_register(tx, settings.registration, invitation, user.email, now); !may) return pass(may);
  if (settings.first_user_is_admin) {
    auto any = store::has_any_account(tx);
    if (!any) return broken(any);
    user.is_admin = !*any;
  }
  auto who = create_account(tx, user, password_hash, issuer, now, client);
  if (!who) return who;
  if (auto used = use_up_invitation(tx, settings.registration, invitation, who->account.id, now); !used)
    return pass(used);
  return who;
}

Outcome<MadeInvitation> invite(Tx& tx, const NewInvitation& wanted, Time now) {
  Validation validation;
  if (wanted.email && !is_email(*wanted.email)) validation.add("email", "email", "Validation error: email [{}]");
  validation.range("days", wanted.days, 1, kMaxInvitationDays);
  if (!validation.ok()) return std::unexpected(validation.refusal());
  MadeInvitation out;
  out.invitation.id = domain::InvitationId::make(now);
  out.invitation.email = wanted.email;
  out.invitation.created_at = now;
  out.invitation.expires_at = now + std::chrono::hours(24) * wanted.days;
  out.invitation.created_by = wanted.by;
  out.text = std::string(kInvitationPrefix) + crypto::base64url(crypto::random_bytes(32));
  if (auto made = store::insert_invitation(tx, out.invitation, hash_of(out.text)); !made) return broken(made);
  return out;
}

Outcome<void> take_back_invitation(Tx& tx, const std::string& id) {
  const auto parsed = domain::InvitationId::parse(id);
  if (!parsed) return not_found("Invitation not found");
  auto deleted = store::delete_invitation(tx, *parsed);
  if (!deleted) return broken(deleted);
  if (!*deleted) return not_found("Invitation not found");
  return {};
}

}   // namespace agentauri::gateway
