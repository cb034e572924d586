// background_task_{executions_total,duration_seconds,records_deleted}{task}: what runs by itself, how long, and how
// many rows it took away. Thread-safe; lives as long as the registry.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/telemetry/metrics.hpp"

namespace agentauri {

class BackgroundTask {
 public:
  BackgroundTask(Metrics& metrics, std::string_view task)
      : executions_(metrics.counter("background_task_executions_total", "Runs of background tasks", label(task))),
        deleted_(metrics.gauge("background_task_records_deleted", "Rows removed by background tasks since the start",
                               label(task))),
        duration_(metrics.histogram("background_task_duration_seconds", "Time that a run of a background task took",
                                    kJobBuckets, label(task))) {}

  void deleted(std::int64_t rows) const { deleted_.add(static_cast<double>(rows)); }

  // One run, from its construction to its end.
  class Run {
   public:
    explicit Run(const BackgroundTask& task) : task_(task), begun_(std::chrono::steady_clock::now()) {}
    ~Run() {
      task_.executions_.add();
      task_.duration_.observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count());
    }
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

   private:
    const BackgroundTask& task_;
    std::chrono::steady_clock::time_point begun_;
  };

 private:
  static Labels label(std::string_view task) { return {{"task", std::string(task)}}; }

  Counter executions_;
  Gauge deleted_;   // only grows: its name is given, and not one of a counter
  Histogram duration_;
};

}   // namespace agentauri
