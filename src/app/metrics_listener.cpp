#include "app/metrics_listener.hpp"

#include "app/chain_settings.hpp"
#include "app/version.hpp"
#include "core/json/json.hpp"

namespace agentauri::app {
namespace {

net::HttpResponse reply(int status, std::string text, std::string type = "text/plain; charset=utf-8") {
  net::HttpResponse out;
  out.status = status;
  out.headers.add("Content-Type", std::move(type));
  out.body = std::move(text);
  return out;
}

net::HttpServer::Settings server_settings(const Settings& settings) {
  net::HttpServer::Settings out;
  out.host = settings.metrics_host;
  out.port = settings.metrics_port;
  out.name = "metrics";
  return out;
}

}   // namespace

MetricsListener::MetricsListener(Executor executor, const Settings& settings, Metrics& metrics, store::Database& db)
    : metrics_(metrics),
      db_(db),
      roles_(settings.roles),
      server_(
          {std::move(executor)}, server_settings(settings),
          [this](net::HttpRequest request) { return answer(std::move(request)); },
          [](int status, std::string_view text, const net::HttpRequest&) { return reply(status, std::string(text)); }) {
}

Result<void> MetricsListener::start() {
  auto listening = server_.start();
  if (!listening) return fail(Code::unavailable, "METRICS_ADDR", listening.error().text);
  return {};
}

Task<void> MetricsListener::stop(std::chrono::milliseconds grace) {
  co_await server_.stop(grace);
}

Task<net::HttpResponse> MetricsListener::answer(net::HttpRequest request) {
  const bool is_metrics = request.path == "/metrics";
  if (!is_metrics && request.path != "/health") co_return reply(404, "not found\n");
  if (request.method != "GET" && request.method != "HEAD") {
    auto refused = reply(405, "GET only\n");
    refused.headers.add("Allow", "GET, HEAD");
    co_return refused;
  }
  if (is_metrics) co_return reply(200, metrics_.expose(), "text/plain; version=0.0.4; charset=utf-8");
  co_return co_await health();
}

Task<net::HttpResponse> MetricsListener::health() {
  const auto database = co_await db_.check_health();
  json::Object body;
  body["status"] = database.reachable ? "healthy" : "unhealthy";
  json::Array roles;
  for (const auto& role : split_list(to_string(roles_))) roles.push_back(json::String(role));
  body["roles"] = std::move(roles);
  body["version"] = json::String(kVersion);
  body["database"] = database.reachable ? "connected" : "disconnected";
  co_return reply(database.reachable ? 200 : 503, json::dump(body) + "\n", "application/json");
}

}   // namespace agentauri::app
