#include <fmt/format.h>

#include <cstdio>

#include "app/commands.hpp"
#include "app/exit_codes.hpp"

namespace agentauri::app {

bool report_faults(const Environment& env) {
  static const Log log("config");
  for (const auto& warning : env.warnings())
    log.warn(fmt::format("{} {}", warning.field, warning.text), {{"variable", warning.field}});
  for (const auto& fault : env.faults()) {
    log.error(fmt::format("{} {}", fault.field, fault.text), {{"variable", fault.field}});
    fmt::print(stderr, "{} {}\n", fault.field, fault.text);
  }
  return !env.faults().empty();
}

int run_check_config(const Settings& settings, const Environment& env) {
  for (const auto& warning : env.warnings()) fmt::print(stderr, "warning: {} {}\n", warning.field, warning.text);
  for (const auto& fault : env.faults()) fmt::print(stderr, "{} {}\n", fault.field, fault.text);
  if (!env.faults().empty()) {
    fmt::print(stderr, "{} fault{}; nothing was started\n", env.faults().size(), env.faults().size() == 1 ? "" : "s");
    return kExitConfig;
  }
  fmt::print("roles      {}\n", to_string(settings.roles));
  fmt::print("listen     {}:{}\n", settings.server_host, settings.server_port);
  fmt::print("metrics    {}:{}\n", settings.metrics_host, settings.metrics_port);
  if (settings.postgres)
    fmt::print("store      PostgreSQL, database {} at {}:{} as {}\n", settings.postgres->database,
               settings.postgres->host, settings.postgres->port, settings.postgres->user);
  else
    fmt::print("store      SQLite in {}\n", settings.data_dir);
  fmt::print("mode       {}\n", settings.production ? "production" : "development");
  for (const auto& chain : settings.chains)
    fmt::print("chain      {} with {} RPC URL{}\n", chain.id, chain.rpc_urls.size(),
               chain.rpc_urls.size() == 1 ? "" : "s");
  if (settings.chains.empty()) fmt::print("chain      none\n");
  return kExitOk;
}

int exit_code_of(const Error& error) {
  if (error.field == "SERVER_PORT") return kExitOs;
  if (error.code == Code::unavailable || error.code == Code::busy || error.code == Code::timed_out ||
      error.code == Code::commit_unknown)
    return kExitUnavailable;
  return kExitConfig;
}

}   // namespace agentauri::app
