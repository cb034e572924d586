#include "chain/fake/fake_node.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "chain/evm/rpc_json.hpp"
#include "core/json/json.hpp"
#include "net/http_server.hpp"

namespace agentauri::chain {
namespace {

json::Object render(const RawLog& log) {
  json::Object out;
  json::Array topics;
  for (const auto& topic : log.topics) topics.emplace_back(to_hex_0x(topic));
  out["address"] = to_hex_0x(log.address);
  out["topics"] = std::move(topics);
  out["data"] = to_hex_0x(log.data);
  out["blockHash"] = to_hex_0x(log.block_hash);
  out["blockNumber"] = quantity(log.block_num);
  out["transactionHash"] = to_hex_0x(log.txn_hash);
  out["transactionIndex"] = quantity(log.txn_index);
  out["logIndex"] = quantity(log.log_index);
  out["removed"] = false;
  return out;
}

json::Value render(const std::optional<BlockHeader>& header) {
  if (!header) return nullptr;
  json::Object out;
  out["number"] = quantity(header->num);
  out["hash"] = to_hex_0x(header->hash);
  out["parentHash"] = to_hex_0x(header->parent_hash);
  out["timestamp"] = quantity(static_cast<std::uint64_t>(to_unix_seconds(header->time)));
  out["logsBloom"] = to_hex_0x(ByteView(header->logs_bloom));
  // Of the transactions nobody asks for more than whether there are some.
  out["transactions"] = header->empty ? json::Array() : json::Array{to_hex_0x(header->hash)};
  out["transactionsRoot"] = header->empty ? json::String(kEmptyTrieRoot) : json::String(to_hex_0x(header->hash));
  return out;
}

struct RpcFailure {
  int code;
  std::string message;
};

std::string text_at(const json::Array& params, std::size_t i) {
  return i < params.size() && params[i].is_string() ? std::string(json::view(params[i].get_string())) : std::string();
}

}   // namespace

struct FakeNode::Impl {
  Impl(Executor executor, FakeChain& c, std::uint64_t range, std::chrono::milliseconds wait)
      : chain(c),
        max_range(range),
        latency(wait),
        server(
            {std::move(executor)}, {}, [this](net::HttpRequest request) { return answer(std::move(request)); },
            [](int status, std::string_view text, const net::HttpRequest&) {
              net::HttpResponse out;
              out.status = status;
              out.body = std::string(text);
              return out;
            }) {}

  std::optional<BlockHeader> block_of(const std::string& tag) const {
    if (tag == "latest" || tag == "pending") return chain.head();
    if (tag == "earliest") return chain.header(0);
    if (tag == "safe" || tag == "finalized") {
      const auto head = chain.head().num;
      return chain.header(head > kFinalityLag ? head - kFinalityLag : 0);
    }
    const auto num = parse_quantity(json::Value(json::String(tag)), "block");
    return num ? chain.header(*num) : std::nullopt;
  }

  std::optional<BlockHeader> shown(std::optional<BlockHeader> header) const {
    if (header && faults.empty_blooms) header->logs_bloom = {};
    return header;
  }

  std::expected<json::Value, RpcFailure> logs(const json::Array& params) const {
    if (params.empty() || !params[0].is_object()) return std::unexpected(RpcFailure{-32602, "a filter is missing"});
    const auto& filter = params[0].get_object();
    std::vector<RawLog> found;
    if (const auto* hash = json::find(filter, "blockHash"); hash != nullptr && hash->is_string()) {
      const auto parsed = parse_hash(json::view(hash->get_string()));
      if (!parsed || !chain.header(*parsed)) return std::unexpected(RpcFailure{-32000, "unknown block"});
      found = chain.logs(*parsed);

    } else {
      const auto end = [&](std::string_view key) {
        const auto* value = json::find(filter, key);
        return value != nullptr && value->is_string() ? block_of(std::string(json::view(value->get_string())))
                                                      : std::optional(chain.head());
      };
      const auto from = end("fromBlock");
      const auto to = end("toBlock");
      const std::uint64_t last = to ? to->num : chain.head().num;
      if (from && max_range > 0 && last >= from->num && last - from->num + 1 > max_range)
        return std::unexpected(RpcFailure{-32005, fmt::format("block range is too wide (limit {})", max_range)});
      if (from) found = chain.logs(from->num, last);
    }
    if (faults.omits) std::erase_if(found, [this](const RawLog& log) { return faults.omits(log.block_hash); });
    json::Array out;
    const auto* wanted = json::find(filter, "address");
    for (const auto& log : found) {
      const std::string address = to_hex_0x(log.address);
      const bool listed =
          wanted == nullptr || (wanted->is_string() && json::view(wanted->get_string()) == address) ||
          (wanted->is_array() &&
           std::any_of(wanted->get_array().begin(), wanted->get_array().end(),
                       [&](const json::Value& v) { return v.is_string() && json::view(v.get_string()) == address; }));
      if (listed) out.emplace_back(render(log));
    }
    return json::Value(std::move(out));
  }

