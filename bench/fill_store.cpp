// A SQLite data folder with history, as fast as it can be written: the fixture's events over and over, on chains of
// 100,000 events each, in commits as the follower makes them. Nobody follows these chains afterwards.
//
//   fill_store <data folder> <events>     run from the source folder
#include <fmt/format.h>

#include <cstdlib>

#include "core/telemetry/log.hpp"
#include "history_source.hpp"
#include "store/sqlite/sqlite_database.hpp"

namespace agentauri::bench {
namespace {

constexpr std::int64_t kEpoch = 1;
constexpr std::size_t kRowsAtOnce = 500;   // of one commit, as FollowerSettings
constexpr std::size_t kEventsOfChain = 100'000;
constexpr domain::ChainId kFirstChain = 1001;

void fill_chain(store::Database& db, const HistorySource& source,
                std::vector<std::vector<store::IngestedBlock>>& slices, domain::ChainId chain) {
  const Time now = SystemClock().now();
  const auto attached = db.transact_blocking<store::ChainRow>(store::Priority::bulk, [&](store::Tx& tx) {
    return store::attach_chain(tx, chain, fmt::format("bench {}", chain), 1, source.head_num(), kEpoch, now);
  });
  ENSURE(attached.has_value(), attached ? "" : attached.error().text.c_str());
  std::uint64_t from = 1;
  for (auto& blocks : slices) {
    for (auto& block : blocks) {
      for (auto& event : block.events) event.chain_id = chain;
    }
    const std::uint64_t to = blocks.back().block.num;
    const auto done = db.transact_blocking<void>(store::Priority::bulk, [&](store::Tx& tx) {
      return store::append_history(tx, chain, kEpoch, blocks, from, to, {source.contracts().all(), false}, now);
    });
    ENSURE(done.has_value(), done ? "" : done.error().text.c_str());
    from = to + 1;
  }
}

int run(const std::string& folder, std::size_t events) {
  configure_log({.level = Level::warn});
  const HistorySource source(std::min(events, kEventsOfChain));
  auto slices = source.decoded_slices(kFirstChain, kRowsAtOnce);
  auto db = store::make_sqlite_database({.data_dir = folder});
  if (!db) {
    fmt::print(stderr, "fill_store: {}\n", db.error().text);
    return 1;
  }
  const std::size_t chains = (events + kEventsOfChain - 1) / kEventsOfChain;
  for (std::size_t i = 0; i < chains; ++i) {
    fill_chain(**db, source, slices, kFirstChain + static_cast<domain::ChainId>(i));
  }
  (*db)->stop();
  return 0;
}

}   // namespace
}   // namespace agentauri::bench

int main(int argc, char** argv) {
  if (argc == 3) return agentauri::bench::run(argv[1], std::strtoul(argv[2], nullptr, 10));
  fmt::print(stderr, "usage: fill_store <data folder> <events>\n");
  return 2;
}
