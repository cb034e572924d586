// What lies in files beside the program and that operators want in its metrics: when backups were made and verified
// (BACKUP_DIR/status.json), and when certificates end (TLS_CERTIFICATE_FILES).
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/base/result.hpp"
#include "core/telemetry/log.hpp"
#include "core/telemetry/metrics.hpp"

namespace agentauri::app {

struct HostWatchSettings {
  std::string backup_dir;
  std::vector<std::string> certificate_files;   // PEM; the first certificate of each counts
  std::chrono::seconds every{30};
};

// Made by the application; a thread of its own looks at the files, which may lie on a disk that hangs. Metrics keep
// their last value while a file cannot be read, and the log says so once.
class HostWatch {
 public:
  HostWatch(HostWatchSettings settings, Metrics& metrics);
  ~HostWatch() { stop(); }
  HostWatch(const HostWatch&) = delete;
  HostWatch& operator=(const HostWatch&) = delete;

  void start();
  void stop();
  // One look; for tests. Not beside the thread.
  void look();

 private:
  void run();
  void look_at_backups();
  void look_at_certificate(const std::string& file);
  // A warning for the first failure after a success, and the other way round.
  void tell(const std::string& what, const Result<void>& outcome);

  HostWatchSettings settings_;
  Metrics& metrics_;
  Gauge backed_up_, size_, verified_, failed_;
  std::map<std::string, bool> readable_;
  Log log_{"host"};
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable stop_asked_;
  bool stopping_ = false;
};

}   // namespace agentauri::app
