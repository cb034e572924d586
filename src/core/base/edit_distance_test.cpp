#include "core/base/edit_distance.hpp"

#include <gtest/gtest.h>

namespace agentauri {
namespace {

TEST(EditDistance, CountsInsertionsDeletionsAndChanges) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("JWT_SECRET", "JWT_SECERT"), 2U);
}

}   // namespace
}   // namespace agentauri
