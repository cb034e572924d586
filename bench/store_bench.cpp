// How much the group commit of the embedded store is worth: durable units per second, many at once, against one commit
// for each row (SQLite's autocommit with the same settings, on the same disk, in the same run).
//
//   store_bench [folder] [seconds]     the folder should lie on the disk that matters; a temporary one is made inside
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/vfs.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "core/async/task.hpp"
#include "report.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/sqlite_database.hpp"

namespace agentauri::store {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kRounds = 3;               // of each, in turn, so that a busy moment hits all alike; medians are shown
constexpr std::size_t kInFlight = 512;   // callers at once
constexpr long kTmpfsMagic = 0x01021994;

const Query kPut{"bench_put", "INSERT INTO counters (name, value) VALUES (:name, :value)"};

Params row(std::int64_t n) {
  return Params().text("name", fmt::format("bench-{:012}", n)).i64("value", n);
}

struct Rate {
  double per_second = 0;
  std::vector<double> waits_ms;   // of each unit, when they were taken one by one

  double percentile(double p) {
    if (waits_ms.empty()) return 0;
    std::sort(waits_ms.begin(), waits_ms.end());
    return waits_ms[static_cast<std::size_t>(p * static_cast<double>(waits_ms.size() - 1))];
  }
};

double seconds_since(SteadyClock::time_point started) {
  return std::chrono::duration<double>(SteadyClock::now() - started).count();
}

void check(bool good, const std::string& text) {
  if (good) return;
  fmt::print(stderr, "store_bench: {}\n", text);
  std::exit(1);
}

Rate autocommit(const std::string& folder, double seconds, std::int64_t& n) {
  auto connection = sqlite::Connection::open(folder + "/agentauri.db", false, nullptr);
  check(connection.has_value(), "the database cannot be opened");
  Rate rate;
  const auto started = SteadyClock::now();
  while (seconds_since(started) < seconds) {
    const auto before = SteadyClock::now();
    const auto put = (*connection)->run(kPut, row(++n));
    check(put.has_value(), put ? "" : put.error().text);
    rate.waits_ms.push_back(seconds_since(before) * 1000);
  }
  rate.per_second = static_cast<double>(rate.waits_ms.size()) / seconds_since(started);
  return rate;
}

// `in_flight` callers, each of which awaits its unit before it gives the next.
Rate units(const std::string& folder, double seconds, std::size_t in_flight, std::int64_t& n) {
  auto db = make_sqlite_database({.data_dir = folder});
  check(db.has_value(), db ? "" : db.error().text);
  Rate rate;
  const auto started = SteadyClock::now();
  run_blocking([&]() -> Task<void> {
    TaskGroup group(co_await this_executor());
    for (std::size_t i = 0; i < in_flight; ++i) {
      group.spawn("caller", [&]() -> Task<void> {
        while (seconds_since(started) < seconds) {
          const auto before = SteadyClock::now();
          auto body = [params = row(++n)](Tx& tx) -> Result<void> {
            auto put = tx.run(kPut, params);
            if (!put) return fail(put);
            return {};
          };
          const auto done = co_await (*db)->transact<void>(Priority::interactive, std::move(body));
          check(done.has_value(), done ? "" : done.error().text);
          rate.waits_ms.push_back(seconds_since(before) * 1000);
        }
      });
    }
    co_await group.wait();
  });
  rate.per_second = static_cast<double>(rate.waits_ms.size()) / seconds_since(started);
  return rate;
}

// One unit with many rows: what history costs.
double rows_in_bulk(const std::string& folder, double seconds, std::int64_t& n) {
  auto db = make_sqlite_database({.data_dir = folder});
  check(db.has_value(), db ? "" : db.error().text);
  std::int64_t rows = 0;
  const auto started = SteadyClock::now();
  while (seconds_since(started) < seconds) {
    std::vector<Params> sets;
    for (int i = 0; i < 500; ++i) sets.push_back(row(++n));
    const auto put =
        (*db)->transact_blocking<std::int64_t>(Priority::bulk, [&sets](Tx& tx) { return tx.run_many(kPut, sets); });
    check(put.has_value(), put ? "" : put.error().text);
    rows += *put;
  }
  return static_cast<double>(rows) / seconds_since(started);
}

int run(const std::string& parent, double seconds) {
  std::string folder = parent + "/store-bench-XXXXXX";
  check(::mkdtemp(folder.data()) != nullptr, fmt::format("no folder can be made in {}", parent));
  struct statfs disk{};
  if (::statfs(folder.c_str(), &disk) == 0 && disk.f_type == kTmpfsMagic) {
    fmt::print("note: {} lies in memory, where a commit costs nothing: the ratio says little\n", parent);
  }
  std::int64_t n = 0;
  check(make_sqlite_database({.data_dir = folder}).has_value(), "the store cannot be made");
  std::vector<Rate> single, grouped, lone, bulk;
  for (int round = 0; round < kRounds; ++round) {
    single.push_back(autocommit(folder, seconds, n));
    grouped.push_back(units(folder, seconds, kInFlight, n));
    lone.push_back(units(folder, seconds, 1, n));
    bulk.push_back({rows_in_bulk(folder, seconds, n), {}});
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);

  const auto median = [](std::vector<Rate>& rates) -> Rate& {
    std::sort(rates.begin(), rates.end(), [](const Rate& a, const Rate& b) { return a.per_second < b.per_second; });
    return rates[rates.size() / 2];
  };
  Rate& reference = median(single);
  Rate& group = median(grouped);
  Rate& alone = median(lone);
  const auto line = [](const std::string& what, Rate& rate) {
    fmt::print("{:<44} {:>9.0f}/s   p50 {:>7.2f} ms   p99 {:>7.2f} ms\n", what, rate.per_second, rate.percentile(.5),
               rate.percentile(.99));
  };
  line("autocommit, one row at a time (reference)", reference);
  line(fmt::format("units of one row, {} callers at once", kInFlight), group);
  line("units of one row, one caller", alone);
  fmt::print("{:<44} {:>9.0f} rows/s\n", "units of 500 rows, one caller", median(bulk).per_second);
  bench::note("a lone unit / autocommit (it does not wait for a group)", alone.per_second / reference.per_second, "x");
  bench::report("durable group commit / autocommit", group.per_second / reference.per_second, "x",
                bench::Goal::at_least, 15);
  return 0;
}

}   // namespace
}   // namespace agentauri::store

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : ".";
  const double seconds = argc > 2 ? std::atof(argv[2]) : 2.0;
  return agentauri::store::run(folder, seconds > 0 ? seconds : 2.0);
}
