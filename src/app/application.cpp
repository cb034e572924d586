#include "app/application.hpp"

#include <fmt/format.h>

#include <csignal>
#include <ctime>
#include <thread>

#include "app/build_commit.hpp"
#include "app/chain_roles.hpp"
#include "app/data_key_check.hpp"
#include "app/discovery_settings.hpp"
#include "app/embedded_secrets.hpp"
#include "app/host_watch.hpp"
#include "app/housekeeping.hpp"
#include "app/job_sampler.hpp"
#include "app/membership.hpp"
#include "app/metrics_listener.hpp"
#include "app/open_store.hpp"
#include "app/rpc_chain_reader.hpp"
#include "app/version.hpp"
#include "chain/chain_table.hpp"
#include "core/async/task.hpp"
#include "core/config/descriptors.hpp"
#include "core/telemetry/log.hpp"
#include "delivery/channels/webhook.hpp"
#include "delivery/dispatcher.hpp"
#include "engine/engine.hpp"
#include "gateway/gateway.hpp"
#include "net/http_client.hpp"
#include "net/http_server.hpp"
#include "net/redis_client.hpp"
#include "store/cache/memory_cache.hpp"
#include "store/cache/redis_cache.hpp"
#include "store/event_storage.hpp"

namespace agentauri::app {
namespace {

constexpr auto kStopPoll = std::chrono::milliseconds(200);
constexpr int kOldestRedis = 7;
constexpr std::size_t kFewConnections = 1000;   // of one I/O thread: an operator should know

gateway::GatewaySettings::Registration registration_of(const Settings& settings) {
  using Registration = gateway::GatewaySettings::Registration;
  return settings.registration == "closed"    ? Registration::closed
         : settings.registration == "invited" ? Registration::invited
                                              : Registration::open;
}

gateway::GatewaySettings gateway_settings(const Settings& settings) {
  gateway::GatewaySettings out;
  out.jwt_secret = settings.jwt_secret;
  out.jwt_secret_previous = settings.jwt_secret_previous;
  out.base_url = settings.base_url;
  out.frontend_url = settings.frontend_url;
  out.production = settings.production;
  out.password_policy = settings.password_policy == "strict" ? gateway::GatewaySettings::PasswordPolicy::strict
                                                             : gateway::GatewaySettings::PasswordPolicy::standard;
  out.registration = registration_of(settings);
  // Whoever is first must be somebody of this machine.
  const bool is_loopback = settings.server_host.starts_with("127.") || settings.server_host == "::1";
  out.first_user_is_admin = !settings.postgres && is_loopback;
  out.allowed_origins = settings.allowed_origins;
  out.trusted_proxies = settings.trusted_proxies;
  out.rate_limit_mode = settings.rate_limit_mode == "shadow" ? gateway::GatewaySettings::RateLimitMode::shadow
                                                             : gateway::GatewaySettings::RateLimitMode::enforcing;
  out.register_per_minute = settings.register_per_minute;
  out.monitoring_token = settings.monitoring_token;
  out.hsts = settings.hsts;
  out.hsts_max_age = settings.hsts_max_age;
  out.siwe_domains = settings.siwe_domains;
  out.siwe_uri = settings.siwe_uri;
  out.siwe_chain_ids = settings.siwe_chain_ids;
  out.siwe_strict_checksum = settings.siwe_strict_checksum;
  for (const auto& chain : settings.chains) out.chain_names[chain.id] = chain_name(chain.id);
  for (const auto& chain : settings.chains) out.public_chains.push_back(public_chain(chain));
  out.discovery = settings.discovery;
  out.console_dir = settings.console_dir;
  out.version = std::string(kVersion);
  return out;
}

// The first error must be an increase: these series begin at 0, and not with it.
void announce_redis_errors(Metrics& metrics) {
  metrics.counter("redis_connection_errors_total", "Connections to Redis that could not be made");
  for (const char* type : {"connection", "timeout", "script"})
    metrics.counter("rate_limit_redis_errors_total", "Limits that Redis could not decide", {{"error_type", type}});
}

}   // namespace

struct Application::Impl {
  explicit Impl(Settings s) : settings(std::move(s)) {}

