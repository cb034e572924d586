// Prometheus metrics of this process (names: operations.md 6.2-6.3). Thread-safe. Label values must be bounded: never
// an id, an address or message text.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace agentauri {

// Handles are cheap to copy and live as long as the registry they came from.
class Counter {
 public:
  void add(double n = 1) const;
  double value() const;

 private:
  friend class Metrics;
  explicit Counter(void* impl) : impl_(impl) {}
  void* impl_;
};

class Gauge {
 public:
  void set(double value) const;
  void add(double n) const;
  double value() const;

 private:
  friend class Metrics;
  explicit Gauge(void* impl) : impl_(impl) {}
  void* impl_;
};

class Histogram {
 public:
  void observe(double value) const;

 private:
  friend class Metrics;
  explicit Histogram(void* impl) : impl_(impl) {}
  void* impl_;
};

using Labels = std::vector<std::pair<std::string, std::string>>;

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // The same name and labels give the same series. Keep the handle where the path is hot.
  Counter counter(std::string_view name, std::string_view help, const Labels& labels = {});
  Gauge gauge(std::string_view name, std::string_view help, const Labels& labels = {});
  Histogram histogram(std::string_view name, std::string_view help, const std::vector<double>& buckets,
                      const Labels& labels = {});
  // Text format 0.0.4, with process_*; facts of the process that cannot be read keep their last value.
  std::string expose();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Bucket edges of operations.md 6.3, in seconds.
extern const std::vector<double> kHttpBuckets;
extern const std::vector<double> kDatabaseBuckets;
extern const std::vector<double> kEventBuckets;
extern const std::vector<double> kJobBuckets;

}   // namespace agentauri
