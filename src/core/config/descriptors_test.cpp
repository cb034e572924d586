#include "core/config/descriptors.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace agentauri {
namespace {

TEST(Descriptors, RaisesTheSoftLimitToTheHardOne) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit low = before;
  low.rlim_cur = std::min<rlim_t>(256, before.rlim_max);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  const auto raised = raise_descriptor_limit();
  rlimit after{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &after), 0);
  EXPECT_EQ(after.rlim_cur, raised);
  EXPECT_EQ(raised, std::min<rlim_t>(before.rlim_max, 1'048'576));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST(Descriptors, LeavesItsReserveAndSharesTheRest) {
  EXPECT_EQ(connections_per_thread(1'048'576, 4, 10'000), 10'000U);
  EXPECT_EQ(connections_per_thread(9'024, 4, 10'000), 2'000U);
  EXPECT_EQ(connections_per_thread(1'024, 4, 10'000), 128U);   // half of it is the reserve
  EXPECT_EQ(connections_per_thread(8, 16, 10'000), 1U);
}

}   // namespace
}   // namespace agentauri
