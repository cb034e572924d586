#include "bench_store.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>

#include "store/chain_log.hpp"
#include "store/postgres/postgres_database.hpp"

namespace agentauri::bench {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  ENSURE(value != nullptr, "postgres needs DB_HOST, DB_PORT, DB_NAME, DB_USER and DB_PASSWORD");
  return value;
}

}   // namespace

std::unique_ptr<store::Database> open_postgres(unsigned connections) {
  store::PostgresSettings settings;
  settings.host = variable("DB_HOST");
  settings.port = static_cast<std::uint16_t>(std::stoi(variable("DB_PORT")));
  settings.database = variable("DB_NAME");
  settings.user = variable("DB_USER");
  settings.password = variable("DB_PASSWORD");
  settings.threads = connections;
  auto db = store::make_postgres_database(settings);
  ENSURE(db.has_value(), db ? "" : db.error().text.c_str());
  return std::move(*db);
}

Task<std::uint64_t> blocks_read(store::Database& db, domain::ChainId chain, std::uint64_t last) {
  const auto rows = co_await db.snapshot<std::vector<store::CoverageRow>>(
      [chain](store::Tx& tx) { return store::read_coverage(tx, chain); });
  ENSURE(rows.has_value(), rows ? "" : rows.error().text.c_str());
  std::map<Address, std::uint64_t> blocks;
  for (const auto& row : *rows) {
    const std::uint64_t to = std::min(row.to_block, last);
    blocks[row.contract] += to < row.from_block ? 0 : to - std::max<std::uint64_t>(row.from_block, 1) + 1;
  }
  std::uint64_t least = blocks.empty() ? 0 : last;
  for (const auto& [contract, count] : blocks) least = std::min(least, count);
  co_return least;
}

}   // namespace agentauri::bench
