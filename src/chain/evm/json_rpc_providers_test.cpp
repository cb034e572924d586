// What a JsonRpcSource takes from one provider of several, and what it does not.
#include <gtest/gtest.h>

#include "chain/testing/rpc_nodes.hpp"

namespace agentauri::chain {
namespace {

using namespace testing;

using Said = std::optional<std::expected<json::Value, Refuse>>;

json::Value receipt_json(std::uint64_t num, json::Array logs) {
  json::Object out;
  out["blockHash"] = to_hex_0x(hash_of(num));
  out["blockNumber"] = quantity(num);
  out["logs"] = std::move(logs);
  return out;
}

// Nodes answer with an empty list about blocks that they do not have yet.
TEST(JsonRpcProviders, ARangeBeyondItsHeadIsNotAnsweredByAProvider) {
  in_world([](World& world) -> Task<void> {
    Node& behind = world.add();
    world.add();
    auto& source = world.source();
    behind.head = 5;
    behind.rpc = [](std::string_view method) -> Said {
      if (method == "eth_getLogs") return json::Value(json::Array());
      return std::nullopt;
    };
    const auto logs = co_await source.logs_by_range(1, 20, {kContract}, {});
    EXPECT_TRUE(logs) << logs.error().text;
    EXPECT_EQ(logs->size(), 1U);
    EXPECT_EQ((co_await source.logs_by_range(1, 20, {kContract}, 0)).error().code, Code::not_found);
    EXPECT_EQ((co_await source.logs_by_range(1, 200, {kContract}, {})).error().code, Code::not_found);
    behind.head = 100;
    EXPECT_TRUE((co_await source.logs_by_range(1, 20, {kContract}, 0))->empty());
    EXPECT_EQ(world.metric("ponder_rpc_errors_total", 0), 0);
  });
}

TEST(JsonRpcProviders, LogsOfAnotherBranchThanTheRangesLastBlockAreRefused) {
  in_world([](World& world) -> Task<void> {
    Node& node = world.add();
    auto& source = world.source();
    node.rpc = [](std::string_view method) -> Said {
      if (method != "eth_getLogs") return std::nullopt;
      json::Value log = log_json(10);
      log.get_object()["blockHash"] = to_hex_0x(hash_of(11));
      return json::Value(json::Array{log});
    };
    EXPECT_EQ((co_await source.logs_by_range(1, 10, {kContract}, 0)).error().code, Code::unavailable);
  });
}

// A provider that takes no batches is asked for the two things one after the other.
TEST(JsonRpcProviders, ARangeNeedsNoBatch) {
  in_world([](World& world) -> Task<void> {
    Node& node = world.add();
    node.max_batch = 1;
    auto& source = world.source();
    const auto logs = co_await source.logs_by_range(1, 20, {kContract}, {});
    EXPECT_TRUE(logs) << logs.error().text;
    EXPECT_EQ(node.largest_batch, 0U);
    node.rpc = [](std::string_view method) -> Said {
      if (method == "eth_getLogs") return std::unexpected(Refuse{-32005, "query returned more than 10000 results"});
      return std::nullopt;
    };
    EXPECT_EQ((co_await source.logs_by_range(1, 20, {kContract}, {})).error().code, Code::too_large);
  });
}

TEST(JsonRpcProviders, ARangeThatIsTooLargeSaysNothingAboutBatches) {
  in_world([](World& world) -> Task<void> {
    Node& node = world.add();
    auto& source = world.source();
    node.rpc = [](std::string_view method) -> Said {
      if (method == "eth_getLogs") return std::unexpected(Refuse{-32005, "query returned more than 10000 results"});
      return std::nullopt;
    };
    EXPECT_EQ((co_await source.logs_by_range(1, 20, {kContract}, {})).error().code, Code::too_large);
    EXPECT_EQ(node.calls("eth_getLogs"), 1U);
    EXPECT_TRUE(co_await source.headers_by_number(std::vector<std::uint64_t>(50, 5)));
    EXPECT_EQ(node.largest_batch, 50U);
  });
}

TEST(JsonRpcProviders, ReceiptsOfAnotherBlockSayNothing) {
  in_world([](World& world) -> Task<void> {
    Node& node = world.add();
    auto& source = world.source();
    json::Value said;
    node.rpc = [&said](std::string_view method) -> Said {
      if (method == "eth_getBlockReceipts") return said;
      return std::nullopt;
    };
    const auto ask = [&source]() { return source.logs_by_receipts(hash_of(10), 10, {kContract}, {}); };
    said = json::Array{receipt_json(11, {})};   // of a transaction that emits nothing
    EXPECT_EQ((co_await ask()).error().code, Code::not_found);
    said = json::Array{receipt_json(10, {}), receipt_json(11, {})};
    EXPECT_EQ((co_await ask()).error().code, Code::not_found);
    said = json::Array();   // a block whose filter names us has transactions
    EXPECT_EQ((co_await ask()).error().code, Code::not_found);
    said = json::Array{receipt_json(10, {})};
    EXPECT_TRUE((co_await ask())->empty());
    json::Value wrong_number = receipt_json(10, {});
    wrong_number.get_object()["blockNumber"] = "0xb";
    said = json::Array{wrong_number};
    EXPECT_EQ((co_await ask()).error().code, Code::protocol);
  });
}

TEST(JsonRpcProviders, ALaggardStaysLastUntilItIsLookedAtAgain) {
  in_world([](World& world) -> Task<void> {
    Node& stuck = world.add();
    Node& fresh = world.add();
    world.settings.stalled_after = 200ms;
    world.settings.first_demotion = 20ms;
    auto& source = world.source();
    EXPECT_EQ((co_await source.head(HeadTag::latest))->num, 100U);
    EXPECT_TRUE(co_await sleep_for(250ms));
    for (int i = 0; i < 12; ++i) {
      fresh.head = 110 + static_cast<std::uint64_t>(i);
      EXPECT_EQ((co_await source.head(HeadTag::latest))->num, fresh.head) << i;
      EXPECT_TRUE(co_await sleep_for(50ms));
    }
    stuck.head = fresh.head;
    bool back = false;
    for (int i = 0; i < 60 && !back; ++i) {
      const auto before = stuck.requests;
      EXPECT_TRUE(co_await source.head(HeadTag::latest));
      back = stuck.requests > before;
      EXPECT_TRUE(co_await sleep_for(50ms));
    }
    EXPECT_TRUE(back) << "who has caught up is asked again";
  });
}

TEST(JsonRpcProviders, BatchesAreAsLargeAsEachProviderTakesThem) {
  in_world([](World& world) -> Task<void> {
    Node& small = world.add();
    Node& large = world.add();
    small.max_batch = 3;
    auto& source = world.source();
    EXPECT_TRUE(co_await source.headers_by_number(std::vector<std::uint64_t>(20, 5)));
    EXPECT_EQ(small.largest_batch, 2U);
    small.http = [] { return std::optional(http_answer(500)); };
    EXPECT_TRUE(co_await source.headers_by_number(std::vector<std::uint64_t>(20, 5)));
    EXPECT_EQ(large.largest_batch, 20U);
  });
}

TEST(JsonRpcProviders, BatchesGrowAgain) {
  in_world([](World& world) -> Task<void> {
    Node& node = world.add();
    node.max_batch = 3;   // for a moment
    auto& source = world.source();
    EXPECT_TRUE(co_await source.headers_by_number(std::vector<std::uint64_t>(20, 5)));
    node.max_batch = 1000;
    for (int i = 0; i < 200 && node.largest_batch < 20; ++i)
      EXPECT_TRUE(co_await source.headers_by_number(std::vector<std::uint64_t>(20, 5)));
    EXPECT_EQ(node.largest_batch, 20U);
  });
}

}   // namespace
}   // namespace agentauri::chain
