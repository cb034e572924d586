// How fast a history without events is read: the follower as it runs in the service with its JSON-RPC client, over
// loopback HTTP, on a node that takes its time for every answer and refuses an eth_getLogs over more than so many
// blocks. The store is SQLite and keeps what was read range by range.
//
//   empty_history_bench [blocks] [milliseconds of an answer] [largest range]
#include <fmt/format.h>
#include <stdlib.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "bench_store.hpp"
#include "chain/evm/json_rpc_source.hpp"
#include "chain/evm/rpc_json.hpp"
#include "chain/indexer/follower.hpp"
#include "core/json/json.hpp"
#include "core/telemetry/log.hpp"
#include "net/http_server.hpp"
#include "report.hpp"
#include "store/sqlite/sqlite_database.hpp"

namespace agentauri::bench {
namespace {

constexpr domain::ChainId kChain = 31337;
constexpr std::int64_t kEpoch = 1;
constexpr std::uint64_t kGenesis = 1'700'000'000;
constexpr auto kLimit = std::chrono::seconds(60);   // of the measurement; what is read by then counts

chain::Contracts contracts() {
  const auto at = [](std::uint8_t n) {
    Address out;
    out.data.fill(n);
    return out;
  };
  return {at(1), at(2), at(3)};
}

// An endless chain of empty blocks whose hashes are their own numbers; nothing of it is kept. Used on its executor.
class EmptyNode {
 public:
  EmptyNode(Executor executor, std::uint64_t head, std::chrono::milliseconds latency, std::uint64_t max_range)
      : head_(head),
        latency_(latency),
        max_range_(max_range),
        server_(
            {std::move(executor)}, {}, [this](net::HttpRequest request) { return answer(std::move(request)); },
            [](int status, std::string_view text, const net::HttpRequest&) {
              net::HttpResponse out;
              out.status = status;
              out.body = text;
              return out;
            }) {}

  Result<void> start() { return server_.start(); }
  Task<void> stop() { co_await server_.stop(std::chrono::milliseconds(100)); }
  std::string url() const { return fmt::format("http://127.0.0.1:{}", server_.port()); }
  std::uint64_t log_calls() const { return log_calls_; }
  std::uint64_t refused() const { return refused_; }

 private:
  static std::string hash(std::uint64_t num) { return fmt::format("0x{:064x}", num + 1); }

  static std::string header(std::uint64_t num) {
    return fmt::format(
        R"({{"number":"{}","hash":"{}","parentHash":"{}","timestamp":"{}","logsBloom":"0x{:0512d}","transactions":[]}})",
        chain::quantity(num), hash(num), num == 0 ? fmt::format("0x{:064x}", 0) : hash(num - 1),
        chain::quantity(kGenesis + num * 2), 0);
  }

  std::uint64_t number(const json::Value& tag) const {
    const auto num = chain::parse_quantity(tag, "block");   // not one: latest, safe or finalized
    return num ? *num : head_;
  }

  // The member `result` or `error` of an answer.
  std::string result(std::string_view method, const json::Array& params) {
    if (method == "eth_chainId") return fmt::format(R"("result":"{}")", chain::quantity(kChain));
    if (method == "eth_blockNumber") return fmt::format(R"("result":"{}")", chain::quantity(head_));
    if (method == "eth_getCode") return R"("result":"0x60")";
    if (method == "eth_getBlockByNumber") {
      const std::uint64_t num = number(params.at(0));
      return num > head_ ? R"("result":null)" : fmt::format(R"("result":{})", header(num));
    }
    if (method == "eth_getLogs") {
      ++log_calls_;
      const auto& filter = params.at(0).as_object();
      const auto* from = json::find(filter, "fromBlock");
      const auto* to = json::find(filter, "toBlock");
      if (from != nullptr && to != nullptr && number(*to) - number(*from) + 1 > max_range_) {
        ++refused_;
        return fmt::format(R"("error":{{"code":-32005,"message":"block range is too wide, limit {}"}})", max_range_);
      }
      return R"("result":[])";
    }
    return R"("error":{"code":-32601,"message":"the method does not exist"})";
  }

  std::string one(const json::Value& question) {
    const auto& object = question.as_object();
    return fmt::format(R"({{"jsonrpc":"2.0","id":{},{}}})", json::dump(object.at("id")),
                       result(json::view(object.at("method").as_string()), object.at("params").as_array()));
  }

