// Nodes on loopback that say what each test wants, and a JsonRpcSource over real HTTP before them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chain/evm/json_rpc_source.hpp"
#include "chain/evm/rpc_json.hpp"
#include "core/base/number.hpp"
#include "net/http_server.hpp"

namespace agentauri::chain::testing {

using namespace std::chrono_literals;

inline constexpr domain::ChainId kChain = 31337;
inline const Address kContract = *parse_address("0x8004A169FB4a3325136EB29fA0ceB6D2e539a432");

inline Hash32 hash_of(std::uint64_t num) {
  return Uint256(num + 1).to_word();
}

inline json::Value header_json(std::uint64_t num) {
  json::Object out;
  out["number"] = quantity(num);
  out["hash"] = to_hex_0x(hash_of(num));
  out["parentHash"] = to_hex_0x(hash_of(num == 0 ? 0 : num - 1));
  out["timestamp"] = quantity(1'700'000'000 + num);
  out["logsBloom"] = "0x" + std::string(512, '0');
  return out;
}

inline json::Value log_json(std::uint64_t num) {
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
      receipt["blockHash"] = to_hex_0x(hash_of(10));
      receipt["blockNumber"] = quantity(10);
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

inline net::HttpResponse http_answer(int status, std::string body = "") {
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

inline void in_world(std::function<Task<void>(World&)> body) {
  run_blocking([body = std::move(body)]() -> Task<void> {
    World world(co_await this_executor());
    co_await body(world);
    co_await world.stop();
  });
}

}   // namespace agentauri::chain::testing
