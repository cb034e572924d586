#include "app/database_settings.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "app/connection_url.hpp"
#include "net/address_guard.hpp"
#include "net/http_client.hpp"

namespace agentauri::app {
namespace {

constexpr std::array<std::string_view, 6> kSslModes{"disable", "allow",     "prefer",
                                                    "require", "verify-ca", "verify-full"};   // libpq's words

bool read_database_url(Environment& env, const std::string& text, PostgresLogin& login) {
  const auto bad = [&env](std::string_view what) {
    env.fault("DATABASE_URL", fmt::format("must be postgresql://user:password@host:port/database; {}", what));
    return false;
  };
  auto url = parse_connection_url(text);
  if (!url) return bad(url.error());
  if (url->scheme != "postgresql" && url->scheme != "postgres") return bad("it starts with something else");
  if (!url->path.empty()) login.database = url->path;
  if (!url->user.empty()) login.user = url->user;
  if (url->password) login.password = *url->password;
  if (url->port) login.port = *url->port;
  if (!url->host.empty()) login.host = url->host;
  for (const auto& [key, value] : url->options) {
    if (key == "sslmode" && std::find(kSslModes.begin(), kSslModes.end(), value) == kSslModes.end())
      return bad(fmt::format("sslmode is one of {}", fmt::join(kSslModes, ", ")));
    if (key == "sslmode")
      login.ssl_mode = value;
    else if (key == "sslrootcert")
      login.ssl_root_cert = value;
    else if (key == "host")
      login.host = value;
    else
      env.warning("DATABASE_URL", fmt::format("the option {} is not used", key));
  }
  return true;
}

bool is_local_host(std::string_view host) {
  if (host.starts_with('/') || host == "localhost") return true;
  const auto ip = net::parse_ip(host);
  if (!ip) return false;
  return ip->v6 ? net::to_string(*ip) == "::1" : ip->bytes[0] == 127;
}

}   // namespace

std::optional<PostgresLogin> read_postgres(Environment& env, bool required) {
  // Every name is read, set or not, so that the rest of the DB_ family can be told from typos.
  const auto url = env.text("DATABASE_URL");
  const auto host = env.text("DB_HOST");
  const auto name = env.text("DB_NAME");
  const auto user = env.text("DB_USER");
  const auto password = env.text("DB_PASSWORD");
  const auto port_text = env.text("DB_PORT");
  const bool port_is_link = port_text && is_service_link(*port_text);
  PostgresLogin login;
  if (port_is_link)
    env.warning("DB_PORT", "is what Kubernetes sets for a service named db, not a port: it is not used");
  else
    login.port = static_cast<std::uint16_t>(env.integer("DB_PORT", 5432, 1, 65535));
  login.max_connections = static_cast<unsigned>(env.integer("DB_MAX_CONNECTIONS", 50, 1, 10'000));
  login.min_connections = static_cast<unsigned>(env.integer("DB_MIN_CONNECTIONS", 5, 0, 10'000));
  login.acquire_timeout = std::chrono::seconds(env.integer("DB_ACQUIRE_TIMEOUT", 5, 1, 3600));
  login.idle_timeout = std::chrono::seconds(env.integer("DB_IDLE_TIMEOUT", 180, 1, 86'400));
  login.max_lifetime = std::chrono::seconds(env.integer("DB_MAX_LIFETIME", 900, 1, 86'400));
  const std::string mode = env.one_of("DB_SSL_MODE", "", {kSslModes.begin(), kSslModes.end()});
  login.ssl_root_cert = env.text("DB_SSL_ROOT_CERT").value_or("");
  for (const char* later : {"DB_READ_HOST", "DB_READ_PORT", "DB_READ_MAX_CONNECTIONS", "DB_READ_MIN_CONNECTIONS"}) {
    if (env.text(later)) env.warning(later, "read replicas are not used by this version");
  }
  if (!required && !url && !host && !name && !user && !password && (!port_text || port_is_link)) return std::nullopt;

  if (url) {
    if (!read_database_url(env, *url, login)) return login;
  } else {
    login.host = host.value_or(login.host);
    login.database = name.value_or(login.database);
    login.user = user.value_or(login.user);
    if (password)
      login.password = crypto::Secret(*password);
    else
      env.fault("DB_PASSWORD", "must be set when a database is configured; make one with `openssl rand -base64 24`");
  }
  if (!mode.empty()) login.ssl_mode = mode;
  if (login.ssl_mode.empty()) login.ssl_mode = is_local_host(login.host) ? "prefer" : "verify-full";
  if (login.ssl_mode == "verify-full" && login.ssl_root_cert.empty())
    login.ssl_root_cert = "/etc/ssl/certs/ca-certificates.crt";
  return login;
}

}   // namespace agentauri::app
