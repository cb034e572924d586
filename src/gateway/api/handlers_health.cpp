// Health, liveness, readiness and the description of the API itself.
#include "core/base/embedded.hpp"
#include "gateway/api/representation.hpp"
#include "gateway/api/routes.hpp"
#include "store/chain_log.hpp"
#include "store/event_storage.hpp"

namespace agentauri::embedded {
const std::vector<EmbeddedFile>& openapi();
}

namespace agentauri::gateway::handlers {
namespace {

json::Object outline(const Services& services, std::string_view status) {
  json::Object out;
  out["status"] = json::String(status);
  out["timestamp"] = json::String(to_rfc3339(services.clock.now()));
  out["version"] = json::String(services.settings.version);
  return out;
}

json::String redis_state(const store::Cache& cache) {
  switch (cache.state()) {
    case store::Cache::State::shared:
      return "connected";
    case store::Cache::State::alone:
      return "disconnected";
    case store::Cache::State::local:
      break;
  }
  return "disabled";
}

json::Array render_chains(const std::vector<store::ChainRow>& chains, const GatewaySettings& settings) {
  json::Array out;
  for (const auto& chain : chains) {
    const auto named = settings.chain_names.find(chain.chain_id);
    json::Object row;
    row["chain_id"] = chain.chain_id;
    row["name"] = json::String(named != settings.chain_names.end() ? named->second : chain.name);
    row["state"] = json::String(chain.state);
    row["reason"] = chain.reason ? json::Value(json::String(*chain.reason)) : json::Value();
    row["head_block"] = chain.head_num;
    row["finalized_block"] = chain.finalized_num ? json::Value(*chain.finalized_num) : json::Value();
    row["updated_at"] = json::String(to_rfc3339(chain.updated_at));
    out.push_back(std::move(row));
  }
  return out;
}

struct StoreState {
  std::vector<store::ChainRow> chains;
  store::EventStorageFacts events;
};
Result<StoreState> read_state(store::Tx& tx) {
  auto chains = store::list_chains(tx);
  if (!chains) return fail(chains);
  auto events = store::read_event_storage(tx);
  if (!events) return fail(events);
  return StoreState{std::move(*chains), std::move(*events)};
}

}   // namespace

Task<Outcome<Reply>> health(Services& services, Request&) {
  const auto health = co_await services.db.check_health();
  Reply reply;
  reply.status = health.reachable ? 200 : 503;
  auto body = outline(services, health.reachable ? "healthy" : "unhealthy");
  body["database"] = health.reachable ? "connected" : "disconnected";
  body["redis"] = redis_state(services.cache);
  reply.body = std::move(body);
  co_return reply;
}

Task<Outcome<Reply>> health_live(Services& services, Request&) {
  Reply reply;
  reply.body = outline(services, "alive");
  co_return reply;
}

Task<Outcome<Reply>> health_ready(Services& services, Request&) {
  const auto health = co_await services.db.check_health();
  std::string failed = !health.reachable ? "database" : !health.migrated ? "migrations" : "";
  std::optional<store::EventStorage> storage;
  json::Array chains;
  if (failed.empty()) {
    auto state = co_await services.db.snapshot<StoreState>([](store::Tx& tx) { return read_state(tx); });
    if (state) {
      storage = state->events.storage;
      chains = render_chains(state->chains, services.settings);
    }
    failed = !state ? "database" : storage == store::EventStorage::lost ? "timescaledb" : "";
  }
  Reply reply;
  reply.status = failed.empty() ? 200 : 503;
  auto body = outline(services, failed.empty() ? "ready" : "not_ready");
  body["database"] = failed == "database" ? "disconnected" : "connected";
  body["migrations"] = storage ? "current" : failed == "migrations" ? "pending" : "unknown";
  if (storage) body["event_storage"] = json::String(store::name_of(*storage));
  body["redis"] = redis_state(services.cache);
  body["chains"] = std::move(chains);
  if (!failed.empty()) body["failed"] = json::String(failed);
  reply.body = std::move(body);
  co_return reply;
}

Task<Outcome<Reply>> openapi(Services&, Request&) {
  // Packed when it is first asked for, which takes about 30 ms. It changes with the program only, but caches should
  // notice that at once.
  static const auto document = std::make_shared<const FixedText>("application/json", "public, no-cache",
                                                                 std::string(embedded::openapi().front().text));
  Reply reply;
  reply.fixed = document;
  co_return reply;
}

}   // namespace agentauri::gateway::handlers
