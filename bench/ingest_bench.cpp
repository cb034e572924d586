// What history costs between a node's answer and the committed row: the follower as it runs in the service, on a node
// that answers from memory with the JSON text that a real one sends. Beside it the two halves alone: decoding without a
// store, and the store without decoding.
//
//   ingest_bench sqlite|postgres [events] [rounds]     postgres: DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASSWORD
#include <fmt/format.h>
#include <stdlib.h>
#include <time.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "bench_store.hpp"
#include "chain/indexer/follower.hpp"
#include "core/async/task.hpp"
#include "core/telemetry/log.hpp"
#include "history_source.hpp"
#include "report.hpp"
#include "store/sqlite/sqlite_database.hpp"

namespace agentauri::bench {
namespace {

using chain::ChainFollower;
using store::Tx;

constexpr std::int64_t kEpoch = 1;
constexpr std::size_t kRowsAtOnce = 500;   // of one commit, as FollowerSettings

const store::Query kCount{"bench_count_events", "SELECT count(*) FROM events WHERE chain_id = :chain_id"};

using Watch = std::chrono::steady_clock;
double seconds_since(Watch::time_point started) {
  return std::chrono::duration<double>(Watch::now() - started).count();
}

double cpu_seconds(clockid_t clock = CLOCK_PROCESS_CPUTIME_ID) {
  timespec spent{};
  ::clock_gettime(clock, &spent);
  return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) * 1e-9;
}

std::unique_ptr<store::Database> open_sqlite(const std::string& folder) {
  auto db = store::make_sqlite_database({.data_dir = folder});
  ENSURE(db.has_value(), db ? "" : db.error().text.c_str());
  return std::move(*db);
}

void check_count(store::Database& db, domain::ChainId chain, std::size_t events) {
  const auto rows = db.query_blocking(kCount, store::Params().i64("chain_id", chain));
  ENSURE(rows && rows->i64(0, 0) == static_cast<std::int64_t>(events), "the store does not hold every event once");
}

// Everything that the service does with history, until the ledger has no gap.
double follow(store::Database& db, HistorySource& source, domain::ChainId chain) {
  Metrics metrics;
  SystemClock clock;
  chain::FollowerSettings settings;
  settings.chain_id = chain;
  settings.name = "bench";
  settings.contracts = source.contracts();
  settings.start_block = 1;
  settings.epoch = kEpoch;
  ChainFollower follower(source, db, clock, settings, metrics, [] {});
  const std::uint64_t last = source.head_num() - 1;   // of history
  double seconds = 0;
  run_blocking([&]() -> Task<void> {
    TaskGroup group(co_await this_executor());
    const auto started = Watch::now();
    group.spawn("follower", [&follower]() -> Task<void> { (void)co_await follower.run(); });
    while (co_await blocks_read(db, chain, last) < last) co_await sleep_for(std::chrono::milliseconds(10));
    seconds = seconds_since(started);
    group.cancel();
    co_await group.wait();
  });
  return seconds;
}

// The same blocks, decoded before the clock starts.
double append_only(store::Database& db, const HistorySource& source, domain::ChainId chain) {
  const auto slices = source.decoded_slices(chain, kRowsAtOnce);
  const Time now = SystemClock().now();
  const auto attached = db.transact_blocking<store::ChainRow>(store::Priority::interactive, [&](Tx& tx) {
    return store::attach_chain(tx, chain, "bench", 1, source.head_num(), kEpoch, now);
  });
  ENSURE(attached.has_value(), "the chain cannot be attached");
  std::uint64_t from = 1;
  const auto started = Watch::now();
  for (const auto& blocks : slices) {
    const std::uint64_t to = blocks.back().block.num;
    const auto done = db.transact_blocking<void>(store::Priority::bulk, [&](Tx& tx) {
      return store::append_history(tx, chain, kEpoch, blocks, from, to, {source.contracts().all(), false}, now);
    });
    ENSURE(done.has_value(), done ? "" : done.error().text.c_str());
    from = to + 1;
  }
  return seconds_since(started);
}

void run(const std::string& engine, std::size_t events, int rounds) {
  configure_log({.level = Level::warn});
  HistorySource source(events);
  std::string folder = (std::filesystem::temp_directory_path() / "ingest-bench-XXXXXX").string();
  ENSURE(::mkdtemp(folder.data()) != nullptr, "no temporary folder can be made here");
  const double count = static_cast<double>(events);
  std::vector<double> decode, append, whole, cpu, follower_cpu;
  {
    const auto db = engine == "postgres" ? open_postgres() : open_sqlite(folder);
    // Each pass is a chain of its own in one store, so that a later one meets a table that is not empty.
    domain::ChainId chain = 1000;
    for (int round = 0; round < rounds; ++round) {
      const double decoding = cpu_seconds();
      ENSURE(source.decode_all() == events, "not every log became an event");
      decode.push_back(count / (cpu_seconds() - decoding));
      append.push_back(count / append_only(*db, source, ++chain));
      check_count(*db, chain, events);
      const double before = cpu_seconds();
      const double follower_before = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);   // it runs on this thread
      whole.push_back(count / follow(*db, source, ++chain));
      cpu.push_back((cpu_seconds() - before) / count * 1e6);
      follower_cpu.push_back((cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - follower_before) / count * 1e6);
      check_count(*db, chain, events);
    }
    db->stop();
  }
  std::filesystem::remove_all(folder);
  note("share of a core that a busy thread got here (1: alone)", core_share(), "");
  note("decode only (JSON text to normalised event)", median(decode), "events/core s");
  note(engine + ": store only, one writer, 500 rows a commit", median(append), "events/s");
  note(engine + ": CPU of this process for decode and store", median(cpu), "us/event");
  note(engine + ": of it the follower's thread (the rest: store threads)", median(follower_cpu), "us/event");
  note(engine + ": decode and store / store only", median(whole) / median(append), "x");
  report(engine + ": decode and store of history", median(whole), "events/s", Goal::at_least,
         engine == "postgres" ? 25'000 : 40'000);
}

}   // namespace
}   // namespace agentauri::bench

int main(int argc, char** argv) {
  const std::string engine = argc > 1 ? argv[1] : "";
  ENSURE(engine == "sqlite" || engine == "postgres", "usage: ingest_bench sqlite|postgres [events] [rounds]");
  agentauri::bench::run(engine, argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 100'000,
                        argc > 3 ? std::atoi(argv[3]) : 3);
  return 0;
}
