// This process among the others: its row in `instances`, its heartbeat, and the leases it wants.
#pragma once

#include <atomic>
#include <string>

#include "core/async/task.hpp"
#include "core/telemetry/log.hpp"
#include "store/database.hpp"
#include "store/leases.hpp"

namespace agentauri::app {

// Made by serve, used on the roles' executor. `run` beats until it is cancelled; `leave` removes the row, so that
// others need not wait for the silence.
class Membership {
 public:
  Membership(store::Database& db, domain::InstanceId id, std::string roles);

  Task<Result<void>> join();
  Task<void> run();
  Task<void> leave();

  domain::InstanceId id() const { return id_; }
  // How many processes serve the API, as of the last heartbeat; at least 1. Any thread.
  std::size_t gateways() const { return gateways_; }
  // The epoch once `name` is ours; waits for it, trying twice a second. nullopt when cancelled or stopping.
  Task<std::optional<std::int64_t>> hold(std::string name);

 private:
  store::Database& db_;
  domain::InstanceId id_;
  std::string roles_;
  store::ProcessIdentity process_;
  store::Reach reach_;
  std::atomic<std::size_t> gateways_ = 1;
  Log log_{"membership"};
};

}   // namespace agentauri::app
