// Durable units of one row each on PostgreSQL, by so many callers of which each awaits its unit before it gives the
// next: our side of pgbench.mjs.
//
//   unit_rate <connections> <callers> <seconds> <name of the run>     prints units a second; DB_HOST, DB_PORT, DB_NAME,
//                                                                     DB_USER, DB_PASSWORD
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>

#include "bench_store.hpp"
#include "core/async/task.hpp"
#include "core/telemetry/log.hpp"

namespace agentauri::bench {
namespace {

using Watch = std::chrono::steady_clock;

const store::Query kPut{"bench_put", "INSERT INTO counters (name, value) VALUES (:name, :value)"};

double seconds_since(Watch::time_point started) {
  return std::chrono::duration<double>(Watch::now() - started).count();
}

int run(unsigned connections, int callers, double seconds, const std::string& name_of_run) {
  configure_log({.level = Level::warn});
  const auto db = open_postgres(connections);
  std::int64_t given = 0, done = 0;
  const auto started = Watch::now();
  run_blocking([&]() -> Task<void> {
    TaskGroup group(co_await this_executor());
    for (int i = 0; i < callers; ++i) {
      group.spawn("caller", [&]() -> Task<void> {
        while (seconds_since(started) < seconds) {
          const std::int64_t n = ++given;
          auto put = [name = fmt::format("unit-{}-{:012}", name_of_run, n), n](store::Tx& tx) -> Result<void> {
            auto rows = tx.run(kPut, store::Params().text("name", name).i64("value", n));
            if (!rows) return fail(rows);
            return {};
          };
          const auto committed = co_await db->transact<void>(store::Priority::interactive, std::move(put));
          ENSURE(committed.has_value(), committed ? "" : committed.error().text.c_str());
          ++done;
        }
      });
    }
    co_await group.wait();
  });
  fmt::print("{:.1f}\n", static_cast<double>(done) / seconds_since(started));
  db->stop();
  return 0;
}

}   // namespace
}   // namespace agentauri::bench

int main(int argc, char** argv) {
  if (argc == 5) {
    return agentauri::bench::run(static_cast<unsigned>(std::atoi(argv[1])), std::atoi(argv[2]), std::atof(argv[3]),
                                 argv[4]);
  }
  fmt::print(stderr, "usage: unit_rate <connections> <callers> <seconds> <name of the run>\n");
  return 2;
}
