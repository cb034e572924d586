// The store and Redis.
#include <filesystem>

#include "app/data_key_check.hpp"
#include "app/doctor/gather.hpp"
#include "app/embedded_secrets.hpp"
#include "app/open_store.hpp"
#include "net/redis_client.hpp"
#include "store/sqlite/sqlite_database.hpp"

namespace agentauri::app::doctor {
namespace {

constexpr auto kPatience = std::chrono::seconds(5);

Result<std::vector<store::MigrationStatus>> migrations_of(const Settings& settings,
                                                          const store::PostgresSettings& postgres) {
  return settings.postgres ? store::postgres_migration_status(postgres)
                           : store::sqlite_migration_status(settings.data_dir);
}

std::optional<std::string> fault_of_keys(const Settings& settings, const std::vector<store::KeyCanary>& canaries) {
  if (settings.jwt_secret.empty() || canaries.empty()) return std::nullopt;
  auto keys = crypto::DataKeys::derive(settings.jwt_secret.reveal(), settings.jwt_secret_previous.reveal());
  if (!settings.data_encryption_keys.empty()) {
    auto configured = crypto::DataKeys::parse(settings.data_encryption_keys.reveal());
    if (!configured) return configured.error().text;
    keys = configured->with_older(keys);
  }
  // The one in use; older ones matter while something needs them, which takes reading everything.
  return fault_of_canary(canaries.front(), keys);
}

// As far as the schema answers: an older one lacks what comes later.
Result<void> ask(store::Tx& tx, const Settings& settings, StoreFacts& out) {
  auto server = store::read_server_facts(tx);
  if (!server) return fail(server);
  out.server = std::move(*server);
  auto events = store::read_event_storage(tx);
  if (!events) return fail(events);
  auto pipeline = store::read_pipeline_facts(tx);
  if (!pipeline) return fail(pipeline);
  auto canaries = store::peek_key_canaries(tx);
  if (!canaries) return fail(canaries);
  out.events = std::move(*events);
  out.pipeline = std::move(*pipeline);
  out.data_keys_fault = fault_of_keys(settings, *canaries);
  return {};
}

}   // namespace

void gather_store(const Settings& settings, const Clock& clock, Facts& facts) {
  if (!settings.postgres && !std::filesystem::exists(store_path(settings.data_dir))) return;
  Metrics metrics;
  store::PostgresSettings postgres;
  if (settings.postgres) {
    postgres = postgres_settings(*settings.postgres, nullptr);
    postgres.threads = 1;
    postgres.first_waits.clear();
    postgres.connect_timeout = postgres.acquire_timeout = postgres.statement_timeout = kPatience;
  }
  auto db = settings.postgres ? store::make_postgres_database(postgres) : open_store_to_read(settings, metrics);
  if (!db) {
    facts.store_trouble = db.error().text;
    return;
  }
  auto statuses = migrations_of(settings, postgres);
  if (!statuses) {
    facts.store_trouble = statuses.error().text;
    return;
  }
  StoreFacts out;
  out.is_embedded = !settings.postgres;
  if (auto current = store::verify_migrations(*statuses); !current) out.migrations_fault = current.error().text;
  out.local_time = clock.now();
  auto asked = (*db)->snapshot_blocking<bool>([&](store::Tx& tx) -> Result<bool> {
    if (auto done = ask(tx, settings, out); !done) return fail(done);
    return true;
  });
  // A schema that is older answers less, and that is the finding.
  if (!asked && !out.migrations_fault)
    facts.store_trouble = asked.error().text;
  else
    facts.store = std::move(out);
}

std::optional<RedisFacts> gather_redis(const Settings& settings) {
  if (!settings.redis) return std::nullopt;
  RedisFacts out;
  Metrics metrics;
  IoThread thread("doctor-redis");
  const auto check = [&](net::RedisSettings as) {
    Result<std::string> version = std::string();
    net::RedisClient client(thread.executor(), std::move(as), metrics);
    run_blocking([&]() -> Task<void> {
      co_await run_on(thread.executor(), [&]() -> Task<void> { version = co_await client.check(); });
    });
    return version;
  };
  const auto ours = check(*settings.redis);
  out.is_reachable = ours.has_value();
  out.refuses_us = !ours && ours.error().code == Code::unauthorized;
  if (ours)
    out.version = *ours;
  else
    out.trouble = ours.error().text;
  if (out.is_reachable || out.refuses_us) {
    auto stranger = *settings.redis;
    stranger.username.clear();
    stranger.password = {};
    out.takes_nobody = !check(stranger).has_value();
  }
  thread.stop();
  return out;
}

}   // namespace agentauri::app::doctor
