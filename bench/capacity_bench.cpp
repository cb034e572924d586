// Whether reading events costs the same however many there are: the store's own list and range calls on PostgreSQL,
// with few events and with many, which are loaded by SQL. The database (DB_HOST, DB_NAME, …) is an empty one of our
// schema.
//   capacity_bench FEW MANY [rounds]
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>

#include "bench_store.hpp"
#include "report.hpp"
#include "store/chain_log.hpp"
#include "store/indexer_status.hpp"

namespace agentauri::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Three chains: 1 has nearly everything, 10 has fifty events and they are the oldest, 20 has none. Blocks of ten
// events. An agent has about twenty events, and one event in a hundred thousand is of a rare type. No event is of the
// validation registry.
const store::Query kChains{
    store::Query::Unlisted{}, "capacity_chains",
    "INSERT INTO chains (chain_id, name, start_block, live_from_block, head_num, updated_at) "
    "SELECT c, 'c' || c, 0, 0, 0, now() FROM unnest(ARRAY[1, 10, 20]) AS c ON CONFLICT DO NOTHING"};
const store::Query kBlocks{
    store::Query::Unlisted{}, "capacity_blocks",
    "INSERT INTO blocks (chain_id, hash, num, parent_hash, time, canonical, has_events, seen_at) "
    "SELECT 1, sha256(convert_to(CAST(n AS text), 'UTF8')), n, sha256(convert_to(CAST(n - 1 AS text), 'UTF8')), to_timestamp(1700000000 + n * 2), true, true, now() "
    "FROM generate_series(CAST(:from AS bigint), CAST(:to AS bigint)) AS n"};
const store::Query kLog{
    store::Query::Unlisted{}, "capacity_log",
    "INSERT INTO block_log (chain_id, seq, op, block_hash, block_num) SELECT 1, num, 1, hash, num FROM "
    "blocks WHERE chain_id = 1 AND num >= :from AND num <= :to"};
const store::Query kEvents{
    store::Query::Unlisted{}, "capacity_events",
    "INSERT INTO events (chain_id, block_hash, txn_index, log_index, block_time, id, txn_hash, contract, txn_ordinal, "
    "content_hash, block_num, registry, event_type, agent_id, owner, value, value_decimals, score, tag1, canonical, "
    "live, "
    "inserted_at) SELECT CASE WHEN n < 50 THEN 10 ELSE 1 END, b.hash, n % 10, n % 10, b.time, "
    "'reputation-1-0x' || encode(b.hash, 'hex') || '-' || (n % 10), b.hash, "
    "decode('8004000000000000000000000000000000000001', 'hex'), 0, b.hash, b.num, "
    "CASE WHEN n % 3 = 0 THEN 'identity' ELSE 'reputation' END, "
    "CASE WHEN n % 100000 = 7 THEN 'Unknown' WHEN n % 3 = 0 THEN 'Transfer' ELSE 'NewFeedback' END, "
    "CAST(n % GREATEST(1, CAST(:agents AS bigint)) AS text), '0x52908400098527886e0f7030069857d2e4169ee7', n % 101, 0, "
    "n % 101, "
    "'starred', true, true, now() FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n "
    "JOIN blocks b ON b.chain_id = 1 AND b.num = n / 10"};
const store::Query kAnalyze{store::Query::Unlisted{}, "capacity_analyze", "ANALYZE events"};

void must(const Result<store::Rows>& rows) {
  ENSURE(rows.has_value(), rows ? "" : rows.error().text.c_str());
}

// Events [first, last), in commits of a hundred thousand.
void load(store::Database& db, std::int64_t first, std::int64_t last) {
  constexpr std::int64_t kStep = 100'000;
  for (std::int64_t at = first; at < last; at += kStep) {
    const std::int64_t end = std::min(at + kStep, last) - 1;
    const auto done = db.transact_blocking<void>(store::Priority::bulk, [&](store::Tx& tx) -> Result<void> {
      must(tx.run(kChains));
      must(tx.run(kBlocks, store::Params().i64("from", at / 10).i64("to", end / 10)));
      must(tx.run(kLog, store::Params().i64("from", at / 10).i64("to", end / 10)));
      must(tx.run(kEvents, store::Params().i64("agents", last / 20).i64("first", at).i64("last", end)));
      return {};
    });
    ENSURE(done.has_value(), done ? "" : done.error().text.c_str());
  }
  must(db.transact_blocking<store::Rows>(store::Priority::bulk, [](store::Tx& tx) { return tx.run(kAnalyze); }));
}

