// Fresh databases for tests: SQLite in a temporary folder, PostgreSQL on a server that the test program starts once.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "store/database.hpp"
#include "store/postgres/postgres_database.hpp"
#include "store/sqlite/sqlite_database.hpp"

namespace agentauri::store::testing {

// A folder that goes with the object.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A database with what it stands on; the database goes first.
struct TempDatabase {
  std::unique_ptr<TempFolder> folder;
  std::unique_ptr<Database> db;
  PostgresSettings postgres;   // how to reach it, of that engine
};

TempDatabase make_temp_sqlite(SqliteSettings settings = {});
// Starts the server at the first call; each database is a copy of a migrated template. ENSUREs that the server's
// binaries are installed (script/test does that). `adjust` may change the settings before the store is opened.
TempDatabase make_temp_postgres(const std::function<void(PostgresSettings&)>& adjust = {});
// The folder of psql, postgres and the rest.
std::string postgres_bin();
// An empty database without our schema.
PostgresSettings make_empty_postgres();

// The same test on both engines:
//   using Accounts = store::testing::EngineTest;
//   TEST_P(Accounts, …) { db() … }
//   INSTANTIATE_TEST_SUITE_P(Engines, Accounts, store::testing::kEngines, store::testing::engine_name);
class EngineTest : public ::testing::TestWithParam<std::string> {
 protected:
  EngineTest() : temp_(GetParam() == "sqlite" ? make_temp_sqlite() : make_temp_postgres()) {}
  Database& db() { return *temp_.db; }

  // Runs a body as one interactive transaction.
  template <class T>
  Result<T> in_tx(std::move_only_function<Result<T>(Tx&)> body) {
    return db().transact_blocking<T>(Priority::interactive, std::move(body));
  }

  TempDatabase temp_;
};

inline const auto kEngines = ::testing::Values(std::string("sqlite"), std::string("postgres"));
inline std::string engine_name(const ::testing::TestParamInfo<std::string>& info) {
  return info.param;
}

}   // namespace agentauri::store::testing
