// Which connections are open when nobody has asked for one yet.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "store/testing/temp_database.hpp"

namespace agentauri::store {
namespace {

using ::testing::HasSubstr;

// What the pool says once `idle` connections are open, or after 20 s.
std::string metrics_with(unsigned threads, unsigned min_connections, int idle) {
  Metrics metrics;
  const auto temp = testing::make_temp_postgres([&](auto& s) {
    s.threads = threads;
    s.min_connections = min_connections;
    s.metrics = &metrics;
  });
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  const std::string wanted = fmt::format("db_pool_connections_idle{{pool=\"write\"}} {}\n", idle);
  while (metrics.expose().find(wanted) == std::string::npos && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  return metrics.expose();
}

TEST(PostgresPool, OpensItsMinimumAtStartAndNoMoreThanItHasThreads) {
  EXPECT_THAT(metrics_with(4, 3, 3), HasSubstr("db_pool_connections_idle{pool=\"write\"} 3"));
  EXPECT_THAT(metrics_with(2, 5, 2), HasSubstr("db_pool_connections_idle{pool=\"write\"} 2"));
  EXPECT_THAT(metrics_with(4, 0, 1), HasSubstr("db_pool_connections_idle{pool=\"write\"} 1"))
      << "the first one shows whether the settings are right";
}

}   // namespace
}   // namespace agentauri::store
