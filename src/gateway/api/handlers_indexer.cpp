// The public status of the indexer, under the paths that the older service gave it.
#include <algorithm>
#include <array>

#include "gateway/api/handler_parts.hpp"
#include "gateway/api/routes.hpp"
#include "store/event_counts.hpp"
#include "store/indexer_status.hpp"

namespace agentauri::gateway::handlers {
namespace {

// These come first, in this order; the others by their ids.
constexpr std::array<domain::ChainId, 7> kFirst{11155111, 84532, 59141, 80002, 1, 8453, 59144};
constexpr std::uint64_t kSyncedBlocks = 3;
constexpr auto kSyncedTime = std::chrono::seconds(60);
// The same for everybody, and cheap to be a little late.
const std::pair<std::string, std::string> kKeeping{"Cache-Control", "public, max-age=5"};

std::size_t place_of(domain::ChainId id) {
  return static_cast<std::size_t>(std::find(kFirst.begin(), kFirst.end(), id) - kFirst.begin());
}

json::Object render_chain(const store::ChainStatus& status, Time now) {
  const auto& chain = status.chain;
  json::Object out;
  out["chain"] = json::String(chain.name);
  out["chain_id"] = chain.chain_id;
  out["current_block"] = status.last_event_block.value_or(0);
  const bool is_well = status.followed && chain.state == "ok";
  if (!chain.head_hash) {   // nothing but a place in the chain yet
    out["is_synced"] = false;
    return out;
  }
  const std::uint64_t head = std::max(chain.tip_num.value_or(0), chain.head_num);
  const std::uint64_t lag = head - chain.head_num;
  std::optional<std::chrono::seconds> age;
  if (status.head_time)
    age = std::max(std::chrono::floor<std::chrono::seconds>(now - *status.head_time), std::chrono::seconds(0));
  out["is_synced"] = is_well && (lag <= kSyncedBlocks || (age && *age <= kSyncedTime));
  if (status.head_seen_at) out["last_sync_at"] = json::String(to_rfc3339(*status.head_seen_at));
  out["indexed_block"] = chain.head_num;
  out["head_block"] = head;
  out["lag_blocks"] = lag;
  if (age) out["lag_seconds"] = age->count();
  if (chain.finalized_num) out["finalized_block"] = *chain.finalized_num;
  if (status.events_kept_from) out["events_kept_from"] = json::String(to_rfc3339(*status.events_kept_from));
  return out;
}

// Those that are configured here and that no indexer has met yet.
void add_configured(const std::vector<PublicChain>& configured, std::vector<store::ChainStatus>& chains) {
  for (const auto& chain : configured) {
    const bool is_there =
        std::any_of(chains.begin(), chains.end(), [&](const auto& known) { return known.chain.chain_id == chain.id; });
    if (is_there) continue;
    store::ChainStatus status;
    status.chain.chain_id = chain.id;
    status.chain.name = chain.key;
    chains.push_back(std::move(status));
  }
}

json::Object render_status(store::IndexerStatus status, const std::vector<PublicChain>& configured, Time now) {
  add_configured(configured, status.chains);
  std::sort(status.chains.begin(), status.chains.end(), [](const auto& a, const auto& b) {
    return std::pair(place_of(a.chain.chain_id), a.chain.chain_id) <
           std::pair(place_of(b.chain.chain_id), b.chain.chain_id);
  });
  json::Array chains;
  std::size_t with_events = 0;
  std::optional<Time> newest;
  for (const auto& chain : status.chains) {
    chains.push_back(render_chain(chain, now));
    if (chain.last_event_block) ++with_events;
    if (chain.last_event_time) newest = std::max(newest.value_or(*chain.last_event_time), *chain.last_event_time);
  }
  json::Object out;
  out["status"] = with_events == 0 ? "initializing" : with_events < status.chains.size() ? "partial" : "healthy";
  out["schema"] = "public";
  out["namespace"] = "agentauri";
  out["chains"] = std::move(chains);
  out["total_events"] = status.total_events;
  out["last_activity_at"] =
      newest ? json::Value(json::String(std::to_string(to_unix_seconds(*newest)))) : json::Value();
  if (status.chains.empty()) out["debug_error"] = "No chain is indexed yet";
  return out;
}

}   // namespace

Outcome<Unit> indexer_status(const Services& services, const Request&) {
  Unit unit;
  unit.operation = "Failed to query Ponder status";
  unit.body = [&services](store::Tx& tx) -> Outcome<Reply> {
    auto status = store::read_indexer_status(tx);
    if (!status) return broken(status);
    Reply reply;
    reply.body = render_status(std::move(*status), services.settings.public_chains, services.clock.now());
    reply.headers.push_back(kKeeping);
    return reply;
  };
  return unit;
}

Outcome<Unit> event_counts(const Services&, const Request&) {
  Unit unit;
  unit.operation = "Failed to query event statistics";
  unit.body = [](store::Tx& tx) -> Outcome<Reply> {
    auto counts = store::list_event_counts(tx);
    if (!counts) return broken(counts);
    json::Array events;
    for (const auto& count : *counts) {
      json::Object row;
      row["chain_id"] = count.chain_id;
      row["event_name"] = json::String(count.event_type);
      row["count"] = count.count;
      events.push_back(std::move(row));
    }
    json::Object body;
    body["total_types"] = static_cast<std::int64_t>(events.size());
    body["events"] = std::move(events);
    Reply reply;
    reply.body = std::move(body);
    reply.headers.push_back(kKeeping);
    return reply;
  };
  return unit;
}

}   // namespace agentauri::gateway::handlers
