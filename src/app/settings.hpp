// Every setting of the program, read once. settings_table.cpp lists them for people; operations.md 2 is the
// contract.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/config/environment.hpp"
#include "core/crypto/crypto.hpp"
#include "core/telemetry/log.hpp"
#include "domain/ids.hpp"
#include "gateway/settings.hpp"
#include "net/redis_settings.hpp"

namespace agentauri::app {

struct Roles {
  bool gateway = true, indexer = true, engine = true, worker = true;
};
std::string to_string(const Roles& roles);

struct PostgresLogin {
  std::string host = "localhost";
  std::uint16_t port = 5432;
  std::string database = "agentauri_backend";
  std::string user = "postgres";
  crypto::Secret<std::string> password;
  std::string ssl_mode;   // libpq's words
  std::string ssl_root_cert;
  unsigned max_connections = 50, min_connections = 5;
  std::chrono::seconds acquire_timeout{5}, idle_timeout{180}, max_lifetime{900};
};

struct ChainSetting {
  domain::ChainId id = 0;
  std::vector<crypto::Secret<std::string>> rpc_urls;   // in order; may hold keys
  std::optional<std::uint64_t> start_block;
  std::optional<std::uint32_t> confirmations;
  std::optional<std::chrono::milliseconds> poll_interval;    // unset: half the block time
  std::optional<Address> identity, reputation, validation;   // the zero address: not deployed, skip
};

struct Settings {
  bool as_gateway_program = false;   // started under the name api-gateway
  Roles roles;
  std::string data_dir = "./data";
  std::string backup_dir = "./data/backups";   // with PostgreSQL /var/backups/postgresql
  std::string server_host = "127.0.0.1";
  std::uint16_t server_port = 8080;
  std::string metrics_host = "127.0.0.1";
  std::uint16_t metrics_port = 9464;
  unsigned threads = 1;   // I/O threads of the gateway
  bool production = false;
  bool migrate_at_start = false;

  std::optional<PostgresLogin> postgres;     // nullopt: SQLite in data_dir
  std::optional<net::RedisSettings> redis;   // nullopt: limits are counted by the process

  crypto::Secret<std::string> jwt_secret;   // empty: embedded, made on first start
  crypto::Secret<std::string> jwt_secret_previous;
  crypto::Secret<std::string> data_encryption_keys;   // empty: derived from jwt_secret
  std::string password_policy = "default";
  std::string registration = "open";   // or invited, closed
  std::string base_url = "https://api.agentauri.ai";
  std::string frontend_url;
  std::vector<std::string> allowed_origins;
  std::vector<std::string> trusted_proxies;
  std::string rate_limit_mode = "enforcing";
  int register_per_minute = 3;
  crypto::Secret<std::string> monitoring_token;
  bool hsts = true;
  std::int64_t hsts_max_age = 31'536'000;

  gateway::DiscoverySettings discovery;

  std::vector<ChainSetting> chains;
  std::vector<std::string> siwe_domains{"agentauri.ai"};   // never empty
  std::string siwe_uri = "https://agentauri.ai";
  std::vector<domain::ChainId> siwe_chain_ids;
  bool siwe_strict_checksum = true;
  std::vector<std::string> egress_allow;
  bool egress_https_only = false;
  std::string webhook_ladder;   // WEBHOOK_RETRY_SECONDS as given; empty: the default ladder

  LogSettings log;
  std::chrono::milliseconds grace{5000};
  int attempt_retention_days = 30;
  int event_retention_days = 0;                 // 0: events are kept for ever
  std::vector<std::string> certificate_files;   // whose end metrics tell
  std::string console_dir;                      // empty: the console that was compiled in
};

// Reads everything; faults and warnings stay in `env`, so that all of them can be shown at once.
Settings read_settings(Environment& env, bool as_gateway_program);

// Why a JWT_SECRET is refused (length, variety, forbidden words); nullopt when it is good.
std::optional<std::string> weakness_of_secret(std::string_view secret);

}   // namespace agentauri::app
