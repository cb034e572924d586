#include "gateway/api/render.hpp"

#include <gtest/gtest.h>

namespace agentauri::gateway {
namespace {

TEST(RenderPage, ATotalIsCappedOnlyWhenThereAreMore) {
  const auto pagination = [](std::int64_t counted) {
    const auto page = render_page(std::vector<int>{1}, counted, PageBounds(), [](int n) { return json::Value(n); });
    return json::dump(page.at("pagination"));
  };
  EXPECT_EQ(pagination(99'999), R"({"total":99999,"limit":20,"offset":0,"has_more":false})");
  EXPECT_EQ(pagination(store::kMaxTotal), R"({"total":100000,"limit":20,"offset":0,"has_more":false})");
  EXPECT_EQ(pagination(store::kMaxCounted),
            R"({"total":100000,"limit":20,"offset":0,"has_more":false,"total_capped":true})");
}

}   // namespace
}   // namespace agentauri::gateway
