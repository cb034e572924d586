#include "gateway/api/auth_replies.hpp"

#include <fmt/format.h>

#include "gateway/api/render.hpp"
#include "gateway/auth/jwt.hpp"

namespace agentauri::gateway {

HeaderPairs token_cookies(const TokenPair& tokens, bool production) {
  const std::string_view secure = production ? "Secure; " : "";
  const auto refresh_life = std::chrono::duration_cast<std::chrono::seconds>(kRefreshTokenLife).count();
  return {{"Set-Cookie", fmt::format("{}={}; HttpOnly; SameSite=Lax; {}Path=/; Max-Age={}", kAccessCookie,
                                     tokens.access, secure, kAccessTokenSeconds)},
          {"Set-Cookie", fmt::format("{}={}; HttpOnly; SameSite=Strict; {}Path=/api/v1/auth; Max-Age={}",
                                     kRefreshCookie, tokens.refresh, secure, refresh_life)}};
}

HeaderPairs no_token_cookies() {
  return {{"Set-Cookie", fmt::format("{}=; HttpOnly; Path=/; Max-Age=0", kAccessCookie)},
          {"Set-Cookie", fmt::format("{}=; HttpOnly; Path=/api/v1/auth; Max-Age=0", kRefreshCookie)}};
}

Reply signed_in(SignedIn&& who, int status, bool production) {
  Reply reply;
  reply.status = status;
  reply.body = render_auth(who);
  reply.headers = token_cookies(who.tokens, production);
  reply.revoked = std::move(who.revoked);
  return reply;
}

Refusal lane_full() {
  Refusal out = Refusal::make(503, "service_unavailable", "Too many logins at this moment. Please try again.");
  out.retry_after_s = 1;
  return out;
}

}   // namespace agentauri::gateway
