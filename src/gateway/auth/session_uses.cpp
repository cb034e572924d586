#include "gateway/auth/session_uses.hpp"

#include <algorithm>
#include <iterator>
#include <memory>

namespace agentauri::gateway {

void SessionUses::used(domain::SessionId session, const ClientInfo& client, Time now) {
  const std::lock_guard lock(mutex_);
  if (noted_.size() >= kMaxNotedSessions) noted_.clear();
  const auto [noted, is_new] = noted_.try_emplace(session, now);
  if (!is_new && now - noted->second < kSessionUseGrain) return;
  noted->second = now;
  if (pending_.size() < kMaxPendingUses) pending_.push_back({session, now, client.user_agent, client.ip});
}

std::vector<store::SessionUse> SessionUses::take() {
  const std::lock_guard lock(mutex_);
  const auto end = pending_.begin() + static_cast<std::ptrdiff_t>(std::min(kSessionUseBatch, pending_.size()));
  std::vector<store::SessionUse> out(std::make_move_iterator(pending_.begin()), std::make_move_iterator(end));
  pending_.erase(pending_.begin(), end);
  // One order for everybody, so that two processes do not wait for each other's rows.
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return out;
}

void SessionUses::put_back(std::vector<store::SessionUse> uses) {
  const std::lock_guard lock(mutex_);
  for (auto& use : uses) {
    if (pending_.size() < kMaxPendingUses) pending_.push_back(std::move(use));
  }
}

Task<Result<void>> SessionUses::flush() {
  while (true) {
    const auto batch = std::make_shared<std::vector<store::SessionUse>>(take());
    if (batch->empty()) co_return Result<void>();
    auto written = co_await db_.transact<void>(store::Priority::bulk,
                                               [batch](store::Tx& tx) { return store::note_session_uses(tx, *batch); });
    if (!written) {
      put_back(std::move(*batch));
      co_return written;
    }
  }
}

}   // namespace agentauri::gateway
