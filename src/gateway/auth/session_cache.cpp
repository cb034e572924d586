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

std::optional<store::SessionView> SessionCache::find_cached(domain::SessionId id) {
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  if (!seq_ || now - polled_at_ > kMaxStaleness) return std::nullopt;
  const auto found = entries_.find(id);
  if (found == entries_.end() || now - found->second.loaded > kSessionCacheAge) return std::nullopt;
  by_use_.splice(by_use_.begin(), by_use_, found->second.use);
  return found->second.view;
}

void SessionCache::forget(domain::SessionId id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  by_use_.erase(found->second.use);
  entries_.erase(found);
}

void SessionCache::remember(const store::SessionView& view, SteadyTime asked_at) {
  const std::lock_guard lock(mutex_);
  const auto revoked = revoked_.find(view.session.id);
  if (revoked != revoked_.end() && asked_at <= revoked->second) return;
  forget(view.session.id);
  by_use_.push_front(view.session.id);
  entries_.emplace(view.session.id, Entry{view, asked_at, by_use_.begin()});
  if (entries_.size() > kMaxCachedSessions) forget(by_use_.back());
}

void SessionCache::revoke(domain::SessionId id) {
  const std::lock_guard lock(mutex_);
  forget(id);
  if (revoked_.size() >= kMaxRevokedSessions) {
    // Too many to remember one by one. A read that is under way could still be cached, so the cache starts over and is
    // not believed before the next poll.
    revoked_.clear();
    entries_.clear();
    by_use_.clear();
    seq_.reset();
  }
  revoked_[id] = std::chrono::steady_clock::now();
}

Task<Result<SessionCache::Lookup>> SessionCache::find(domain::SessionId id, Time now) {
  if (auto cached = find_cached(id)) {
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
  remember(**found, asked_at);
  co_return Lookup{std::move(*found), {}};
}

Task<Result<void>> SessionCache::poll() {
  const auto asked_at = std::chrono::steady_clock::now();
  std::optional<std::int64_t> after;
  {
    const std::lock_guard lock(mutex_);
    after = seq_;
  }
  if (!after) {
    auto newest = co_await db_.snapshot<std::int64_t>([](store::Tx& tx) { return store::newest_revocation(tx); });
    if (!newest) co_return fail(newest);
    const std::lock_guard lock(mutex_);
    // What was cached before the sequence was followed may have been revoked unseen.
    entries_.clear();
    by_use_.clear();
    seq_ = *newest;
    polled_at_ = asked_at;
    co_return Result<void>();
  }
  while (true) {
    auto rows = co_await db_.snapshot<std::vector<store::Revocation>>(
        [from = *after](store::Tx& tx) { return store::read_revocations(tx, from, kRevocationBatch); });
    if (!rows) co_return fail(rows);
    for (const auto& row : *rows) revoke(domain::SessionId{row.id});
    if (!rows->empty()) after = rows->back().seq;
    if (static_cast<std::int64_t>(rows->size()) < kRevocationBatch) break;
  }
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  if (seq_) seq_ = *after;
  polled_at_ = asked_at;
  // A read never takes this long: nothing that was asked for before these can still arrive.
  std::erase_if(revoked_, [now](const auto& entry) { return now - entry.second > kSessionCacheAge * 2; });
  co_return Result<void>();
}

}   // namespace agentauri::gateway
