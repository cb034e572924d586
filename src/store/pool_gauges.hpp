// db_pool_connections_{active,idle,max}{pool}: what the connections of a pool do. Costs nothing without metrics.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/telemetry/metrics.hpp"

namespace agentauri::store {

struct PoolGauges {
  PoolGauges(Metrics& metrics, std::string_view pool)
      : active(metrics.gauge("db_pool_connections_active", "Connections that run a unit", label(pool))),
        idle(metrics.gauge("db_pool_connections_idle", "Connections that wait for one", label(pool))),
        max(metrics.gauge("db_pool_connections_max", "Store threads, one connection each", label(pool))) {}
  static Labels label(std::string_view pool) { return {{"pool", std::string(pool)}}; }

  Gauge active, idle, max;
};

// A connection of the pool is busy from its construction to its end.
class BusyConnection {
 public:
  explicit BusyConnection(const std::optional<PoolGauges>& pool) : pool_(pool) { move(1); }
  ~BusyConnection() { move(-1); }
  BusyConnection(const BusyConnection&) = delete;
  BusyConnection& operator=(const BusyConnection&) = delete;

 private:
  void move(int n) const {
    if (!pool_) return;
    pool_->active.add(n);
    pool_->idle.add(-n);
  }
  const std::optional<PoolGauges>& pool_;
};

}   // namespace agentauri::store
