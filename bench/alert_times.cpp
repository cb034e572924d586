// When each alert of a store passed each place on its way, from the rows that it left behind. Reads beside a running
// program.
//
//   alert_times <data folder>     a line for each: <block number>, microseconds since 1970 of: block seen, events
//                                 handed to the store, engine's batch begun (from then on the job counts as due),
//                                 attempt begun, answer recorded; and the job's id, which its webhook carries
//   alert_times postgres          DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASSWORD
#include <fmt/format.h>

#include <cstdio>

#include "bench_store.hpp"
#include "store/latency.hpp"
#include "store/sqlite/sqlite_database.hpp"

namespace agentauri::bench {
namespace {

const store::Query kJobs{"bench_jobs", "SELECT id, block_num FROM jobs ORDER BY block_num"};

std::unique_ptr<store::Database> open_sqlite(const std::string& folder) {
  auto db = store::make_sqlite_database({.data_dir = folder, .read_only = true});
  ENSURE(db.has_value(), db ? "" : db.error().text.c_str());
  return std::move(*db);
}

int run(const std::string& where) {
  const auto db = where == "postgres" ? open_postgres() : open_sqlite(where);
  const auto printed = db->snapshot_blocking<bool>([](store::Tx& tx) -> Result<bool> {
    auto jobs = tx.run(kJobs);
    if (!jobs) return fail(jobs);
    for (std::size_t row = 0; row < jobs->size(); ++row) {
      const auto id = jobs->fixed<32>(row, 0);
      auto bill = store::latency_of(tx, id);
      if (!bill) return fail(bill);
      if (!*bill || !(*bill)->acknowledged) continue;   // still on its way
      fmt::print("{} {} {} {} {} {} {}\n", jobs->i64(row, 1), to_micros((*bill)->seen), to_micros((*bill)->handed_over),
                 to_micros((*bill)->matched), to_micros((*bill)->sent), to_micros(*(*bill)->acknowledged),
                 to_hex(id.view()));
    }
    return true;
  });
  db->stop();
  return printed ? 0 : 1;
}

}   // namespace
}   // namespace agentauri::bench

int main(int argc, char** argv) {
  if (argc == 2) return agentauri::bench::run(argv[1]);
  fmt::print(stderr, "usage: alert_times <data folder>|postgres\n");
  return 2;
}