  Task<net::HttpResponse> answer(net::HttpRequest request) {
    co_await sleep_for(latency_);
    net::HttpResponse out;
    out.headers.add("Content-Type", "application/json");
    const auto question = json::parse(request.body);
    ENSURE(question.has_value(), "the client sends JSON");
    if (!question->is_array()) {
      out.body = one(*question);
      co_return out;
    }
    std::vector<std::string> answers;
    for (const auto& member : question->get_array()) answers.push_back(one(member));
    out.body = fmt::format("[{}]", fmt::join(answers, ","));
    co_return out;
  }

  std::uint64_t head_;
  std::chrono::milliseconds latency_;
  std::uint64_t max_range_;
  std::atomic<std::uint64_t> log_calls_{0}, refused_{0};
  net::HttpServer server_;
};

// Seconds from the start of the follower until the ledger holds every block, or kLimit.
double follow(store::Database& db, const std::string& url, std::uint64_t blocks) {
  using Watch = std::chrono::steady_clock;
  Metrics metrics;
  SystemClock clock;
  double seconds = 0;
  run_blocking([&]() -> Task<void> {
    net::HttpClient client(co_await this_executor(), net::HttpClient::Settings{});
    chain::JsonRpcSettings rpc;
    rpc.chain_id = kChain;
    rpc.chain_name = "bench";
    rpc.urls.emplace_back(url);
    chain::JsonRpcSource source(client, rpc, metrics);
    chain::FollowerSettings settings;   // as in the service
    settings.chain_id = kChain;
    settings.name = "bench";
    settings.contracts = contracts();
    settings.start_block = 1;
    settings.epoch = kEpoch;
    chain::ChainFollower follower(source, db, clock, settings, metrics, [] {});
    TaskGroup group(co_await this_executor());
    const auto started = Watch::now();
    group.spawn("follower", [&follower]() -> Task<void> { (void)co_await follower.run(); });
    while (Watch::now() - started < kLimit && co_await blocks_read(db, kChain, blocks) < blocks) {
      co_await sleep_for(std::chrono::milliseconds(5));
    }
    seconds = std::chrono::duration<double>(Watch::now() - started).count();
    group.cancel();
    co_await group.wait();
  });
  return seconds;
}

void run(std::uint64_t blocks, std::chrono::milliseconds latency, std::uint64_t max_range) {
  configure_log({.level = Level::warn});
  std::string folder = (std::filesystem::temp_directory_path() / "empty-history-XXXXXX").string();
  ENSURE(::mkdtemp(folder.data()) != nullptr, "no temporary folder can be made here");
  double seconds = 0;
  std::uint64_t read = 0;
  IoThread thread("node");
  EmptyNode node(thread.executor(), blocks + 1, latency, max_range);
  ENSURE(node.start().has_value(), "the node listens");
  {
    auto db = store::make_sqlite_database({.data_dir = folder});
    ENSURE(db.has_value(), db ? "" : db.error().text.c_str());
    seconds = follow(**db, node.url(), blocks);
    run_blocking([&]() -> Task<void> { read = co_await blocks_read(**db, kChain, blocks); });
    (*db)->stop();
  }
  run_blocking([&]() -> Task<void> { co_await node.stop(); });
  thread.stop();
  std::filesystem::remove_all(folder);
  note("empty history: blocks read by ranges", static_cast<double>(read), fmt::format("in {:.2f} s", seconds));
  note("empty history: eth_getLogs", static_cast<double>(node.log_calls()),
       fmt::format("({} refused)", node.refused()));
  report(fmt::format("empty history: blocks verified at {} ms and {} a range", latency.count(), max_range),
         static_cast<double>(read) / seconds, "blocks/s", Goal::at_least, 20'000);
}

}   // namespace
}   // namespace agentauri::bench

int main(int argc, char** argv) {
  const auto number = [&](int i, std::uint64_t otherwise) {
    return argc > i ? std::strtoull(argv[i], nullptr, 10) : otherwise;
  };
  agentauri::bench::run(number(1, 5'000'000), std::chrono::milliseconds(number(2, 50)), number(3, 10'000));
  return 0;
}