struct Read {
  std::string name;
  std::function<void(store::Tx&)> run;
};

std::vector<Read> reads() {
  const auto list = [](store::EventFilter filter, std::int64_t offset = 0) {
    return [filter, offset](store::Tx& tx) {
      const auto page = store::list_events(tx, filter, 21, offset);
      ENSURE(page.has_value(), page ? "" : page.error().text.c_str());
    };
  };
  return {
      {"list, newest page", list({})},
      {"list, page 100", list({}, 2000)},
      {"list, chain with nearly all", list({.chain_id = 1})},
      {"list, chain with fifty old ones", list({.chain_id = 10})},
      {"list, chain without events", list({.chain_id = 20})},
      {"list, frequent type", list({.event_type = "NewFeedback"})},
      {"list, rare type", list({.event_type = "Unknown"})},
      {"list, agent", list({.agent_id = "17"})},
      {"list, agent that is not there", list({.agent_id = "-"})},
      {"list, frequent registry", list({.registry = "reputation"})},
      {"list, registry without events", list({.registry = "validation"})},
      {"list, search without a match", list({.search = "zzz"})},
      {"status of the indexer",
       [](store::Tx& tx) { ENSURE(store::read_indexer_status(tx).has_value(), "the status is read"); }},
      {"range, 64 entries of the log from its middle on, with their events",
       [](store::Tx& tx) {
         const auto entries = store::read_block_log(tx, 1, 4000, 64);
         ENSURE(entries.has_value() && entries->size() == 64, "the log is there");
         for (const auto& entry : *entries) {
           const auto events = store::read_block_events(tx, 1, entry.block_hash, entry.block_time, 0, 64);
           ENSURE(events.has_value() && events->size() == 10, "a block has ten events");
         }
       }},
      {"range, canonical blocks",
       [](store::Tx& tx) { ENSURE(store::canonical_blocks(tx, 1, 4000, 4500).has_value(), "blocks are read"); }},
  };
}

// Milliseconds of each read; the first five, after which PostgreSQL may plan anew, are not counted.
std::map<std::string, double> measure(store::Database& db, int rounds) {
  std::map<std::string, double> out;
  for (const auto& read : reads()) {
    std::vector<double> times;
    for (int i = 0; i < rounds + 5; ++i) {
      const auto start = SteadyClock::now();
      const auto done = db.snapshot_blocking<bool>([&](store::Tx& tx) -> Result<bool> {
        read.run(tx);
        return true;
      });
      ENSURE(done.has_value(), done ? "" : done.error().text.c_str());
      times.push_back(std::chrono::duration<double, std::milli>(SteadyClock::now() - start).count());
      if (times.back() > 2000 && i >= 1) break;   // enough is known
    }
    if (times.size() > 5) times.erase(times.begin(), times.begin() + 5);
    out[read.name] = median(times);
  }
  return out;
}

int run(std::int64_t few, std::int64_t many, int rounds) {
  const auto db = open_postgres(1);
  load(*db, 0, few);
  const auto before = measure(*db, rounds);
  const auto start = SteadyClock::now();
  load(*db, few, many);
  note(fmt::format("loading {} events by SQL", many - few),
       std::chrono::duration<double>(SteadyClock::now() - start).count(), "s");
  const auto after = measure(*db, rounds);
  for (const auto& read : reads()) {
    note(fmt::format("{}: {} events", read.name, few), before.at(read.name), "ms");
    note(fmt::format("{}: {} events", read.name, many), after.at(read.name), "ms");
    report(read.name + ", many / few", after.at(read.name) / before.at(read.name), "x", Goal::at_most, 2);
  }
  return 0;
}

}   // namespace
}   // namespace agentauri::bench

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("capacity_bench FEW MANY [rounds]\n", stderr);
    return 64;
  }
  return agentauri::bench::run(std::atoll(argv[1]), std::atoll(argv[2]), argc > 3 ? std::atoi(argv[3]) : 30);
}
