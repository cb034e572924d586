#include "bench_store.hpp"

#include <cstdlib>

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

}   // namespace agentauri::bench
