// db_query_duration_seconds{query}: how long each named statement takes. Costs nothing without metrics.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "core/telemetry/metrics.hpp"

namespace agentauri::store {

inline std::optional<Histogram> query_histogram(Metrics* metrics, std::string_view query) {
  if (metrics == nullptr) return std::nullopt;
  return metrics->histogram("db_query_duration_seconds", "Time of one run of a named statement", kDatabaseBuckets,
                            {{"query", std::string(query)}});
}

// Observes the time from its construction to its end.
class QueryTiming {
 public:
  explicit QueryTiming(const std::optional<Histogram>& histogram) : histogram_(histogram) {
    if (histogram_) started_ = std::chrono::steady_clock::now();
  }
  ~QueryTiming() {
    if (histogram_)
      histogram_->observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count());
  }
  QueryTiming(const QueryTiming&) = delete;
  QueryTiming& operator=(const QueryTiming&) = delete;

 private:
  const std::optional<Histogram>& histogram_;
  std::chrono::steady_clock::time_point started_;
};

}   // namespace agentauri::store
