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
  wait_for_stop_signal([] { return false; });
  application.stop();
  return kExitOk;
}

}   // namespace agentauri::app