  Result<void> start();
  Result<void> prepare_secrets();
  Result<void> tell_event_storage();
  Result<void> start_cache();
  Result<void> start_gateway(const net::AddressGuard& guard);
  Task<void> run_roles();
  Task<void> keep_engine(std::shared_ptr<Membership> membership);

  Settings settings;
  SystemClock clock;
  Metrics metrics;
  Log log{"app"};
  std::uint64_t descriptors = 0;   // that this process may have
  std::optional<crypto::DataKeys> keys;
  std::unique_ptr<store::Database> db;

  std::vector<std::unique_ptr<IoThread>> gateway_threads;
  std::unique_ptr<IoThread> roles_thread;
  std::unique_ptr<IoThread> redis_thread;   // of its own, so that no load of the others delays a limit
  std::unique_ptr<net::RedisClient> redis;
  std::unique_ptr<store::Cache> cache;
  std::unique_ptr<RpcChainReader> chain_reader;
  std::unique_ptr<gateway::Gateway> gateway;
  std::unique_ptr<net::HttpServer> server;
  std::unique_ptr<MetricsListener> metrics_listener;
  std::unique_ptr<HostWatch> host_watch;
  std::unique_ptr<net::HttpClient> guarded_client, open_client;
  std::unique_ptr<delivery::WebhookChannel> webhook;
  std::unique_ptr<delivery::Dispatcher> dispatcher;
  std::unique_ptr<Housekeeping> housekeeping;
  std::unique_ptr<JobSampler> job_sampler;
  std::shared_ptr<Membership> membership;
  std::unique_ptr<TaskGroup> role_tasks, gateway_tasks, redis_tasks;   // used on their executors only
  std::shared_ptr<engine::Engine> engine;                              // guarded by engine_mutex
  std::mutex engine_mutex;
  bool started = false;

