#include "core/telemetry/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>

#include "core/telemetry/log.hpp"

namespace agentauri {

const std::vector<double> kHttpBuckets{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10};
const std::vector<double> kDatabaseBuckets{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5};
const std::vector<double> kEventBuckets{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30};
const std::vector<double> kJobBuckets{.1, .25, .5, 1, 2.5, 5, 10, 30};

void Counter::add(double n) const {
  static_cast<prometheus::Counter*>(impl_)->Increment(n);
}
double Counter::value() const {
  return static_cast<prometheus::Counter*>(impl_)->Value();
}
void Gauge::set(double value) const {
  static_cast<prometheus::Gauge*>(impl_)->Set(value);
}
void Gauge::add(double n) const {
  static_cast<prometheus::Gauge*>(impl_)->Increment(n);
}
double Gauge::value() const {
  return static_cast<prometheus::Gauge*>(impl_)->Value();
}
void Histogram::observe(double value) const {
  static_cast<prometheus::Histogram*>(impl_)->Observe(value);
}

struct Metrics::Impl {
  prometheus::Registry registry;
  std::mutex mutex;
  std::map<std::string, prometheus::Family<prometheus::Counter>*, std::less<>> counters;
  std::map<std::string, prometheus::Family<prometheus::Gauge>*, std::less<>> gauges;
  std::map<std::string, prometheus::Family<prometheus::Histogram>*, std::less<>> histograms;

  template <class Families, class Builder>
  auto& family(Families& families, std::string_view name, std::string_view help, Builder builder) {
    const std::lock_guard lock(mutex);
    auto found = families.find(name);
    if (found == families.end()) {
      auto& made = builder().Name(std::string(name)).Help(std::string(help)).Register(registry);
      found = families.emplace(std::string(name), &made).first;
    }
    return *found->second;
  }
};

namespace {

std::map<std::string, std::string> to_map(const Labels& labels) {
  return {labels.begin(), labels.end()};
}

struct ProcessFacts {
  double cpu_seconds = 0;
  std::optional<double> resident_bytes, open_fds;   // empty: /proc cannot be read, out of descriptors perhaps
};

ProcessFacts read_process() {
  ProcessFacts facts;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  facts.cpu_seconds = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                      static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  std::ifstream statm("/proc/self/statm");
  double pages = 0;
  if (statm >> pages >> pages)   // the second number is the resident set
    facts.resident_bytes = pages * static_cast<double>(sysconf(_SC_PAGESIZE));
  statm.close();
  std::error_code error;
  double open = -1;   // without the one that reads the directory
  for (auto it = std::filesystem::directory_iterator("/proc/self/fd", error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    ++open;
  }
  if (!error) facts.open_fds = open;
  return facts;
}

}   // namespace

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {
  using namespace std::chrono;
  gauge("process_start_time_seconds", "Unix time at which the process started")
      .set(duration<double>(system_clock::now().time_since_epoch()).count());
}
Metrics::~Metrics() = default;

Counter Metrics::counter(std::string_view name, std::string_view help, const Labels& labels) {
  return Counter(&impl_->family(impl_->counters, name, help, prometheus::BuildCounter).Add(to_map(labels)));
}
Gauge Metrics::gauge(std::string_view name, std::string_view help, const Labels& labels) {
  return Gauge(&impl_->family(impl_->gauges, name, help, prometheus::BuildGauge).Add(to_map(labels)));
}
Histogram Metrics::histogram(std::string_view name, std::string_view help, const std::vector<double>& buckets,
                             const Labels& labels) {
  return Histogram(
      &impl_->family(impl_->histograms, name, help, prometheus::BuildHistogram).Add(to_map(labels), buckets));
}

std::string Metrics::expose() {
  const ProcessFacts facts = read_process();
  const Counter cpu = counter("process_cpu_seconds_total", "User and system CPU time spent");
  cpu.add(facts.cpu_seconds - cpu.value());
  const Gauge resident = gauge("process_resident_memory_bytes", "Resident memory");
  if (facts.resident_bytes) resident.set(*facts.resident_bytes);
  const Gauge open_fds = gauge("process_open_fds", "Open file descriptors");
  if (facts.open_fds) open_fds.set(*facts.open_fds);
  const Counter lost = counter("log_lines_lost_total", "Log lines that found the queue full");
  lost.add(static_cast<double>(lost_log_lines()) - lost.value());
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}   // namespace agentauri
