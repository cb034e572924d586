// The one path from credentials to a Principal (http-api.md 3.2, 3.3): `Authorization`, then `X-API-Key`, then the
// cookie. A credential that is present and invalid fails the request; the next one is not tried.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/async/task.hpp"
#include "core/base/time.hpp"
#include "domain/principal.hpp"
#include "gateway/auth/key_cache.hpp"
#include "gateway/auth/session_cache.hpp"
#include "gateway/refusal.hpp"
#include "gateway/settings.hpp"
#include "net/http_message.hpp"

namespace agentauri::gateway {

inline constexpr std::string_view kAccessCookie = "auth-token";
inline constexpr std::string_view kRefreshCookie = "refresh-token";

// The value of a cookie. Empty when it is there several times with different values: only the browser knows which page
// set which, and a guess could be that of an attacker who can set cookies for this host.
std::optional<std::string> find_cookie(const net::Headers& headers, std::string_view name);

struct Credential {
  enum class Kind : std::uint8_t { none, bearer_token, api_key, malformed } kind = Kind::none;
  std::string text;
  bool by_cookie = false;
};
// What the request presents, by the order above. Pure.
Credential find_credential(const net::Headers& headers);

class Authenticator {
 public:
  Authenticator(const GatewaySettings& settings, const Clock& clock, SessionCache& sessions, KeyCache& api_keys)
      : settings_(settings), clock_(clock), sessions_(sessions), api_keys_(api_keys) {}

  // Without any credential: an anonymous principal; whether that is enough is the route's business. The organization of
  // a session is the user's personal one, that of a key the key's; `X-Organization-ID` is looked at by the use-case,
  // inside its transaction. `refused` is set when it was a key, for the audit.
  Task<Outcome<domain::Principal>> authenticate(Credential credential, std::optional<KeyVerdict>& refused);

 private:
  Task<Outcome<domain::Principal>> authenticate_key(std::string text, std::optional<KeyVerdict>& refused);

  const GatewaySettings& settings_;
  const Clock& clock_;
  SessionCache& sessions_;
  KeyCache& api_keys_;
};

}   // namespace agentauri::gateway
