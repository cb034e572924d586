// `agentauri doctor`: looks, and changes nothing. Works while the service runs, and when half of what it needs is down.
#include <fmt/format.h>

#include <cstdio>

#include "app/commands.hpp"
#include "app/doctor/gather.hpp"
#include "app/doctor/report.hpp"
#include "app/exit_codes.hpp"

namespace agentauri::app {

int run_doctor(Settings settings, Environment& env, const DoctorOptions& options) {
  LogSettings silent;   // what it finds is its output, and nothing else
  silent.level = Level::off;
  configure_log(silent);
  const auto facts = doctor::gather(settings, env, SystemClock());
  const auto report = doctor::judge(settings, facts, options.go_live);
  if (options.as_json)
    fmt::print("{}\n", json::dump(doctor::to_json(report)));
  else
    fmt::print("{}", doctor::to_text(report));
  return report.is_good() ? kExitOk : kExitNo;
}

}   // namespace agentauri::app