  void wake_engine() {
    const std::lock_guard lock(engine_mutex);
    if (engine) engine->wake();
  }
};

Result<void> Application::Impl::prepare_secrets() {
  if (!settings.postgres) {
    if (auto made = make_data_dir(settings.data_dir); !made) return made;
    if (settings.jwt_secret.empty()) {
      auto secret = load_or_make_jwt_secret(settings.data_dir);
      if (!secret) return fail(secret);
      settings.jwt_secret = std::move(*secret);
    }
  }
  // What was encrypted before DATA_ENCRYPTION_KEYS was set stays readable.
  keys = crypto::DataKeys::derive(settings.jwt_secret.reveal(), settings.jwt_secret_previous.reveal());
  if (!settings.data_encryption_keys.empty())
    keys = crypto::DataKeys::parse(settings.data_encryption_keys.reveal())->with_older(*keys);
  return {};
}

// A Redis that is away is waited for by nobody; one that refuses us is a fault of the configuration.
Result<void> Application::Impl::start_cache() {
  if (!settings.redis) {
    cache = std::make_unique<store::MemoryCache>();
    return {};
  }
  redis_thread = std::make_unique<IoThread>("redis");
  redis = std::make_unique<net::RedisClient>(redis_thread->executor(), *settings.redis, metrics);
  cache = std::make_unique<store::RedisCache>(*redis, [member = membership] { return member->gateways(); }, metrics);
  announce_redis_errors(metrics);
  Result<std::string> version = std::string();
  run_blocking([this, &version]() -> Task<void> {
    co_await run_on(redis_thread->executor(), [this, &version]() -> Task<void> {
      version = co_await redis->check();
      if (!version && version.error().code == Code::unauthorized) co_return;
      redis_tasks = std::make_unique<TaskGroup>(redis_thread->executor());
      redis_tasks->spawn("redis", [this]() -> Task<void> { co_await redis->serve(); });
      // So that the first request is not counted alone.
      const auto end = std::chrono::steady_clock::now() + settings.redis->connect_time;
      while (version && !redis->is_connected() && std::chrono::steady_clock::now() < end) {
        if (!co_await sleep_for(std::chrono::milliseconds(1))) break;
      }
    });
  });
  const auto where = fmt::format("{}:{}", settings.redis->host, settings.redis->port);
  if (!version && version.error().code == Code::unauthorized)
    return fail(Code::unauthorized, "REDIS_PASSWORD",
                fmt::format("is not what Redis at {} takes ({}): set it, or REDIS_URL", where, version.error().text));
  if (version && !version->empty() && std::atoi(version->c_str()) < kOldestRedis)
    log.warn("this Redis is older than 7, for which the program was tested", {{"version", *version}});
  return {};
}

Result<void> Application::Impl::start_gateway(const net::AddressGuard& guard) {
  for (unsigned i = 0; i < settings.threads; ++i)
    gateway_threads.push_back(std::make_unique<IoThread>(fmt::format("gateway-{}", i)));
  chain_reader = std::make_unique<RpcChainReader>(roles_thread->executor(), *open_client, settings.chains, metrics);
  gateway = std::make_unique<gateway::Gateway>(*db, clock, metrics, gateway_settings(settings), *keys, guard,
                                               *chain_reader, *cache);
  std::vector<Executor> executors;
  for (const auto& thread : gateway_threads) executors.push_back(thread->executor());
  net::HttpServer::Settings http;
  http.host = settings.server_host;
  http.port = settings.server_port;
  http.limits.connections_per_thread =
      connections_per_thread(descriptors, executors.size(), http.limits.connections_per_thread);
  if (http.limits.connections_per_thread < kFewConnections)
    log.warn("the limit of open files leaves few connections for clients: raise it (ulimit -Hn, LimitNOFILE)",
             {{"open_files", descriptors},
              {"connections_per_thread", static_cast<std::uint64_t>(http.limits.connections_per_thread)}});
  server = std::make_unique<net::HttpServer>(
      executors, http, [this](net::HttpRequest request) { return gateway->handle(std::move(request)); },
      [this](int status, std::string_view text, const net::HttpRequest& request) {
        return gateway->render_error(status, text, request);
      });
  if (auto listening = server->start(); !listening) return listening;
  log.info("gateway listens", {{"address", settings.server_host}, {"port", static_cast<int>(server->port())}});
  return {};
}

// Holds the shard's lease and an engine with it; takes the lease again when it was lost.
Task<void> Application::Impl::keep_engine(std::shared_ptr<Membership> member) {
  for (;;) {
    const auto epoch = co_await member->hold("engine:0");
    if (!epoch) co_return;
    engine::EngineSettings engine_settings;
    engine_settings.instance = member->id();
    engine_settings.epoch = *epoch;
    for (const auto& chain : settings.chains) {
      engine_settings.confirmations[chain.id] = chain_confirmations(chain);
      engine_settings.chain_names[chain.id] = chain_name(chain.id);
    }
    auto fenced = std::make_shared<Signal>(co_await this_executor());
    auto current = std::make_shared<engine::Engine>(*db, clock, engine_settings, metrics, [this] {
      if (dispatcher) dispatcher->wake();
      db->notify("jobs");
    });
    {
      const std::lock_guard lock(engine_mutex);
      engine = current;
    }
    current->start([fenced] { fenced->notify(); });
    while (!co_await fenced->wait_for(std::chrono::seconds(60)) && !co_await cancelled()) {
    }
    {
      const std::lock_guard lock(engine_mutex);
      engine.reset();
    }
    current->stop();
    if (co_await cancelled()) co_return;
  }
}

Task<void> Application::Impl::run_roles() {
  if (settings.roles.worker) {
    role_tasks->spawn("worker", [this]() -> Task<void> { co_await dispatcher->run(); });
    role_tasks->spawn("housekeeping", [this]() -> Task<void> { co_await housekeeping->run(); });
  }
  if (job_sampler) role_tasks->spawn("job sampler", [this]() -> Task<void> { co_await job_sampler->run(); });
  if (settings.roles.engine) {
    role_tasks->spawn("engine", [this]() -> Task<void> { co_await keep_engine(membership); });
  }
  if (settings.roles.indexer) {
    for (const auto& chain : settings.chains) {
      role_tasks->spawn(fmt::format("indexer {}", chain.id), [this, chain]() -> Task<void> {
        co_await follow_chain({*db, clock, metrics, *open_client, *membership,
                               [this] {
                                 wake_engine();
                                 if (dispatcher) dispatcher->wake();   // held jobs may be due
                                 db->notify("block_log");
                               }},
                              chain);
      });
    }
  }
  co_return;
}

// A lost library is no reason to end: what can be read is served, and readiness says what is wrong.
Result<void> Application::Impl::tell_event_storage() {
  auto facts =
      db->snapshot_blocking<store::EventStorageFacts>([](store::Tx& tx) { return store::read_event_storage(tx); });
  if (!facts) return fail(facts);
  const bool is_lost = facts->storage == store::EventStorage::lost;
  log.write(is_lost ? Level::error : Level::info, store::describe(*facts),
            {{"event_storage", store::name_of(facts->storage)}});
  return {};
}

Result<void> Application::Impl::start() {
  descriptors = raise_descriptor_limit();
  metrics
      .gauge("build_info", "Version of this program",
             {{"version", std::string(kVersion)}, {"commit", std::string(build_commit())}})
      .set(1);
  if (auto ready = prepare_secrets(); !ready) return ready;
  auto opened = open_store(settings, clock, metrics);
  if (!opened) return fail(opened);
  db = std::move(*opened);
  if (auto right = check_data_keys(*db, *keys); !right) return right;
  if (auto told = tell_event_storage(); !told) return told;

  roles_thread = std::make_unique<IoThread>("roles");
  auto guard = net::AddressGuard::make(settings.egress_allow, settings.egress_https_only);
  if (!guard) return fail(guard);
  net::HttpClient::Settings guarded;
  guarded.guard = *guard;
  guarded_client = std::make_unique<net::HttpClient>(roles_thread->executor(), guarded);
  open_client = std::make_unique<net::HttpClient>(roles_thread->executor(), net::HttpClient::Settings{});

  const auto instance = domain::InstanceId::make(clock.now());
  membership = std::make_shared<Membership>(*db, instance, to_string(settings.roles));
  if (settings.roles.worker) {
    webhook = std::make_unique<delivery::WebhookChannel>(*guarded_client, *keys,
                                                         settings.webhook_ladder.empty()
                                                             ? delivery::webhook_ladder()
                                                             : *delivery::parse_ladder(settings.webhook_ladder));
    delivery::DispatcherSettings dispatch;
    dispatch.instance = instance;
    std::map<domain::ActionType, delivery::Channel*> channels{{domain::ActionType::rest, webhook.get()}};
    dispatcher =
        std::make_unique<delivery::Dispatcher>(roles_thread->executor(), *db, clock, dispatch, channels, metrics);
    db->on_notify("jobs", [this] { dispatcher->wake(); });
    HousekeepingSettings keep;
    keep.retention = std::chrono::hours(24) * settings.attempt_retention_days;
    if (settings.event_retention_days > 0)
      keep.event_retention = std::chrono::hours(24) * settings.event_retention_days;
    keep.undo_blocks = engine::EngineSettings{}.max_undo_blocks;
    housekeeping = std::make_unique<Housekeeping>(*db, clock, instance, keep, metrics);
  }
  if (settings.roles.engine) db->on_notify("block_log", [this] { wake_engine(); });
  if (settings.roles.engine || settings.roles.worker)
    job_sampler = std::make_unique<JobSampler>(*db, clock, settings.roles, metrics);
  host_watch = std::make_unique<HostWatch>(HostWatchSettings{settings.backup_dir, settings.certificate_files}, metrics);
  host_watch->start();

  // Listening comes after everything that an answer may speak of is there, and before anything is promised to others.
  metrics_listener = std::make_unique<MetricsListener>(roles_thread->executor(), settings, metrics, *db);
  if (auto listening = metrics_listener->start(); !listening) return listening;
  if (settings.roles.gateway) {
    if (auto counted = start_cache(); !counted) return counted;
    if (auto listening = start_gateway(*guard); !listening) return listening;
  }

  Result<void> joined;
  run_blocking([this, &joined]() -> Task<void> { joined = co_await membership->join(); });
  if (!joined) return joined;
  run_blocking([this]() -> Task<void> {
    co_await run_on(roles_thread->executor(), [this]() -> Task<void> {
      role_tasks = std::make_unique<TaskGroup>(roles_thread->executor());
      role_tasks->spawn("heartbeat", [this]() -> Task<void> { co_await membership->run(); });
      co_await run_roles();
    });
    if (gateway) {
      co_await run_on(gateway_threads.front()->executor(), [this]() -> Task<void> {
        gateway_tasks = std::make_unique<TaskGroup>(gateway_threads.front()->executor());
        gateway_tasks->spawn("gateway", [this]() -> Task<void> { co_await gateway->run(); });
        co_return;
      });
    }
  });
  started = true;
  log.info("started", {{"roles", to_string(settings.roles)},
                       {"store", db->engine()},
                       {"chains", static_cast<std::uint64_t>(settings.chains.size())}});
  return {};
}

Application::Application(Settings settings) : impl_(std::make_unique<Impl>(std::move(settings))) {}
Application::~Application() {
  stop();
}
Result<void> Application::start() {
  return impl_->start();
}
std::uint16_t Application::metrics_port() const {
  return impl_->metrics_listener ? impl_->metrics_listener->port() : 0;
}
std::uint16_t Application::port() const {
  return impl_->server ? impl_->server->port() : 0;
}
store::Database& Application::database() {
  return *impl_->db;
}
const crypto::DataKeys& Application::data_keys() const {
  return *impl_->keys;
}
void Application::stop() {
  Impl& app = *impl_;
  if (app.started) app.log.info("stopping");
  const auto deadline = std::chrono::steady_clock::now() + app.settings.grace;
  const auto left = [deadline] {
    return std::max(std::chrono::milliseconds(1),
                    std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()));
  };
  // Requests have nearly all of the grace: deliveries end meanwhile, and what asks a chain must be told in time.
  const auto reserve = app.settings.grace / 10;
  if (app.chain_reader) app.chain_reader->stop_by(deadline - 2 * reserve);
  run_blocking([&app, left, reserve]() -> Task<void> {
    if (app.role_tasks && app.dispatcher) {
      co_await run_on(app.roles_thread->executor(), [&app]() -> Task<void> {
        app.dispatcher->stop();
        co_return;
      });
    }
    if (app.server) co_await app.server->stop(left() - reserve);
    if (app.gateway_tasks) {
      co_await run_on(app.gateway_threads.front()->executor(), [&app]() -> Task<void> {
        co_await app.gateway_tasks->cancel_and_wait();
        app.gateway_tasks.reset();
      });
    }
    if (app.redis_tasks) {
      co_await run_on(app.redis_thread->executor(), [&app]() -> Task<void> {
        co_await app.redis_tasks->cancel_and_wait();
        app.redis_tasks.reset();
      });
    }
    if (app.role_tasks) {
      co_await run_on(app.roles_thread->executor(), [&app, left, reserve]() -> Task<void> {
        while (app.dispatcher && app.dispatcher->in_flight() > 0 && left() > reserve) {
          if (!co_await sleep_for(std::chrono::milliseconds(10))) break;
        }
        co_await app.role_tasks->cancel_and_wait();
        app.role_tasks.reset();
        if (app.membership) co_await app.membership->leave();
      });
    }
    if (app.metrics_listener) co_await app.metrics_listener->stop(std::chrono::milliseconds(100));
  });
  if (app.host_watch) app.host_watch->stop();
  if (app.db) app.db->stop();
  for (auto& thread : app.gateway_threads) thread->stop();
  if (app.redis_thread) app.redis_thread->stop();
  if (app.roles_thread) app.roles_thread->stop();
  if (app.started) app.log.info("stopped");
  app.started = false;
  app.server.reset();
  app.metrics_listener.reset();
  app.gateway_threads.clear();
}

// --- signals ---------------------------------------------------------------------------------------------------------

namespace {
sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  return set;
}
}   // namespace

void block_signals() {
  const sigset_t set = handled_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

void wait_for_stop_signal(const std::function<bool()>& give_up) {
  const sigset_t set = handled_signals();
  const timespec poll{0, std::chrono::nanoseconds(kStopPoll).count()};
  while (!give_up()) {
    const int signal = sigtimedwait(&set, nullptr, &poll);
    if (signal == SIGHUP)
      reopen_log();
    else if (signal == SIGTERM || signal == SIGINT)
      return;
  }
}

}   // namespace agentauri::app
