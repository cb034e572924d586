// The indexer role for one chain: holds its lease, follows it, and takes the lease again when it was lost.
#pragma once

#include <functional>

#include "app/membership.hpp"
#include "app/settings.hpp"
#include "core/base/time.hpp"
#include "core/telemetry/metrics.hpp"
#include "net/http_client.hpp"
#include "store/database.hpp"

namespace agentauri::app {

// What following a chain needs; everything outlives the task.
struct ChainRoleParts {
  store::Database& db;
  const Clock& clock;
  Metrics& metrics;
  net::HttpClient& client;   // unguarded
  Membership& membership;
  std::function<void()> on_commit;
};
Task<void> follow_chain(ChainRoleParts parts, ChainSetting chain);

std::string chain_name(domain::ChainId id);
std::uint32_t chain_confirmations(const ChainSetting& chain);

}   // namespace agentauri::app
