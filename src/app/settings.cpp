#include "app/settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>
#include <thread>

#include "app/chain_settings.hpp"
#include "app/connection_url.hpp"
#include "app/database_settings.hpp"
#include "app/discovery_settings.hpp"
#include "app/redis_settings.hpp"
#include "delivery/retry_policy.hpp"
#include "net/address_guard.hpp"
#include "net/url.hpp"

namespace agentauri::app {
namespace {

constexpr std::size_t kMinSecretChars = 32;
constexpr std::size_t kMinDistinctChars = 10;
// Above this length a random value may contain a short word by chance (operations.md 2.4), so only whole words count.
constexpr std::size_t kLongSecretChars = 40;
constexpr std::string_view kWeakWords[] = {"dev_secret",  "change_me",   "changeme",   "example",
                                           "secret",      "password",    "test",       "default",
                                           "your_secret", "your-secret", "jwt_secret", "jwt-secret"};

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool contains_word(std::string_view text, std::string_view word) {
  const auto is_letter = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const bool left = at == 0 || !is_letter(text[at - 1]);
    const bool right = at + word.size() == text.size() || !is_letter(text[at + word.size()]);
    if (left && right) return true;
  }
  return false;
}

Roles read_roles(Environment& env) {
  const auto text = env.text("ROLES");
  if (!text) return {};
  Roles roles{false, false, false, false};
  bool understood = true;
  for (const auto& word : split_list(*text)) {
    if (word == "gateway")
      roles.gateway = true;
    else if (word == "indexer")
      roles.indexer = true;
    else if (word == "engine")
      roles.engine = true;
    else if (word == "worker")
      roles.worker = true;
    else if (word == "all")
      roles = {};
    else {
      understood = false;
      env.fault("ROLES", fmt::format("must list gateway, indexer, engine, worker or all; \"{}\" is none of them",
                                     word.substr(0, 40)));
    }
  }
  if (understood && to_string(roles).empty())
    env.fault("ROLES", "must list at least one of gateway, indexer, engine, worker, or all");
  return roles;
}

void read_address(Environment& env, std::string_view name, std::string_view fallback, std::string& host,
                  std::uint16_t& port) {
  const std::string text = env.text(name).value_or(std::string(fallback));
  const auto colon = text.rfind(':');
  const auto number = colon == std::string::npos ? std::nullopt : parse_port(std::string_view(text).substr(colon + 1));
  std::string address = text.substr(0, colon);
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  if (!number || !net::parse_ip(address)) {
    env.fault(name, fmt::format("must be address:port, such as 127.0.0.1:9464, not \"{}\"", text.substr(0, 60)));
    return;
  }
  host = address;
  port = *number;
}

std::vector<std::string> read_origins(Environment& env, bool production) {
  const auto text = env.text_any({"ALLOWED_ORIGINS", "CORS_ALLOWED_ORIGINS"});
  if (!text) {
    if (production) return {};
    return {"http://localhost:3000", "http://localhost:8080", "http://localhost:8004"};
  }
  std::vector<std::string> origins;
  for (const auto& origin : split_list(*text)) {
    if (origin.starts_with("https://") || (!production && origin.starts_with("http://")))
      origins.push_back(origin);
    else
      env.warning("ALLOWED_ORIGINS", fmt::format("\"{}\" is left out: an origin starts with https://{}",
                                                 origin.substr(0, 80), production ? "" : " or http://"));
  }
  if (origins.empty() && production)
    env.warning("ALLOWED_ORIGINS", "holds no usable origin: browsers of other origins are refused");
  return origins;
}

Level read_level(Environment& env) {
  const std::string text = lower(env.text_any({"LOG_LEVEL", "RUST_LOG"}).value_or("info"));
  // Of a filter such as `info,sqlx=warn` the first plain word counts.
  for (const auto& word : split_list(text)) {
    if (word == "trace") return Level::trace;
    if (word == "debug") return Level::debug;
    if (word == "info") return Level::info;
    if (word == "warn" || word == "warning") return Level::warn;
    if (word == "error") return Level::error;
    if (word.find('=') == std::string::npos)
      env.fault("LOG_LEVEL", fmt::format("must be trace, debug, info, warn or error, not \"{}\"", word.substr(0, 40)));
  }
  return Level::info;
}

// A guessable secret forges tokens and opens stored secrets, also as the previous one.
crypto::Secret<std::string> read_strong_secret(Environment& env, std::string_view name) {
  const auto secret = env.text(name);
  if (!secret) return {};
  if (const auto weakness = weakness_of_secret(*secret))
    env.fault(name, fmt::format("{}; make one with `openssl rand -base64 32`", *weakness));
  return crypto::Secret(*secret);
}

void read_secrets(Environment& env, bool required, Settings& out) {
  out.jwt_secret = read_strong_secret(env, "JWT_SECRET");
  if (out.jwt_secret.empty() && required)
    env.fault("JWT_SECRET", "must be set; make one with `openssl rand -base64 32`");
  out.jwt_secret_previous = read_strong_secret(env, "JWT_SECRET_PREVIOUS");
  if (const auto keys = env.text("DATA_ENCRYPTION_KEYS")) {
    const auto parsed = crypto::DataKeys::parse(*keys);
    if (!parsed) env.fault("DATA_ENCRYPTION_KEYS", parsed.error().text);
    out.data_encryption_keys = crypto::Secret(*keys);
  }
  out.monitoring_token = crypto::Secret(env.text("MONITORING_TOKEN").value_or(""));
}

std::vector<std::string> read_trusted_proxies(Environment& env) {
  const auto list = split_list(
      env.text("TRUSTED_PROXIES").value_or("127.0.0.1,::1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7"));
  for (const auto& entry : list) {
    if (!net::parse_cidr(entry))
      env.fault("TRUSTED_PROXIES", fmt::format("\"{}\" is not an address or a CIDR range", entry.substr(0, 60)));
  }
  return list;
}

// What wallets sign is compared byte by byte, so what cannot stand in such a text is a fault here.
void read_siwe(Environment& env, Settings& out) {
  if (const auto domains = env.text("SIWE_DOMAINS")) out.siwe_domains = split_list(*domains);
  const bool are_authorities =
      std::all_of(out.siwe_domains.begin(), out.siwe_domains.end(), [](const std::string& domain) {
        return std::all_of(domain.begin(), domain.end(), [](char c) {
          return std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("-._~:[]").contains(c);
        });
      });
  if (out.siwe_domains.empty() || !are_authorities)
    env.fault("SIWE_DOMAINS", "must list hosts with or without a port, such as app.example.org,localhost:3000");
  out.siwe_uri = env.text("SIWE_URI").value_or(out.siwe_uri);
  if (!net::parse_url(out.siwe_uri)) env.fault("SIWE_URI", "must be a URL, such as https://app.example.org");
  out.siwe_strict_checksum = env.boolean("SIWE_STRICT_CHECKSUM", true);
  const auto ids = env.text("SIWE_CHAIN_IDS");
  if (!ids) {
    out.siwe_chain_ids = {1, 8453, 11155111, 84532, 59141};
    for (const auto& chain : out.chains) out.siwe_chain_ids.push_back(chain.id);
    return;
  }
  for (const auto& item : split_list(*ids)) {
    domain::ChainId id = 0;
    const auto [end, error] = std::from_chars(item.data(), item.data() + item.size(), id);
    if (error != std::errc{} || end != item.data() + item.size() || id < 1)
      env.fault("SIWE_CHAIN_IDS", "must list chain ids, such as 1,8453");
    out.siwe_chain_ids.push_back(id);
  }
}

}   // namespace

