// A JsonRpcSource over real HTTP against nodes on loopback that say what each test wants.
#include "chain/evm/json_rpc_source.hpp"

#include <gtest/gtest.h>

#include <map>

#include "chain/evm/rpc_json.hpp"
#include "core/base/number.hpp"
#include "net/http_server.hpp"

namespace agentauri::chain {
namespace {

using namespace std::chrono_literals;

constexpr domain::ChainId kChain = 31337;
const Address kContract = *parse_address("0x8004A169FB4a3325136EB29fA0ceB6D2e539a432");

Hash32 hash_of(std::uint64_t num) {
  return Uint256(num + 1).to_word();
}

json::Value header_json(std::uint64_t num) {
  json::Object out;
  out["number"] = quantity(num);
  out["hash"] = to_hex_0x(hash_of(num));
  out["parentHash"] = to_hex_0x(hash_of(num == 0 ? 0 : num - 1));
  out["timestamp"] = quantity(1'700'000'000 + num);
  out["logsBloom"] = "0x" + std::string(512, '0');
  return out;
}

json::Value log_json(std::uint64_t num) {
  json::Object out;
  out["address"] = to_hex_0x(kContract);
  out["topics"] = json::Array();
  out["data"] = "0x";
  out["blockHash"] = to_hex_0x(hash_of(num));
  out["blockNumber"] = quantity(num);
  out["transactionHash"] = to_hex_0x(hash_of(77));
  out["transactionIndex"] = "0x0";
  out["logIndex"] = "0x0";
  return out;
}

// An error inside an answer.
struct Refuse {
  int code;
  std::string message;
};

// Answers well until a test says otherwise. On one executor with everything else.
class Node {
 public:
  explicit Node(Executor executor)
      : server_(
            {std::move(executor)}, {}, [this](net::HttpRequest request) { return answer(std::move(request)); },
            [](int status, std::string_view, const net::HttpRequest&) {
              net::HttpResponse out;
              out.status = status;
              return out;
            }) {
    EXPECT_TRUE(server_.start());
  }
  std::string url(const std::string& path = "") const {
    return "http://127.0.0.1:" + std::to_string(server_.port()) + path;
  }
  Task<void> stop() { co_await server_.stop(100ms); }
  std::size_t calls(const std::string& method) const {
    const auto found = calls_.find(method);
    return found == calls_.end() ? 0 : found->second;
  }

  domain::ChainId chain = kChain;
  std::uint64_t head = 100;
  std::size_t max_batch = 1000;
  std::chrono::milliseconds delay{0};
  std::size_t requests = 0;
  std::size_t largest_batch = 0;
  // The whole answer to a request; nullopt: as usual.
  std::function<std::optional<net::HttpResponse>()> http;
  // The answer to one call; nullopt: as usual.
  std::function<std::optional<std::expected<json::Value, Refuse>>(std::string_view method)> rpc;

 private:
  std::expected<json::Value, Refuse> result(std::string_view method, const json::Array& params) {
    if (rpc) {
      if (auto said = rpc(method)) return *said;
    }
    if (method == "eth_chainId") return json::Value(json::String(quantity(static_cast<std::uint64_t>(chain))));
    if (method == "eth_getBlockByNumber") {
      const auto num = parse_quantity(params[0], "number");
      if (num && *num > head) return json::Value(nullptr);
      return header_json(num ? *num : head);
    }
    if (method == "eth_getBlockByHash") {
      for (std::uint64_t num = 0; num <= head; ++num) {
        if (params[0] == to_hex_0x(hash_of(num)).c_str()) return header_json(num);
      }
      return json::Value(nullptr);
    }
    if (method == "eth_getLogs") return json::Value(json::Array{log_json(10)});
    if (method == "eth_getBlockReceipts") {
      json::Object receipt;
      receipt["logs"] = json::Array{log_json(10)};
      return json::Value(json::Array{json::Value(receipt)});
    }
    if (method == "eth_getCode") return json::Value("0x60");
    return std::unexpected(Refuse{-32601, "no such method"});
  }
  json::Value one(const json::Object& question) {
    const std::string method(json::view(question.at("method").get_string()));
    ++calls_[method];
    auto said = result(method, question.at("params").get_array());
    json::Object out;
    out["jsonrpc"] = "2.0";
    out["id"] = question.at("id");
    if (said) {
      out["result"] = std::move(*said);
    } else {
      json::Object error;
      error["code"] = said.error().code;
      error["message"] = said.error().message;
      out["error"] = std::move(error);
    }
    return out;
  }
  Task<net::HttpResponse> answer(net::HttpRequest request) {
    ++requests;
    if (delay.count() > 0) co_await sleep_for(delay);
    if (http) {
      if (auto said = http()) co_return *said;
    }
    net::HttpResponse out;
    const auto question = json::parse(request.body);
    EXPECT_TRUE(question) << "the source sends JSON";
    if (question->is_object()) {
      out.body = json::dump(one(question->get_object()));
    } else if (question->get_array().size() > max_batch) {
      out.body = R"({"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"batch too large"}})";
    } else {
      largest_batch = std::max(largest_batch, question->get_array().size());
      json::Array answers;
      for (const auto& member : question->get_array()) answers.insert(answers.begin(), one(member.get_object()));
      out.body = json::dump(answers);
    }
    co_return out;
  }

  std::map<std::string, std::size_t> calls_;
  net::HttpServer server_;
};

net::HttpResponse http_answer(int status, std::string body = "") {
  net::HttpResponse out;
  out.status = status;
  out.body = std::move(body);
  return out;
}

// Nodes, a client and a source on one loop.
struct World {
  explicit World(Executor executor) : client(executor, {}), executor_(executor) {}
  Node& add() { return *nodes.emplace_back(std::make_unique<Node>(executor_)); }
  JsonRpcSource& source(const std::string& path = "") {
    for (const auto& node : nodes) settings.urls.emplace_back(node->url(path));
    settings.chain_id = kChain;
    settings.chain_name = "test";
    source_ = std::make_unique<JsonRpcSource>(client, settings, metrics);
    return *source_;
  }
  double metric(const std::string& name, std::size_t node) {
    const Labels labels{{"chain", "test"}, {"provider", nodes[node]->url().substr(7)}};
    if (name == "ponder_rpc_errors_total") return metrics.counter(name, "", labels).value();
    return metrics.gauge(name, "", labels).value();
  }
  Task<void> stop() {
    source_.reset();
    client.close_idle();
    for (auto& node : nodes) co_await node->stop();
  }

  Metrics metrics;
  net::HttpClient client;
  JsonRpcSettings settings{.timeout = 5s, .breaker_reset = 150ms, .rate_limit_pause = 150ms, .first_demotion = 100ms};
  std::vector<std::unique_ptr<Node>> nodes;

 private:
  Executor executor_;
  std::unique_ptr<JsonRpcSource> source_;
};

void in_world(std::function<Task<void>(World&)> body) {
  run_blocking([body = std::move(body)]() -> Task<void> {
    World world(co_await this_executor());
    co_await body(world);
    co_await world.stop();
  });
}

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
