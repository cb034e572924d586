// Whether linked agents still belong to whom they were linked by: each once a day, and soon after the events of the
// chain say otherwise. A link whose wallet is not the owner any more ends with the reason `ownership_changed`. The
// chain is asked every time; an event alone, which may be of a fork, ends nothing, and neither does a chain that is
// away.
//
// Several gateways may do this side by side: what they do twice has the same result.
#pragma once

#include <chrono>
#include <map>
#include <set>

#include "core/async/task.hpp"
#include "core/base/time.hpp"
#include "core/telemetry/log.hpp"
#include "gateway/chain_reader.hpp"
#include "store/database.hpp"
#include "store/wallets.hpp"

namespace agentauri::gateway {

inline constexpr std::chrono::seconds kLinkWatchInterval{2};
inline constexpr std::chrono::hours kLinkCheckInterval{24};
inline constexpr std::chrono::minutes kChainRest{1};   // of a chain that did not answer
inline constexpr std::int64_t kLinksOfOneRound = 50;   // and chain

class LinkWatch {
 public:
  LinkWatch(store::Database& db, const Clock& clock, ChainReader& chains) : db_(db), clock_(clock), chains_(chains) {}
  // Until it is cancelled.
  Task<void> run();
  // One round; how many links ended.
  Task<Result<std::int64_t>> check();

 private:
  Task<Result<std::int64_t>> check_chain(domain::ChainId chain);
  // true: the link ended. Code::unavailable: the chain did not say.
  Task<Result<bool>> check_one(store::AgentLink link);

  store::Database& db_;
  const Clock& clock_;
  ChainReader& chains_;
  Log log_{"gateway"};
  std::map<domain::ChainId, Time> away_until_;
  std::set<Uuid> failed_;   // links that could not be checked at their last turn
  bool reads_ = true;
};

}   // namespace agentauri::gateway
