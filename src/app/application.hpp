// The composition root: connects the roles of this process, starts them, and stops them in order.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "app/settings.hpp"
#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "core/telemetry/metrics.hpp"
#include "store/database.hpp"

namespace agentauri::app {

class Application {
 public:
  explicit Application(Settings settings);
  ~Application();
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;

  // Everything is up when it returns: the store, the listeners, the roles. The error says why not.
  Result<void> start();
  // First asks, then insists, within the grace; joins every thread.
  void stop();

  std::uint16_t port() const;
  std::uint16_t metrics_port() const;
  store::Database& database();
  const crypto::DataKeys& data_keys() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Blocks until SIGTERM or SIGINT; SIGHUP opens the log files anew. Must be prepared before any thread starts.
void block_signals();
void wait_for_stop_signal(const std::function<bool()>& give_up);

}   // namespace agentauri::app
