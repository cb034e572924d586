#include "gateway/auth/authenticate.hpp"

#include "gateway/auth/api_key.hpp"
#include "gateway/auth/jwt.hpp"

namespace agentauri::gateway {
namespace {

constexpr std::string_view kBearer = "Bearer ";

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

Credential from_authorization(std::string_view value) {
  value = trimmed(value);
  if (looks_like_api_key(value)) return {Credential::Kind::api_key, std::string(value), false};
  // The scheme has no case and is followed by one space (RFC 9110).
  if (value.size() <= kBearer.size() || !net::equal_ignoring_case(value.substr(0, kBearer.size()), kBearer))
    return {Credential::Kind::malformed, {}, false};
  const std::string_view token = value.substr(kBearer.size());
  if (looks_like_api_key(token)) return {Credential::Kind::api_key, std::string(token), false};
  return {Credential::Kind::bearer_token, std::string(token), false};
}

std::unexpected<Refusal> bad_token(std::string_view code, std::string_view why) {
  return unauthenticated(code, "Invalid or expired token", why);
}

}   // namespace

std::optional<std::string> find_cookie(const net::Headers& headers, std::string_view name) {
  std::optional<std::string> found;
  for (const auto& [field, value] : headers.all()) {
    if (!net::equal_ignoring_case(field, "Cookie")) continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      const std::size_t end = rest.find(';');
      const std::string_view pair = trimmed(rest.substr(0, end));
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
      const std::size_t equals = pair.find('=');
      if (equals == std::string_view::npos || pair.substr(0, equals) != name) continue;
      std::string_view text = pair.substr(equals + 1);
      if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
      if (found && *found != text) return "";
      found = std::string(text);
    }
  }
  return found;
}

Credential find_credential(const net::Headers& headers) {
  if (headers.count("Authorization") > 1) return {Credential::Kind::malformed, {}, false};
  if (const auto* value = headers.find("Authorization")) return from_authorization(*value);
  if (headers.count("X-API-Key") > 1) return {Credential::Kind::api_key, {}, false};
  if (const auto* value = headers.find("X-API-Key")) return {Credential::Kind::api_key, *value, false};
  if (auto cookie = find_cookie(headers, kAccessCookie); cookie && !cookie->empty())
    return {Credential::Kind::bearer_token, std::move(*cookie), true};
  return {};
}

Task<Outcome<domain::Principal>> Authenticator::authenticate_key(std::string text, std::optional<KeyVerdict>& refused) {
  auto checked = co_await api_keys_.check(std::move(text), clock_.now());
  if (!checked) co_return std::unexpected(store_refusal(checked.error(), "API key authentication not available"));
  if (checked->fault != KeyVerdict::Fault::none) {
    refused = std::move(*checked);
    co_return unauthenticated("api_key_invalid", "Invalid or expired API key", why(refused->fault));
  }
  const auto& view = *checked->view;
  domain::Principal out;
  out.kind = domain::Principal::Kind::api_key;
  out.account = view.key.created_by;
  out.username = view.username;
  out.organization = view.key.organization_id;
  for (const auto& name : view.key.permissions) {
    if (const auto permission = domain::parse_permission(name)) out.permissions.add(*permission);
  }
  out.role = out.permissions.role();
  out.key = view.key.id;
  out.plan = view.plan;
  out.rate_limit_override = view.key.rate_limit_override;
  co_return out;
}

Task<Outcome<domain::Principal>> Authenticator::authenticate(Credential credential,
                                                             std::optional<KeyVerdict>& refused) {
  if (credential.kind == Credential::Kind::none) co_return domain::Principal();
  if (credential.kind == Credential::Kind::api_key)
    co_return co_await authenticate_key(std::move(credential.text), refused);
  if (credential.kind == Credential::Kind::malformed)
    co_return bad_token("token_invalid", "Authorization is there twice, or holds neither a key nor Bearer and a token");

  const Time now = clock_.now();
  const auto verdict =
      verify_access_token(credential.text, {settings_.jwt_secret.reveal(), settings_.jwt_secret_previous.reveal()},
                          settings_.base_url, now);
  if (!verdict.claims)
    co_return bad_token(verdict.fault == JwtFault::expired ? "token_expired" : "token_invalid", verdict.cause);
  const auto session = domain::SessionId::parse(verdict.claims->sid);
  if (!session) co_return bad_token("token_invalid", "the token's sid is no session id");
  auto found = co_await sessions_.find(*session, now);
  if (!found) co_return std::unexpected(store_refusal(found.error(), "Authentication is not available"));
  if (!found->session) co_return bad_token("token_invalid", found->why);
  const auto& view = *found->session;
  if (to_string(view.session.account_id) != verdict.claims->sub)
    co_return bad_token("token_invalid", "the session belongs to another user than the token names");

  domain::Principal out;
  out.kind = domain::Principal::Kind::session;
  out.account = view.session.account_id;
  out.username = view.username;
  out.session = session;
  out.organization = view.personal_organization;
  out.role = domain::Role::owner;   // of the personal organization
  out.by_cookie = credential.by_cookie;
  co_return out;
}

}   // namespace agentauri::gateway
