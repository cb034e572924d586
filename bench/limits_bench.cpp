// Decisions of limits that gateways share: through one Redis, by callers that each wait for their answer, as requests
// do. The reference is redis-benchmark's INCR with as many clients on the same server: what its CPU can answer at all.
//
//   limits_bench [seconds] [callers]
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "core/async/task.hpp"
#include "core/telemetry/log.hpp"
#include "report.hpp"
#include "store/testing/served_redis.hpp"

namespace agentauri::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr std::size_t kKeys = 10'000;
constexpr double kPercentile = 0.99;

struct Measured {
  double rate = 0, p99_ms = 0;
  std::size_t degraded = 0;
};

Task<void> call(store::Cache& cache, SteadyClock::time_point end, std::size_t first, std::vector<double>& took,
                std::size_t& degraded) {
  for (std::size_t i = first; SteadyClock::now() < end; ++i) {
    const auto begun = SteadyClock::now();
    const auto quota =
        co_await cache.take({.key = fmt::format("ip:198.18.{}.{}:anonymous-read", i % kKeys / 250, i % 250),
                             .window = store::Window::minute,
                             .limit = 60,
                             .cost = 1,
                             .now = from_unix_seconds(1'767'225'600)});
    took.push_back(std::chrono::duration<double, std::milli>(SteadyClock::now() - begun).count());
    degraded += quota.degraded ? 1 : 0;
  }
}

Measured measure(store::Cache& cache, double seconds, std::size_t callers) {
  std::vector<double> took;
  Measured out;
  const auto begun = SteadyClock::now();
  const auto end = begun + std::chrono::milliseconds(static_cast<int>(seconds * 1000));
  run_blocking([&]() -> Task<void> {
    TaskGroup group(co_await this_executor());
    for (std::size_t c = 0; c < callers; ++c)
      group.spawn("caller", [&, c]() -> Task<void> { co_await call(cache, end, c * 997, took, out.degraded); });
    co_await group.wait();
  });
  const std::chrono::duration<double> lasted = SteadyClock::now() - begun;
  out.rate = static_cast<double>(took.size()) / lasted.count();
  std::sort(took.begin(), took.end());
  if (!took.empty()) out.p99_ms = took[static_cast<std::size_t>(kPercentile * static_cast<double>(took.size() - 1))];
  return out;
}

// 0: redis-benchmark is not there.
double reference(std::uint16_t port, std::size_t clients) {
  const auto command = fmt::format("redis-benchmark -p {} -c {} -n 100000 -t incr --csv 2>/dev/null", port, clients);
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  double out = 0;
  for (char line[512]; pipe && std::fgets(line, sizeof line, pipe.get()) != nullptr;)
    (void)std::sscanf(line, "\"INCR\",\"%lf\"", &out);
  return out;
}

}   // namespace
}   // namespace agentauri::bench

int main(int argc, char** argv) {
  using namespace agentauri;
  const double seconds = argc > 1 ? std::atof(argv[1]) : 3;
  const std::size_t callers = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 50;
  configure_log({.level = Level::warn});
  net::testing::TempRedis redis;
  store::testing::ServedRedis served(redis.port());
  const double incr = bench::reference(redis.port(), callers);
  const auto measured = bench::measure(served.cache, seconds, callers);
  const auto what = fmt::format("limits through Redis, {} callers", callers);
  bench::report(what, measured.rate, "decisions/s", bench::Goal::at_least, 20'000);
  bench::report(what + ", p99", measured.p99_ms, "ms", bench::Goal::at_most, 5);
  bench::note("of them degraded", static_cast<double>(measured.degraded), "decisions");
  if (incr > 0) {
    bench::note("redis-benchmark INCR, as many clients (reference)", incr, "/s");
    bench::note("limits / INCR", measured.rate / incr, "x");
  }
  return 0;
}
