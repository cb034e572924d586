// What `agentauri doctor` knows when it judges. Gathering it is the only part that touches the world (gather.hpp); a
// check is a function of the settings and of this, so that each can be shown what it should find.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/backup_status.hpp"
#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "store/operator_facts.hpp"

namespace agentauri::app::doctor {

// A file that holds a secret.
struct SecretFile {
  std::string name;   // of the setting
  std::string path;
  unsigned mode = 0;   // permission bits
  Time changed_at;
};

// What the store says. Without it every check of the store is skipped.
struct StoreFacts {
  bool is_embedded = true;
  Time local_time;   // just before it was asked
  store::ServerFacts server;
  std::optional<std::string> migrations_fault;
  std::optional<std::string> data_keys_fault;
  store::EventStorageFacts events;
  store::PipelineFacts pipeline;
};

struct RedisFacts {
  bool is_reachable = false;
  bool refuses_us = false;    // the credentials are wrong
  bool takes_nobody = true;   // a stranger without a password is refused
  std::string version, trouble;
};

// A TCP port of this machine that takes connections from other machines.
struct OpenPort {
  std::uint16_t port = 0;
  std::string address;
};

struct Certificate {
  std::string path;
  std::optional<Time> ends;   // nullopt: it cannot be read
  std::string trouble;
};
struct NginxFacts {
  std::string folder;
  bool limits_auth = false, limits_api = false, answers_429 = false;
  std::vector<Certificate> certificates;
};

struct Disk {
  std::string what, path;
  std::uint64_t free_bytes = 0, total_bytes = 0;
};

struct LogFacts {
  std::string folder;                // LOG_DIR
  bool is_rotated = false;           // a rule of logrotate names it
  std::uint64_t largest_bytes = 0;   // of its files
};

struct Facts {
  Time now;
  std::vector<Error> config_faults, config_warnings;
  std::vector<SecretFile> secret_files;
  std::optional<std::string> store_trouble;   // why `store` is not there
  std::optional<StoreFacts> store;
  std::optional<RedisFacts> redis;   // nullopt: none is configured
  std::vector<OpenPort> open_ports;
  std::optional<NginxFacts> nginx;   // nullopt: it is not on this machine
  std::optional<LogFacts> logs;      // nullopt: LOG_DIR is not set
  std::string backup_folder;
  Result<BackupStatus> backup;
  std::vector<Disk> disks;
  std::optional<bool> clock_is_kept;   // by NTP, as the kernel says
  std::uint64_t open_files = 0;        // the hard limit
  bool is_scraped = false;             // a Prometheus on this machine names our metrics
  bool has_prometheus = false;
};

}   // namespace agentauri::app::doctor
