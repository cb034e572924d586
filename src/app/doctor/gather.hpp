// Collects what the checks judge: asks the store, Redis, the kernel and a few files. Every part may fail by itself, and
// none of them changes anything or waits longer than a few seconds.
#pragma once

#include <string>

#include "app/doctor/facts.hpp"
#include "app/settings.hpp"

namespace agentauri::app::doctor {

// Where the machine keeps what is looked at; tests have places of their own.
struct Places {
  std::string nginx = "/etc/nginx";
  std::string logrotate = "/etc/logrotate.d";
  std::string prometheus = "/etc/prometheus";
  std::string tcp = "/proc/net/tcp", tcp6 = "/proc/net/tcp6";
};

// Also fills in the JWT_SECRET that the embedded store made, so that it is judged like any other.
Facts gather(Settings& settings, Environment& env, const Clock& clock, const Places& places = {});

// Parts of it, each in a file of its own.
void gather_store(const Settings& settings, const Clock& clock, Facts& facts);
std::optional<RedisFacts> gather_redis(const Settings& settings);
void gather_machine(const Settings& settings, const Places& places, Facts& facts);

}   // namespace agentauri::app::doctor