  std::expected<json::Value, RpcFailure> call(std::string_view method, const json::Array& params) const {
    calls.fetch_add(1, std::memory_order_relaxed);
    if (faults.fails && faults.fails(method)) return std::unexpected(RpcFailure{-32603, "a fault of the fake node"});
    if (method == "eth_chainId")
      return json::Value(quantity(static_cast<std::uint64_t>(faults.wrong_chain.value_or(chain.id()))));
    if (method == "eth_blockNumber") return json::Value(quantity(chain.head().num));
    if (method == "eth_getBlockByNumber") return render(shown(block_of(text_at(params, 0))));
    if (method == "eth_getBlockByHash") {
      const auto hash = parse_hash(text_at(params, 0));
      return render(shown(hash ? chain.header(*hash) : std::nullopt));
    }
    if (method == "eth_getLogs") return logs(params);
    if (method == "eth_getCode") {
      const auto address = parse_address(text_at(params, 0));
      return json::Value(json::String(address && chain.contracts().registry_of(*address) ? "0x60" : "0x"));
    }
    if (method == "eth_getBlockReceipts" && faults.receipts) {
      const auto block = block_of(text_at(params, 0));
      if (!block) return json::Value(nullptr);
      json::Array found;
      for (const auto& log : chain.logs(block->hash)) found.emplace_back(render(log));
      json::Array receipts;
      if (!block->empty) {
        json::Object receipt;
        receipt["blockHash"] = to_hex_0x(block->hash);
        receipt["blockNumber"] = quantity(block->num);
        receipt["logs"] = std::move(found);
        receipts.emplace_back(std::move(receipt));
      }
      return json::Value(std::move(receipts));
    }
    return std::unexpected(RpcFailure{-32601, "the method does not exist"});
  }

  json::Object one(const json::Value& question) const {
    json::Object out;
    out["jsonrpc"] = "2.0";
    out["id"] = nullptr;
    if (!question.is_object()) return out;
    const auto& object = question.get_object();
    if (const auto* id = json::find(object, "id")) out["id"] = *id;
    const auto* method = json::find(object, "method");
    const auto* params = json::find(object, "params");
    auto result = call(method != nullptr && method->is_string() ? json::view(method->get_string()) : "",
                       params != nullptr && params->is_array() ? params->get_array() : json::Array());
    if (result) {
      out["result"] = std::move(*result);
    } else {
      json::Object error;
      error["code"] = result.error().code;
      error["message"] = result.error().message;
      out["error"] = std::move(error);
    }
    return out;
  }

  Task<net::HttpResponse> answer(net::HttpRequest request) {
    if (latency.count() > 0) co_await sleep_for(latency);
    net::HttpResponse out;
    out.headers.add("Content-Type", "application/json");
    const auto question = json::parse(request.body);
    if (!question) {
      out.status = 400;
    } else if (question->is_array()) {
      json::Array answers;
      for (const auto& member : question->get_array()) answers.emplace_back(one(member));
      out.body = json::dump(answers);
    } else {
      out.body = json::dump(one(*question));
    }
    co_return out;
  }

  static constexpr std::uint64_t kFinalityLag = 32;
  FakeChain& chain;
  std::uint64_t max_range;
  std::chrono::milliseconds latency;
  NodeFaults faults;
  mutable std::atomic<std::uint64_t> calls{0};
  net::HttpServer server;
};

FakeNode::FakeNode(Executor executor, FakeChain& chain, std::uint64_t max_range, std::chrono::milliseconds latency)
    : impl_(std::make_unique<Impl>(std::move(executor), chain, max_range, latency)) {}
FakeNode::~FakeNode() = default;
void FakeNode::set_faults(NodeFaults faults) {
  impl_->faults = std::move(faults);
}
std::uint64_t FakeNode::calls() const {
  return impl_->calls;
}
Result<void> FakeNode::start() {
  return impl_->server.start();
}
Task<void> FakeNode::stop() {
  co_await impl_->server.stop(std::chrono::milliseconds(100));
}
std::string FakeNode::url() const {
  return fmt::format("http://127.0.0.1:{}", impl_->server.port());
}

Task<void> mine_every(FakeChain& chain, std::chrono::microseconds interval, std::function<void()> traffic) {
  // Against the clock, so that the rhythm does not drift by what mining takes.
  for (auto next = std::chrono::steady_clock::now() + interval;; next += interval) {
    const auto wait = std::chrono::duration_cast<std::chrono::microseconds>(next - std::chrono::steady_clock::now());
    if (wait.count() > 0 && !co_await sleep_for(wait)) co_return;
    if (co_await cancelled()) co_return;
    if (traffic) traffic();
    chain.mine(SystemClock().now());
  }
}

}   // namespace agentauri::chain
