// `agentauri instances`: the processes on this store, and which of them holds which lease.
#include <fmt/format.h>

#include "app/commands.hpp"
#include "app/exit_codes.hpp"
#include "app/open_store.hpp"
#include "core/json/json.hpp"
#include "store/instances.hpp"
#include "store/reach.hpp"

namespace agentauri::app {
namespace {

json::Object to_json(const store::LeaseRow& lease) {
  json::Object out;
  out["name"] = lease.name;
  out["epoch"] = lease.epoch;
  out["acquired_at"] = to_rfc3339(lease.acquired_at);
  return out;
}

json::Object to_json(const store::InstanceRow& row) {
  json::Object out;
  out["id"] = to_string(row.id);
  out["pid"] = row.pid;
  out["roles"] = row.roles;
  out["started_at"] = to_rfc3339(row.started_at);
  out["silent_ms"] = static_cast<std::int64_t>(row.silent.count());
  json::Array leases;
  for (const auto& lease : row.leases) leases.emplace_back(to_json(lease));
  out["leases"] = std::move(leases);
  return out;
}

void print(const store::Presence& presence) {
  for (const auto& row : presence.instances) {
    fmt::print("{:<8} {:<30} pid {:<8} since {}", row.silent > store::kSilence ? "silent" : "alive", row.roles, row.pid,
               to_rfc3339(row.started_at));
    for (const auto& lease : row.leases) fmt::print("  holds {} (epoch {})", lease.name, lease.epoch);
    fmt::print("\n");
  }
  for (const auto& lease : presence.free)
    fmt::print("{:<8} {} (epoch {}): its holder is gone\n", "free", lease.name, lease.epoch);
}

}   // namespace

int run_instances(const Settings& settings, bool as_json) {
  Metrics metrics;
  auto db = open_store_to_read(settings, metrics);
  if (!db) {
    fmt::print(stderr, "{}\n", db.error().text);
    return exit_code_of(db.error());
  }
  auto presence = (*db)->snapshot_blocking<store::Presence>([](store::Tx& tx) { return store::read_presence(tx); });
  if (!presence) {
    fmt::print(stderr, "{}\n", presence.error().text);
    return exit_code_of(presence.error());
  }
  if (!as_json) {
    print(*presence);
    return kExitOk;
  }
  json::Object out;
  json::Array instances, free;
  for (const auto& row : presence->instances) instances.emplace_back(to_json(row));
  for (const auto& lease : presence->free) free.emplace_back(to_json(lease));
  out["instances"] = std::move(instances);
  out["free_leases"] = std::move(free);
  fmt::print("{}\n", json::dump(out));
  return kExitOk;
}

}   // namespace agentauri::app
