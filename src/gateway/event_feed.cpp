#include "gateway/event_feed.hpp"

#include "store/chain_log.hpp"

namespace agentauri::gateway {

EventFeed::EventFeed(store::Database& db) : db_(db), hint_(db, "block_log") {}

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
    if (!hint_.is_heard()) continue;
    auto grown = co_await has_grown();
    if (!grown && reads_) log_.warn("event streams wait: the block log cannot be read", {{"text", grown.error().text}});
    reads_ = grown.has_value();
    if (grown && *grown) hint_.wake();
  }
}

}   // namespace agentauri::gateway
