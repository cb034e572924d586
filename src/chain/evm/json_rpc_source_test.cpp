// A JsonRpcSource over real HTTP against nodes on loopback that say what each test wants.
#include "chain/evm/json_rpc_source.hpp"

#include <gtest/gtest.h>

#include "chain/testing/rpc_nodes.hpp"

namespace agentauri::chain {
namespace {

using namespace std::chrono_literals;

using namespace testing;

// --- answers ---------------------------------------------------------------------------------------------------------

TEST(JsonRpcSource, AsksAndReadsEverything) {
  in_world([](World& world) -> Task<void> {
    Node& node = world.add();
    auto& source = world.source();
    EXPECT_EQ((co_await source.head(HeadTag::latest))->num, 100U);
    EXPECT_EQ((co_await source.header_by_number(7))->hash, hash_of(7));
    EXPECT_EQ((co_await source.header_by_hash(hash_of(8)))->num, 8U);
    EXPECT_EQ((co_await source.logs_by_hash(hash_of(10), 10, {kContract}, {}))->size(), 1U);
    EXPECT_EQ((co_await source.logs_by_range(5, 20, {kContract}, {}))->size(), 1U);
    EXPECT_EQ((co_await source.logs_by_receipts(hash_of(10), 10, {kContract}, {}))->size(), 1U);
    EXPECT_TRUE(*co_await source.has_code(kContract));
    EXPECT_EQ((co_await source.header_by_number(101)).error().code, Code::not_found);
    EXPECT_EQ((co_await source.header_by_hash({})).error().code, Code::not_found);
    EXPECT_EQ(node.calls("eth_chainId"), 1U);   // once, at first use
    EXPECT_DOUBLE_EQ(
        world.metrics.counter("rpc_calls_total", "", {{"chain", "test"}, {"method", "eth_getLogs"}}).value(), 2);
    EXPECT_GT(world.metric("ponder_rpc_latency_ms", 0), 0);
    EXPECT_EQ(world.metric("ponder_rpc_errors_total", 0), 0);
  });
}

TEST(JsonRpcSource, HeadersComeInBatchesInTheOrderAskedFor) {
  in_world([](World& world) -> Task<void> {
    Node& node = world.add();
    node.head = 1000;
    auto& source = world.source();
    std::vector<std::uint64_t> nums;
    for (std::uint64_t num = 250; num > 0; --num) nums.push_back(num);
    const auto headers = co_await source.headers_by_number(nums);
    EXPECT_TRUE(headers) << headers.error().text;
    EXPECT_EQ(headers->size(), nums.size());
    for (std::size_t i = 0; i < nums.size(); ++i) EXPECT_EQ((*headers)[i].num, nums[i]);
    EXPECT_EQ(node.requests, 1U + 3U);   // the chain id, and 100 + 100 + 50
    EXPECT_EQ(node.calls("eth_getBlockByNumber"), 250U);
    EXPECT_TRUE((co_await source.headers_by_number({}))->empty());
  });
}

TEST(JsonRpcSource, BatchesShrinkUntilTheProviderTakesThem) {
  in_world([](World& world) -> Task<void> {
    Node& node = world.add();
    node.max_batch = 3;
    auto& source = world.source();
    std::vector<std::uint64_t> nums(20, 5);
    const auto headers = co_await source.headers_by_number(nums);
    EXPECT_TRUE(headers) << headers.error().text;
    EXPECT_EQ(headers->size(), 20U);
    EXPECT_EQ(node.largest_batch, 2U);   // 20, 10, 5, then 2
    EXPECT_EQ(world.metric("ponder_rpc_errors_total", 0), 0);
  });
}

TEST(JsonRpcSource, AnswersThatMakeNoSenseAreAskedOfTheNextProvider) {
  in_world([](World& world) -> Task<void> {
    Node& liar = world.add();
    world.add();
    world.settings.first_demotion = 1ms;
    auto& source = world.source();
    json::Value said;
    liar.rpc = [&said](std::string_view method) -> std::optional<std::expected<json::Value, Refuse>> {
      if (method == "eth_chainId") return std::nullopt;
      return said;
    };
    const json::Value lies[] = {json::Array{log_json(11)}, json::Array{json::Value(5)}, json::Value("0x"),
                                json::Value(json::Object())};
    double failures = 0;
    for (const auto& lie : lies) {
      said = lie;
      const auto logs = co_await source.logs_by_hash(hash_of(10), 10, {kContract}, {});
      EXPECT_TRUE(logs) << logs.error().text;
      EXPECT_EQ(logs->size(), 1U);
      EXPECT_EQ(world.metric("ponder_rpc_errors_total", 0), ++failures) << json::dump(lie);
      EXPECT_TRUE(co_await sleep_for(20ms));   // back in its place, and lying again
    }
    said = header_json(3);
    const auto alone = co_await source.logs_by_hash(hash_of(10), 10, {kContract}, 0);
    EXPECT_EQ(alone.error().code, Code::protocol);
  });
}

TEST(JsonRpcSource, BodiesThatAreNoAnswersFail) {
  in_world([](World& world) -> Task<void> {
    Node& node = world.add();
    world.settings.retries = 0;
    world.settings.breaker_failures = 100;
    world.settings.max_answer_bytes = 10'000;
    auto& source = world.source();
    const std::pair<net::HttpResponse, Code> cases[] = {
        {http_answer(200, "<html>"), Code::protocol},
        {http_answer(200, ""), Code::protocol},
        {http_answer(200, "{\"id\":0}"), Code::protocol},
        {http_answer(200, std::string(40, '[')), Code::protocol},   // deeper than any answer
        {http_answer(500, "oops"), Code::unavailable},
        {http_answer(502, "<html>bad gateway"), Code::unavailable},
        {http_answer(404, ""), Code::unavailable},
        {http_answer(413, ""), Code::too_large},
        {http_answer(400, R"({"id":0,"error":{"code":-32005,"message":"block range is too wide"}})"), Code::too_large},
        {http_answer(200, "\"" + std::string(20'000, 'x') + "\""), Code::too_large},   // more than we take
    };
    for (const auto& [said, code] : cases) {
      node.http = [&said] { return std::optional(said); };
      const auto head = co_await source.logs_by_range(1, 2, {kContract}, 0);
      EXPECT_FALSE(head);
      EXPECT_EQ(head.error().code, code) << said.status << " " << said.body.substr(0, 60) << ": " << head.error().text;
    }
  });
}

// --- troubles --------------------------------------------------------------------------------------------------------

TEST(JsonRpcSource, AHiccupIsRetriedAndCountsOnce) {
  in_world([](World& world) -> Task<void> {
    Node& node = world.add();
    auto& source = world.source();
    int failures = 3;
    node.rpc = [&failures](std::string_view) -> std::optional<std::expected<json::Value, Refuse>> {
      if (failures-- > 0) return std::unexpected(Refuse{-32603, "internal error"});
      return std::nullopt;
    };
    const auto started = std::chrono::steady_clock::now();
    const auto head = co_await source.head(HeadTag::latest);
    EXPECT_TRUE(head) << head.error().text;
    const auto took = std::chrono::steady_clock::now() - started;
    EXPECT_GE(took, 700ms);   // 125, 250 and 500 ms less 20 %
    EXPECT_EQ(world.metric("ponder_rpc_errors_total", 0), 3);
    EXPECT_EQ(world.metric("ponder_circuit_breaker_state", 0), 0);
  });
}

TEST(JsonRpcSource, TheBreakerOpensAfterFiveQuestionsAndLetsNothingThrough) {
  in_world([](World& world) -> Task<void> {
    Node& node = world.add();
    world.settings.retries = 0;
    world.settings.breaker_reset = 200ms;
    auto& source = world.source();
    bool down = true;
    node.http = [&down]() -> std::optional<net::HttpResponse> {
      return down ? std::optional(http_answer(503)) : std::nullopt;
    };
    for (int i = 0; i < 5; ++i) EXPECT_EQ((co_await source.head(HeadTag::latest)).error().code, Code::unavailable);
    EXPECT_EQ(world.metric("ponder_circuit_breaker_state", 0), 2);
    const auto requests = node.requests;
    EXPECT_EQ((co_await source.head(HeadTag::latest)).error().code, Code::unavailable);
    EXPECT_EQ(node.requests, requests);
    down = false;
    EXPECT_TRUE(co_await sleep_for(250ms));
    EXPECT_TRUE(co_await source.head(HeadTag::latest));   // the chain id, and the question: two successes
    EXPECT_EQ(world.metric("ponder_circuit_breaker_state", 0), 1);
    EXPECT_TRUE(co_await source.head(HeadTag::latest));
    EXPECT_EQ(world.metric("ponder_circuit_breaker_state", 0), 0);
    EXPECT_EQ(node.calls("eth_chainId"), 1U);
  });
}

TEST(JsonRpcSource, OneThatFailsIsDemotedAndComesBack) {
  in_world([](World& world) -> Task<void> {
    Node& first = world.add();
    Node& second = world.add();
    auto& source = world.source();
    EXPECT_TRUE(co_await source.head(HeadTag::latest));
    EXPECT_EQ(second.requests, 0U);
    bool down = true;
    first.http = [&down]() -> std::optional<net::HttpResponse> {
      return down ? std::optional(http_answer(500)) : std::nullopt;
    };
    EXPECT_TRUE(co_await source.head(HeadTag::latest));   // the second answers at once
    const auto asked = first.requests;
    EXPECT_TRUE(co_await source.head(HeadTag::latest));
    EXPECT_EQ(first.requests, asked);   // nobody waits for the first again
    down = false;
    EXPECT_TRUE(co_await sleep_for(150ms));
    const auto before = second.requests;
    EXPECT_TRUE(co_await source.head(HeadTag::latest));
    EXPECT_EQ(second.requests, before);
    EXPECT_EQ(first.calls("eth_chainId"), 2U);   // asked who it is when it came back
  });
}

TEST(JsonRpcSource, ANodeThatIsGoneIsFoundOutAndTheNextOneAsked) {
  in_world([](World& world) -> Task<void> {
    Node& gone = world.add();
    world.add();
    auto& source = world.source();
    co_await gone.stop();
    const auto head = co_await source.head(HeadTag::latest);
    EXPECT_TRUE(head) << head.error().text;
    world.nodes.erase(world.nodes.begin());
  });
}

TEST(JsonRpcSource, AProviderOfAnotherChainIsNotUsed) {
  in_world([](World& world) -> Task<void> {
    Node& wrong = world.add();
    wrong.chain = 1;
    auto& source = world.source();
    const auto alone = co_await source.head(HeadTag::latest);
    EXPECT_EQ(alone.error().code, Code::unavailable);
    EXPECT_EQ(wrong.calls("eth_getBlockByNumber"), 0U);
    EXPECT_NE(alone.error().text.find("serves chain 1, not 31337"), std::string::npos) << alone.error().text;
    wrong.chain = kChain;   // the operator mends the node
    EXPECT_TRUE(co_await sleep_for(200ms));
    EXPECT_TRUE(co_await source.head(HeadTag::latest));
  });
}

TEST(JsonRpcSource, RateLimitsPauseTheProviderForAsLongAsItSays) {
  in_world([](World& world) -> Task<void> {
    Node& busy = world.add();
    Node& other = world.add();
    auto& source = world.source();
    EXPECT_TRUE(co_await source.head(HeadTag::latest));
    bool limited = true;
    busy.http = [&limited]() -> std::optional<net::HttpResponse> {
      if (!limited) return std::nullopt;
      auto out = http_answer(429);
      out.headers.add("Retry-After", "1");
      return out;
    };
    EXPECT_TRUE(co_await source.head(HeadTag::latest));
    limited = false;
    const auto asked = busy.requests;
    EXPECT_TRUE(co_await sleep_for(400ms));   // longer than the pause when nothing is said
    EXPECT_TRUE(co_await source.head(HeadTag::latest));
    EXPECT_EQ(busy.requests, asked);
    EXPECT_EQ(world.metric("ponder_circuit_breaker_state", 0), 0);   // not a failure
    EXPECT_TRUE(co_await sleep_for(700ms));
    const auto before = other.requests;
    EXPECT_TRUE(co_await source.head(HeadTag::latest));
    EXPECT_EQ(other.requests, before);
  });
}

TEST(JsonRpcSource, ARateLimitInsideAnAnswerIsSeenToo) {
  in_world([](World& world) -> Task<void> {
    Node& node = world.add();
    auto& source = world.source();
    bool limited = true;
    node.rpc = [&limited](std::string_view) -> std::optional<std::expected<json::Value, Refuse>> {
      if (limited) return std::unexpected(Refuse{-32005, "daily request count exceeded, request rate limited"});
      return std::nullopt;
    };
    EXPECT_EQ((co_await source.head(HeadTag::latest)).error().code, Code::rate_limited);
    EXPECT_EQ(node.requests, 1U);   // no retry while it asks for a pause
    limited = false;
    EXPECT_EQ((co_await source.head(HeadTag::latest)).error().code, Code::unavailable);
    EXPECT_EQ(node.requests, 1U);
    EXPECT_TRUE(co_await sleep_for(200ms));
    EXPECT_TRUE(co_await source.head(HeadTag::latest));
  });
}

TEST(JsonRpcSource, ASlowNodeEndsWithATimeOutAndIsNotRetried) {
  in_world([](World& world) -> Task<void> {
    Node& slow = world.add();
    Node& other = world.add();
    world.settings.timeout = 300ms;
    auto& source = world.source();
    EXPECT_TRUE(co_await source.head(HeadTag::latest));
    slow.delay = 2s;
    EXPECT_EQ((co_await source.logs_by_range(1, 20, {kContract}, 0)).error().code, Code::timed_out);
    EXPECT_TRUE(co_await source.head(HeadTag::latest));   // demoted: nobody waits for it
    EXPECT_EQ(other.calls("eth_getBlockByNumber"), 1U);
    other.delay = 2s;
    const auto asked = slow.requests + other.requests;
    EXPECT_EQ((co_await source.logs_by_range(1, 20, {kContract}, {})).error().code, Code::timed_out);
    EXPECT_EQ(slow.requests + other.requests, asked + 2);   // each once
  });
}

// --- questions -------------------------------------------------------------------------------------------------------

TEST(JsonRpcSource, WhatIsTooLargeIsTakenFromTheFirstWhoSaysSo) {
  in_world([](World& world) -> Task<void> {
    Node& small = world.add();
    Node& other = world.add();
    auto& source = world.source();
    small.rpc = [](std::string_view method) -> std::optional<std::expected<json::Value, Refuse>> {
      if (method != "eth_getLogs") return std::nullopt;
      return std::unexpected(Refuse{-32005, "query returned more than 10000 results"});
    };
    EXPECT_EQ((co_await source.logs_by_range(1, 20, {kContract}, {})).error().code, Code::too_large);
    EXPECT_EQ(other.requests, 0U);
    EXPECT_EQ(world.metric("ponder_rpc_errors_total", 0), 0);
    EXPECT_TRUE(co_await source.logs_by_range(1, 20, {kContract}, 1));   // that one alone
    EXPECT_EQ(other.calls("eth_getLogs"), 1U);
    EXPECT_EQ((co_await source.logs_by_range(1, 20, {kContract}, 2)).error().code, Code::invalid);
  });
}

TEST(JsonRpcSource, ABlockOrMethodThatOneDoesNotKnowIsAskedOfTheOthers) {
  in_world([](World& world) -> Task<void> {
    Node& behind = world.add();
    world.add();
    auto& source = world.source();
    behind.head = 50;
    EXPECT_EQ((co_await source.header_by_number(80))->num, 80U);
    EXPECT_EQ((co_await source.header_by_number(101)).error().code, Code::not_found);   // nobody has it
    behind.rpc = [](std::string_view method) -> std::optional<std::expected<json::Value, Refuse>> {
      if (method == "eth_getBlockReceipts") return std::unexpected(Refuse{-32601, ""});
      return std::nullopt;
    };
    EXPECT_TRUE(co_await source.logs_by_receipts(hash_of(10), 10, {kContract}, {}));
    EXPECT_EQ((co_await source.logs_by_receipts(hash_of(10), 10, {kContract}, 0)).error().code, Code::unsupported);
    EXPECT_EQ(world.metric("ponder_rpc_errors_total", 0), 0);
  });
}

TEST(JsonRpcSource, ReceiptsOfAnotherBlockAtThatHeightAreNotThatBlock) {
  in_world([](World& world) -> Task<void> {
    world.add();
    auto& source = world.source();
    EXPECT_EQ((co_await source.logs_by_receipts(hash_of(3), 10, {kContract}, {})).error().code, Code::not_found);
  });
}

TEST(JsonRpcSource, AProviderThatStandsStillIsFoundOut) {
  in_world([](World& world) -> Task<void> {
    Node& stuck = world.add();
    Node& fresh = world.add();
    world.settings.stalled_after = 100ms;
    world.settings.first_demotion = 10s;
    auto& source = world.source();
    EXPECT_EQ((co_await source.head(HeadTag::latest))->num, 100U);
    fresh.head = 110;
    EXPECT_EQ((co_await source.head(HeadTag::latest))->num, 100U);   // it may just be a quiet chain
    EXPECT_TRUE(co_await sleep_for(150ms));
    EXPECT_EQ((co_await source.head(HeadTag::latest))->num, 110U);
    const auto asked = stuck.requests;
    EXPECT_EQ((co_await source.header_by_number(105))->num, 105U);
    EXPECT_EQ(stuck.requests, asked);   // asked last from now on
  });
}

TEST(JsonRpcSource, AQuietChainIsQuietEverywhere) {
  in_world([](World& world) -> Task<void> {
    world.add();
    Node& other = world.add();
    other.head = 99;   // within what healthy nodes differ by
    world.settings.stalled_after = 50ms;
    auto& source = world.source();
    EXPECT_TRUE(co_await source.head(HeadTag::latest));
    for (int i = 0; i < 4; ++i) {
      EXPECT_TRUE(co_await sleep_for(60ms));
      EXPECT_EQ((co_await source.head(HeadTag::latest))->num, 100U);
    }
    const auto requests = other.requests;
    EXPECT_TRUE(co_await source.header_by_number(5));
    EXPECT_EQ(other.requests, requests);
  });
}

// --- configuration ---------------------------------------------------------------------------------------------------

TEST(JsonRpcSource, WithoutProvidersItSaysSo) {
  in_world([](World& world) -> Task<void> {
    world.settings.urls.emplace_back("not a url");
    auto& source = world.source();
    EXPECT_EQ(source.provider_count(), 0U);
    EXPECT_EQ((co_await source.head(HeadTag::latest)).error().code, Code::unavailable);
  });
}

TEST(JsonRpcSource, KeysNeverReachAnError) {
  in_world([](World& world) -> Task<void> {
    Node& node = world.add();
    world.settings.retries = 0;
    auto& source = world.source("/v2/SeCrEtKey123?apikey=AnotherSecret");
    node.rpc = [](std::string_view) -> std::optional<std::expected<json::Value, Refuse>> {
      return std::unexpected(Refuse{-32000, "SeCrEtKey123 and AnotherSecret are not allowed here"});
    };
    const auto head = co_await source.head(HeadTag::latest);
    EXPECT_EQ(head.error().text.find("SeCrEtKey123"), std::string::npos) << head.error().text;
    EXPECT_EQ(head.error().text.find("AnotherSecret"), std::string::npos) << head.error().text;
    EXPECT_EQ(world.metrics.expose().find("SeCrEtKey123"), std::string::npos);
  });
}

TEST(JsonRpcSource, EndsAtOnceWhenItIsCancelled) {
  in_world([](World& world) -> Task<void> {
    Node& node = world.add();
    auto& source = world.source();
    node.http = [] { return std::optional(http_answer(500)); };
    TaskGroup group(co_await this_executor());
    Code ended = Code::internal;
    group.spawn("asking", [&]() -> Task<void> { ended = (co_await source.head(HeadTag::latest)).error().code; });
    EXPECT_TRUE(co_await sleep_for(50ms));
    group.cancel();
    EXPECT_TRUE(co_await group.wait_for(1s));
    EXPECT_EQ(ended, Code::cancelled);
  });
}

}   // namespace
}   // namespace agentauri::chain