std::string to_string(const Roles& roles) {
  std::string out;
  const auto add = [&out](bool on, std::string_view name) {
    if (!on) return;
    if (!out.empty()) out += ',';
    out += name;
  };
  add(roles.gateway, "gateway");
  add(roles.indexer, "indexer");
  add(roles.engine, "engine");
  add(roles.worker, "worker");
  return out;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    if (!item.empty()) out.emplace_back(item);
  }
  return out;
}

std::optional<std::string> weakness_of_secret(std::string_view secret) {
  if (secret.size() < kMinSecretChars) {
    return fmt::format("must have at least {} characters, not {}", kMinSecretChars, secret.size());
  }
  const std::set<char> distinct(secret.begin(), secret.end());
  if (distinct.size() < kMinDistinctChars) {
    return fmt::format("must have at least {} different characters, not {}", kMinDistinctChars, distinct.size());
  }
  const std::string text = lower(secret);
  for (const auto word : kWeakWords) {
    const bool weak =
        secret.size() >= kLongSecretChars ? contains_word(text, word) : text.find(word) != std::string::npos;
    if (weak) return fmt::format("must be random, and holds the word \"{}\"", word);
  }
  return std::nullopt;
}

Settings read_settings(Environment& env, bool as_gateway_program) {
  Settings out;
  out.as_gateway_program = as_gateway_program;
  out.roles = read_roles(env);
  out.data_dir = env.text("AGENTAURI_DATA_DIR").value_or("./data");
  out.postgres = read_postgres(env, as_gateway_program);
  out.backup_dir =
      env.text("BACKUP_DIR").value_or(out.postgres ? "/var/backups/postgresql" : out.data_dir + "/backups");
  const bool embedded = !out.postgres.has_value();
  out.redis = read_redis(env);

  out.production =
      env.one_of("ENVIRONMENT", embedded ? "development" : "production", {"development", "production"}) == "production";
  read_secrets(env, !embedded, out);
  out.server_host = env.text("SERVER_HOST").value_or(embedded ? "127.0.0.1" : "0.0.0.0");
  if (!net::parse_ip(out.server_host))
    env.fault("SERVER_HOST",
              fmt::format("must be an IP address, such as 127.0.0.1, not \"{}\"", out.server_host.substr(0, 60)));
  out.server_port = static_cast<std::uint16_t>(env.integer("SERVER_PORT", 8080, 0, 65535));
  read_address(env, "METRICS_ADDR", "127.0.0.1:9464", out.metrics_host, out.metrics_port);
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  out.threads = static_cast<unsigned>(env.integer("THREADS", cores, 1, 256));
  out.migrate_at_start = env.boolean("MIGRATE_AT_START", false);
  out.password_policy = env.one_of("PASSWORD_POLICY", "default", {"default", "strict"});
  out.registration = env.one_of("REGISTRATION", "open", {"open", "invited", "closed"});
  out.base_url = env.text("BASE_URL").value_or(out.base_url);
  if (!net::parse_url(out.base_url) || out.base_url.find_first_of("?# \t\r\n") != std::string::npos)
    env.fault("BASE_URL", "must be an http or https URL without a query, such as https://api.example.org");
  out.discovery = read_discovery(env);
  out.frontend_url = env.text("FRONTEND_URL").value_or(out.production ? "" : "http://localhost:3000");
  if (!out.frontend_url.empty() && !net::parse_url(out.frontend_url))
    env.fault("FRONTEND_URL", "must be a URL, such as https://app.example.org");
  out.allowed_origins = read_origins(env, out.production);
  out.trusted_proxies = read_trusted_proxies(env);
  out.rate_limit_mode = env.one_of("RATE_LIMIT_MODE", "enforcing", {"enforcing", "shadow"});
  if (out.rate_limit_mode == "shadow" && out.production) env.warning("RATE_LIMIT_MODE", "shadow refuses nobody");
  out.register_per_minute = static_cast<int>(env.integer("RATE_LIMIT_REGISTER_PER_MINUTE", 3, 1, 1'000'000));
#ifdef NDEBUG
  out.hsts = env.boolean("ENABLE_HSTS", true);
#else
  out.hsts = env.boolean("ENABLE_HSTS", false);
#endif
  out.hsts_max_age = env.integer("HSTS_MAX_AGE", 31'536'000, 0, 1'000'000'000);
  out.chains = read_chains(env);
  read_siwe(env, out);
  out.egress_allow = split_list(env.text("EGRESS_ALLOW").value_or(""));
  out.egress_https_only = env.boolean("EGRESS_HTTPS_ONLY", out.production);
  if (const auto guard = net::AddressGuard::make(out.egress_allow, out.egress_https_only); !guard)
    env.fault("EGRESS_ALLOW", guard.error().text);
  out.webhook_ladder = env.text("WEBHOOK_RETRY_SECONDS").value_or("");
  if (!out.webhook_ladder.empty() && !delivery::parse_ladder(out.webhook_ladder))
    env.fault("WEBHOOK_RETRY_SECONDS",
              "must be 1 to 20 waits in seconds between commas, the first of them 0, such as 0,5,300");
  out.log.level = read_level(env);
  out.log.json = env.one_of("LOG_FORMAT", "json", {"json", "text"}) == "json";
  out.log.directory = env.text("LOG_DIR").value_or("");
  out.log.service = as_gateway_program ? "api-gateway" : "agentauri";
  out.grace = std::chrono::milliseconds(env.integer("SHUTDOWN_GRACE_MS", 5000, 100, 600'000));
  out.attempt_retention_days = static_cast<int>(env.integer("ATTEMPT_RETENTION_DAYS", 30, 1, 3650));
  out.certificate_files = split_list(env.text("TLS_CERTIFICATE_FILES").value_or(""));
  out.event_retention_days = static_cast<int>(env.integer("EVENT_RETENTION_DAYS", 0, 0, 36'500));
  out.console_dir = env.text("CONSOLE_DIR").value_or("");
  if (!out.console_dir.empty() && !std::filesystem::exists(out.console_dir + "/index.html"))
    env.fault("CONSOLE_DIR", fmt::format("must be a folder with the built console; \"{}\" has no index.html",
                                         out.console_dir.substr(0, 200)));
  env.report_unknown({"CHAIN_", "DB_", "REDIS_"});
  return out;
}

}   // namespace agentauri::app
