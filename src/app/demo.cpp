// `agentauri demo`: serve, with a chain of its own, a user, a trigger and a receiver that verifies. Everything goes the
// way that a real alert goes: JSON-RPC, store, engine, worker, HTTP.
#include <fmt/format.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "app/application.hpp"
#include "app/commands.hpp"
#include "app/exit_codes.hpp"
#include "chain/fake/fake_chain.hpp"
#include "chain/fake/fake_node.hpp"
#include "core/async/task.hpp"
#include "core/crypto/crypto.hpp"
#include "core/json/json.hpp"
#include "delivery/standard_webhooks.hpp"
#include "net/http_client.hpp"
#include "net/http_server.hpp"
#include "store/latency.hpp"

namespace agentauri::app {
namespace {

constexpr domain::ChainId kDemoChain = 31337;
constexpr std::uint64_t kDemoAgents = 12;
constexpr int kBlocksBeforeReorg = 8;
constexpr auto kFirstAlertLimit = std::chrono::seconds(60);

// The receiver: checks signature and timestamp as a subscriber should, and remembers what came.
class DemoReceiver {
 public:
  explicit DemoReceiver(Executor executor)
      : server_(
            {std::move(executor)}, {}, [this](net::HttpRequest request) { return receive(std::move(request)); },
            [](int status, std::string_view text, const net::HttpRequest&) {
              net::HttpResponse out;
              out.status = status;
              out.body = std::string(text);
              return out;
            }) {}

  Result<void> start() { return server_.start(); }
  Task<void> stop() { co_await server_.stop(std::chrono::milliseconds(100)); }
  std::string url() const { return fmt::format("http://127.0.0.1:{}/alerts", server_.port()); }
  void set_secret(std::string secret) {
    const std::lock_guard lock(mutex_);
    secret_ = std::move(secret);
  }
  // The ids of verified alerts, in the order of arrival.
  std::vector<std::pair<std::string, std::string>> alerts() {
    const std::lock_guard lock(mutex_);
    return alerts_;
  }
  std::size_t refused() const { return refused_; }

 private:
  Task<net::HttpResponse> receive(net::HttpRequest request) {
    const auto field = [&request](std::string_view name) {
      const auto* value = request.headers.find(name);
      return value == nullptr ? std::string() : *value;
    };
    net::HttpResponse out;
    const std::lock_guard lock(mutex_);
    const auto expected = delivery::sign_webhook({secret_}, field("webhook-id"),
                                                 std::atoll(field("webhook-timestamp").c_str()), request.body);
    if (!expected || *expected != field("webhook-signature")) {
      ++refused_;
      out.status = 401;
      co_return out;
    }
    alerts_.emplace_back(field("webhook-id"), request.body);
    out.status = 204;
    co_return out;
  }

  net::HttpServer server_;
  std::mutex mutex_;
  std::string secret_;
  std::vector<std::pair<std::string, std::string>> alerts_;
  std::atomic<std::size_t> refused_{0};
};

// Registrations and feedback, as registries see them; one reorganisation.
class DemoTraffic {
 public:
  DemoTraffic(chain::FakeChain& chain, std::uint64_t seed, std::chrono::milliseconds block)
      : chain_(chain), random_(seed), block_(block) {}

