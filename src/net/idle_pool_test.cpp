#include "net/idle_pool.hpp"

#include <gtest/gtest.h>

namespace agentauri::net {
namespace {

using namespace std::chrono_literals;
using Pool = IdlePool<int>;
const Pool::Time kStart{1h};

int take(Pool& pool, const std::string& key, Pool::Time now) {
  const auto item = pool.take(key, now);
  return item ? *item : 0;
}

TEST(IdlePool, GivesTheYoungestOfTheKey) {
  Pool pool(8, 100, 30s);
  pool.put("a", std::make_unique<int>(1), kStart);
  pool.put("b", std::make_unique<int>(2), kStart);
  pool.put("a", std::make_unique<int>(3), kStart + 1s);
  EXPECT_EQ(take(pool, "a", kStart + 2s), 3);
  EXPECT_EQ(take(pool, "a", kStart + 2s), 1);
  EXPECT_EQ(take(pool, "a", kStart + 2s), 0);
  EXPECT_EQ(take(pool, "b", kStart + 2s), 2);
}

TEST(IdlePool, DropsWhatIsTooOld) {
  Pool pool(8, 100, 30s);
  pool.put("a", std::make_unique<int>(1), kStart);
  pool.put("b", std::make_unique<int>(2), kStart + 10s);
  EXPECT_EQ(pool.drop_expired(kStart + 30s - 1ms), kStart + 30s);
  EXPECT_EQ(pool.size(), 2U);
  EXPECT_EQ(pool.drop_expired(kStart + 30s), kStart + 40s);
  EXPECT_EQ(pool.size(), 1U);
  EXPECT_EQ(take(pool, "b", kStart + 40s), 0);
  EXPECT_EQ(pool.drop_expired(kStart + 40s), std::nullopt);
}

TEST(IdlePool, LetsTheOldestGoAtItsBounds) {
  Pool pool(2, 3, 30s);
  for (int i = 1; i <= 3; ++i) pool.put("a", std::make_unique<int>(i), kStart);
  EXPECT_EQ(pool.size(), 2U);   // of one key
  pool.put("b", std::make_unique<int>(4), kStart);
  pool.put("c", std::make_unique<int>(5), kStart);
  EXPECT_EQ(pool.size(), 3U);   // of all
  EXPECT_EQ(take(pool, "a", kStart), 3);
  EXPECT_EQ(take(pool, "a", kStart), 0);
  EXPECT_EQ(take(pool, "c", kStart), 5);
}

TEST(IdlePool, KeepsNothingWhenToldSo) {
  Pool pool(0, 100, 30s);
  pool.put("a", std::make_unique<int>(1), kStart);
  EXPECT_EQ(pool.size(), 0U);
}

}   // namespace
}   // namespace agentauri::net
