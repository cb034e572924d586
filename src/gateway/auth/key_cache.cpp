#include "gateway/auth/key_cache.hpp"

#include "gateway/auth/api_key.hpp"

namespace agentauri::gateway {
namespace {

KeyVerdict judge(store::ApiKeyView view, Time now) {
  using enum KeyVerdict::Fault;
  const auto fault = view.key.revoked_at                                 ? revoked
                     : view.key.expires_at && now > *view.key.expires_at ? expired
                     : !view.is_active                                   ? creator_inactive
                                                                         : none;
  return {fault, std::move(view)};
}

}   // namespace

std::string_view why(KeyVerdict::Fault fault) {
  switch (fault) {
    case KeyVerdict::Fault::none:
      return "";
    case KeyVerdict::Fault::malformed:
      return "the text is not that of an API key";
    case KeyVerdict::Fault::unknown:
      return "there is no such API key";
    case KeyVerdict::Fault::expired:
      return "the API key is past its expiry";
    case KeyVerdict::Fault::revoked:
      return "the API key was revoked";
    case KeyVerdict::Fault::creator_inactive:
      return "the user who made the API key is not active";
  }
  return "";
}

Task<Result<KeyVerdict>> KeyCache::check(std::string text, Time now) {
  if (!is_api_key(text)) co_return KeyVerdict{KeyVerdict::Fault::malformed, std::nullopt};
  const Hash32 hash = hash_of_api_key(text);
  if (auto cached = cache_.find(hash)) co_return judge(std::move(*cached), now);
  const auto asked_at = std::chrono::steady_clock::now();
  auto found = co_await db_.snapshot<std::optional<store::ApiKeyView>>(
      [hash](store::Tx& tx) { return store::find_api_key_by_hash(tx, hash); });
  if (!found) co_return fail(found);
  if (!*found) co_return KeyVerdict{KeyVerdict::Fault::unknown, std::nullopt};
  auto verdict = judge(std::move(**found), now);
  if (verdict.fault == KeyVerdict::Fault::none)
    cache_.remember(hash, verdict.view->key.id.uuid, *verdict.view, asked_at);
  co_return verdict;
}

}   // namespace agentauri::gateway
