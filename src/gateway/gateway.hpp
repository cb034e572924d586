// The gateway: every HTTP request of the public listener, from its head to its answer, whoever made the answer.
//
// Life: made by src/app once the store is open; handle() and render_error() are given to the HTTP server and are called
// from its I/O threads; run() is spawned once and ends when it is cancelled. The gateway must outlive the server.
#pragma once

#include <memory>
#include <string_view>

#include "core/async/task.hpp"
#include "core/base/time.hpp"
#include "core/crypto/crypto.hpp"
#include "core/telemetry/metrics.hpp"
#include "gateway/chain_reader.hpp"
#include "gateway/settings.hpp"
#include "net/address_guard.hpp"
#include "net/http_server.hpp"
#include "store/cache/cache.hpp"
#include "store/database.hpp"

namespace agentauri::gateway {

class Gateway {
 public:
  // `guard`: as the worker's, for the addresses of receivers that users give. `chains` and `cache` outlive the
  // gateway.
  Gateway(store::Database& db, const Clock& clock, Metrics& metrics, GatewaySettings settings, crypto::DataKeys keys,
          net::AddressGuard guard, ChainReader& chains, store::Cache& cache);
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  Task<net::HttpResponse> handle(net::HttpRequest request);
  // For answers that the server makes itself (400, 408, 413, …).
  net::HttpResponse render_error(int status, std::string_view text, const net::HttpRequest& request);
  // Follows revocations, writes the trail of API keys and the last use of sessions, removes what is dead or old, asks
  // who owns linked agents, tells event streams of new events.
  Task<void> run();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}   // namespace agentauri::gateway
