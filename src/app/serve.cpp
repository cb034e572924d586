#include <fmt/format.h>

#include <cstdio>

#include "app/application.hpp"
#include "app/commands.hpp"
#include "app/exit_codes.hpp"

namespace agentauri::app {

int run_serve(Settings settings) {
  static const Log log("app");
  block_signals();
  Application application(std::move(settings));
  if (auto started = application.start(); !started) {
    log.error(started.error().text, {{"variable", started.error().field}});
    fmt::print(stderr, "{}\n", started.error().text);
    return exit_code_of(started.error());
  }
  wait_for_stop_signal([&application] { return application.lost(); });
  const bool lost = application.lost();
  application.stop();
  // A supervisor starts it again, with fresh leases.
  return lost ? kExitUnavailable : kExitOk;
}

}   // namespace agentauri::app
