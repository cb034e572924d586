#include "gateway/event_feed.hpp"

#include "store/chain_log.hpp"

namespace agentauri::gateway {

void EventFeed::Listeners::wake() {
  const std::lock_guard lock(mutex);
  std::erase_if(signals, [](const auto& signal) {
    const auto alive = signal.lock();
    if (alive) alive->notify();
    return !alive;
  });
}

bool EventFeed::Listeners::any() {
  const std::lock_guard lock(mutex);
  std::erase_if(signals, [](const auto& signal) { return signal.expired(); });
  return !signals.empty();
}

EventFeed::EventFeed(store::Database& db) : db_(db) {
  db.on_notify("block_log", [listeners = listeners_] { listeners->wake(); });
}

std::shared_ptr<Signal> EventFeed::listen(Executor executor) {
  auto signal = std::make_shared<Signal>(std::move(executor));
  const std::lock_guard lock(listeners_->mutex);
  listeners_->signals.push_back(signal);
  return signal;
}

Task<Result<bool>> EventFeed::has_grown() {
  auto chains =
      co_await db_.snapshot<std::vector<store::ChainRow>>([](store::Tx& tx) { return store::list_chains(tx); });
  if (!chains) co_return fail(chains);
  bool grown = false;
  for (const auto& chain : *chains) {
    auto& seen = seen_[chain.chain_id];
    if (seen != chain.last_seq) grown = true;
    seen = chain.last_seq;
  }
  co_return grown;
}

Task<void> EventFeed::run() {
  while (co_await sleep_for(kEventFeedPoll)) {
    if (!listeners_->any()) continue;
    auto grown = co_await has_grown();
    if (!grown && reads_) log_.warn("event streams wait: the block log cannot be read", {{"text", grown.error().text}});
    reads_ = grown.has_value();
    if (grown && *grown) listeners_->wake();
  }
}

}   // namespace agentauri::gateway
