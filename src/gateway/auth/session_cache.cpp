#include "gateway/auth/session_cache.hpp"

namespace agentauri::gateway {
namespace {

// Empty: it may be used.
std::string_view fault_of(const store::SessionView& view, Time now) {
  if (view.session.revoked_at) return "the session was ended";
  if (!view.is_active) return "the user is not active";
  if (view.session.expires_at <= now) return "the session is past its expiry";
  return "";
}

}   // namespace

Task<Result<SessionCache::Lookup>> SessionCache::find(domain::SessionId id, Time now) {
  if (auto cached = cache_.find(id)) {
    const auto fault = fault_of(*cached, now);
    if (!fault.empty()) co_return Lookup{std::nullopt, fault};
    co_return Lookup{std::move(cached), {}};
  }
  const auto asked_at = std::chrono::steady_clock::now();
  auto found = co_await db_.snapshot<std::optional<store::SessionView>>(
      [id](store::Tx& tx) { return store::find_session(tx, id); });
  if (!found) co_return fail(found);
  if (!*found) co_return Lookup{std::nullopt, "there is no such session"};
  const auto fault = fault_of(**found, now);
  if (!fault.empty()) co_return Lookup{std::nullopt, fault};
  cache_.remember(id, id.uuid, **found, asked_at);
  co_return Lookup{std::move(*found), {}};
}

}   // namespace agentauri::gateway