  void run(const std::atomic<bool>& stop) {
    for (std::uint64_t agent = 0; agent < kDemoAgents; ++agent)
      chain_.register_agent(agent, fmt::format("https://agents.example/{}.json", agent));
    for (int n = 1; !stop; ++n) {
      const auto feedbacks = 1 + random_() % 3;
      for (std::uint64_t i = 0; i < feedbacks; ++i) {
        const auto score = static_cast<int128>(random_() % 101);
        chain_.give_feedback(random_() % kDemoAgents, random_() % 50, score, 0, "starred", "");
      }
      mine();
      if (n == kBlocksBeforeReorg) {
        chain_.reorg(2, true);   // the same transactions in other blocks: nothing may fire twice
        mine();
        mine();
        mine();
      }
      const auto until = std::chrono::steady_clock::now() + block_;
      while (!stop && std::chrono::steady_clock::now() < until)
        std::this_thread::sleep_for(std::min<std::chrono::milliseconds>(block_, std::chrono::milliseconds(20)));
    }
  }
  // When a block could first be asked for.
  std::optional<Time> visible_at(std::uint64_t block_num) {
    const std::lock_guard lock(mutex_);
    const auto found = visible_.find(block_num);
    return found == visible_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  void mine() {
    const std::lock_guard lock(mutex_);
    const auto header = chain_.mine();
    visible_[header.num] = SystemClock().now();
  }

  chain::FakeChain& chain_;
  std::mt19937_64 random_;
  std::chrono::milliseconds block_;
  std::mutex mutex_;
  std::map<std::uint64_t, Time> visible_;
};

Task<Result<json::Object>> call(net::HttpClient& client, std::string base, std::string method, std::string path,
                                std::string token, json::Value body) {
  net::ClientRequest request;
  request.method = std::move(method);
  request.url = *net::parse_url(base + path);
  request.headers.add("Content-Type", "application/json");
  if (!token.empty()) request.headers.add("Authorization", "Bearer " + token);
  request.body = json::dump(body);
  auto answer = co_await client.send(std::move(request));
  if (!answer) co_return fail(Code::unavailable, fmt::format("{}: {}", path, answer.error().text));
  auto parsed = json::parse(answer->body);
  if (answer->status >= 300 || !parsed || !parsed->is_object())
    co_return fail(Code::protocol, fmt::format("{}: HTTP {} {}", path, answer->status, answer->body.substr(0, 200)));
  co_return std::move(parsed->get_object());
}

std::string text_of(const json::Object& object, std::string_view key) {
  const auto* value = json::find(object, key);
  return value != nullptr && value->is_string() ? std::string(json::view(value->get_string())) : "";
}

// A user and a trigger, made as anybody would: over HTTP. Returns the trigger's signing secret.
Task<Result<std::string>> make_trigger(net::HttpClient& client, std::string base, std::string hook) {
  const std::string name = fmt::format("demo-{}", to_hex(crypto::random_bytes(4)));
  json::Object user{{"username", name}, {"email", name + "@example.org"}, {"password", "a quiet river 77"}};
  auto session = co_await call(client, base, "POST", "/api/v1/auth/register", "", user);
  if (!session) co_return fail(session);
  json::Object condition{{"condition_type", "score_threshold"}, {"field", "score"}, {"operator", "<"}, {"value", "60"}};
  json::Object action{{"action_type", "webhook"}, {"config", json::Object{{"url", hook}}}};
  json::Object trigger{{"name", "Low score"},
                       {"chain_id", kDemoChain},
                       {"registry", "reputation"},
                       {"conditions", json::Array{condition}},
                       {"actions", json::Array{action}}};
  auto made = co_await call(client, base, "POST", "/api/v1/triggers", text_of(*session, "token"), trigger);
  if (!made) co_return fail(made);
  const auto* data = json::find(*made, "data");
  const auto* actions = data != nullptr && data->is_object() ? json::find(data->get_object(), "actions") : nullptr;
  if (actions == nullptr || !actions->is_array() || actions->get_array().empty() ||
      !actions->get_array()[0].is_object())
    co_return fail(Code::protocol, "the trigger was answered without its action");
  fmt::print("user       {} (password: a quiet river 77)\n", name);
  co_return text_of(actions->get_array()[0].get_object(), "signing_secret");
}

void print_first_alert(store::Database& db, DemoTraffic& traffic, const std::string& id, const std::string& body) {
  fmt::print("\nFirst signed alert, verified by the receiver:\n{}\n\n", body);
  const auto job = from_hex(id);
  const auto hash = job ? Hash32::from(*job) : std::nullopt;
  if (!hash) return;
  std::optional<store::LatencyBill> bill;
  for (int i = 0; i < 100 && !(bill && bill->acknowledged);
       ++i) {   // the answer is recorded after the receiver gave it
    auto read = db.snapshot_blocking<std::optional<store::LatencyBill>>(
        [&hash](store::Tx& tx) { return store::latency_of(tx, *hash); });
    if (read) bill = *read;
    if (!(bill && bill->acknowledged)) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  if (!bill || !bill->acknowledged) return;
  const auto parsed = json::parse(body);
  const auto* event = json::find(parsed->get_object(), "event");
  const auto* num = json::find(event->get_object(), "block_number");
  const auto visible =
      num->is_int64() ? traffic.visible_at(static_cast<std::uint64_t>(num->get_int64())) : std::nullopt;
  const Time start = visible.value_or(bill->seen);
  Time before = start;
  fmt::print("Where its time went:\n");
  const auto line = [&](const char* what, Time at) {
    fmt::print("  {:<44} +{:>8.3f} ms   (at {:>8.3f} ms)\n", what, static_cast<double>((at - before).count()) / 1000,
               static_cast<double>((at - start).count()) / 1000);
    before = at;
  };
  line("block visible -> seen by the indexer", bill->seen);
  line("seen -> handed to the store with its logs", bill->handed_over);
  line("handed over -> durable, matched, job made", bill->matched);
  line("matched -> sent (the attempt is durable)", bill->sent);
  line("sent -> acknowledged by the receiver", *bill->acknowledged);
  std::fflush(stdout);
}

}   // namespace

int run_demo(Settings settings, DemoOptions options) {
  static const Log log("demo");
  block_signals();
  const std::uint64_t seed =
      options.seed != 0 ? options.seed : static_cast<std::uint64_t>(to_micros(SystemClock().now()));
  IoThread thread("demo");
  // A chain of its own for each run: the store of an earlier demo must not take it for a deep reorganisation.
  chain::FakeChain chain(kDemoChain, seed, SystemClock().now(), std::chrono::seconds(1));
  chain::FakeNode node(thread.executor(), chain);
  DemoReceiver receiver(thread.executor());
  for (auto started : {node.start(), receiver.start()}) {
    if (!started) {
      fmt::print(stderr, "{}\n", started.error().text);
      return kExitOs;
    }
  }
  if (settings.postgres) {
    fmt::print(stderr, "the demo uses a store of its own: unset DB_* and DATABASE_URL\n");
    return kExitConfig;
  }
  settings.data_dir += "/demo-" + std::to_string(seed % 1'000'000'000);
  if (auto made = std::filesystem::path(settings.data_dir).parent_path(); !made.empty())
    std::filesystem::create_directories(made);
  settings.production = false;
  settings.egress_allow.push_back("127.0.0.1");
  settings.egress_https_only = false;
  settings.register_per_minute = 1000;
  ChainSetting setting;
  setting.id = kDemoChain;
  setting.rpc_urls.emplace_back(node.url());
  setting.start_block = 0;
  setting.identity = chain.contracts().identity;
  setting.reputation = chain.contracts().reputation;
  setting.validation = chain.contracts().validation;
  settings.chains = {setting};

  Application application(settings);
  if (auto started = application.start(); !started) {
    log.error(started.error().text, {{"variable", started.error().field}});
    fmt::print(stderr, "{}\n", started.error().text);
    return exit_code_of(started.error());
  }
  const std::string base = fmt::format("http://127.0.0.1:{}", application.port());
  fmt::print("gateway    {}/api/v1   store {}   chain {} (seed {})\n", base, settings.data_dir, node.url(), seed);
  Result<std::string> secret = fail(Code::internal, "not made");
  run_blocking([&]() -> Task<void> {
    net::HttpClient client(co_await this_executor(), net::HttpClient::Settings{});
    secret = co_await make_trigger(client, base, receiver.url());
  });
  if (!secret) {
    fmt::print(stderr, "{}\n", secret.error().text);
    return kExitNo;
  }
  receiver.set_secret(*secret);
  fmt::print("trigger    reputation, score < 60  ->  {}\n", receiver.url());
  std::fflush(stdout);

  std::atomic<bool> stop{false};
  DemoTraffic traffic(chain, seed, std::chrono::milliseconds(options.block_ms));
  std::thread miner([&] { traffic.run(stop); });
  const auto started = std::chrono::steady_clock::now();
  std::size_t printed = 0;
  bool late = false;
  wait_for_stop_signal([&] {
    const auto alerts = receiver.alerts();
    for (; printed < alerts.size(); ++printed) {
      if (printed == 0)
        print_first_alert(application.database(), traffic, alerts[0].first, alerts[0].second);
      else
        fmt::print("alert {:>5}  {}\n", printed + 1, alerts[printed].first.substr(0, 16));
      std::fflush(stdout);
    }
    late = printed == 0 && std::chrono::steady_clock::now() - started > kFirstAlertLimit;
    return late || (options.stop_after_alerts > 0 && printed >= static_cast<std::size_t>(options.stop_after_alerts));
  });
  stop = true;
  miner.join();
  application.stop();
  run_blocking([&]() -> Task<void> {
    co_await receiver.stop();
    co_await node.stop();
  });
  thread.stop();
  std::set<std::string> ids;
  for (const auto& [id, body] : receiver.alerts()) ids.insert(id);
  fmt::print("{} alerts, {} different, {} refused by the receiver\n", receiver.alerts().size(), ids.size(),
             receiver.refused());
  if (late) fmt::print(stderr, "no alert came within {} s\n", kFirstAlertLimit.count());
  return late ? kExitNo : kExitOk;
}

}   // namespace agentauri::app
