#include "engine/state_cache.hpp"

#include <gtest/gtest.h>

namespace agentauri::engine {
namespace {

store::StateRow row(std::int64_t condition, std::string key = {}) {
  store::StateRow out;
  out.condition = condition;
  out.key = std::move(key);
  return out;
}

TEST(StateCache, TellsAbsentFromUnknown) {
  StateCache cache(10'000);
  EXPECT_EQ(cache.find(row(1)), nullptr);
  cache.put(row(1), std::nullopt);
  ASSERT_NE(cache.find(row(1)), nullptr);
  EXPECT_FALSE(cache.find(row(1))->has_value());
  cache.put(row(1), store::StateValue{"[1]", 5});
  EXPECT_EQ(cache.find(row(1))->value().state, "[1]");
  EXPECT_EQ(cache.find(row(1, "7")), nullptr);
  cache.clear();
  EXPECT_EQ(cache.find(row(1)), nullptr);
  EXPECT_EQ(cache.bytes(), 0U);
}

TEST(StateCache, TheLeastLatelyUsedGoWhenItIsFull) {
  StateCache cache(10'000);
  for (int i = 0; i < 100; ++i) {
    cache.put(row(i), store::StateValue{std::string(100, 'x'), 1});
    ASSERT_NE(cache.find(row(0)), nullptr) << "it is in use";
    EXPECT_LE(cache.bytes(), 10'000U);
  }
  EXPECT_EQ(cache.find(row(1)), nullptr);
  EXPECT_NE(cache.find(row(99)), nullptr);
  cache.put(row(200), store::StateValue{std::string(50'000, 'x'), 1});
  EXPECT_EQ(cache.find(row(200)), nullptr) << "what is larger than the cache is not kept";
  EXPECT_EQ(cache.bytes(), 0U);
}

}   // namespace
}   // namespace agentauri::engine
