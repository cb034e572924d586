// The operators' listener (METRICS_ADDR): /metrics for Prometheus and /health for whoever watches a process of a role
// without the API. Nothing else is there, and nothing here is on the public listener.
#pragma once

#include <memory>
#include <string>

#include "app/settings.hpp"
#include "core/async/task.hpp"
#include "core/base/result.hpp"
#include "core/telemetry/metrics.hpp"
#include "net/http_server.hpp"
#include "store/database.hpp"

namespace agentauri::app {

// Made by the application; serves on `executor`, which with everything else outlives it.
class MetricsListener {
 public:
  MetricsListener(Executor executor, const Settings& settings, Metrics& metrics, store::Database& db);
  // The error names METRICS_ADDR.
  Result<void> start();
  Task<void> stop(std::chrono::milliseconds grace);
  std::uint16_t port() const { return server_.port(); }

 private:
  Task<net::HttpResponse> answer(net::HttpRequest request);
  Task<net::HttpResponse> health();

  Metrics& metrics_;
  store::Database& db_;
  const Roles roles_;
  net::HttpServer server_;
};

}   // namespace agentauri::app
