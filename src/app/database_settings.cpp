#include "app/database_settings.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "net/address_guard.hpp"
#include "net/http_client.hpp"
#include "net/http_message.hpp"

namespace agentauri::app {
namespace {

constexpr std::array<std::string_view, 6> kSslModes{"disable", "allow",     "prefer",
                                                    "require", "verify-ca", "verify-full"};   // libpq's words

// postgresql://user:password@host:port/database?sslmode=…: percent-decoded, so that any password can be written.
bool read_database_url(Environment& env, const std::string& url, PostgresLogin& login) {
  const auto bad = [&env](std::string_view what) {
    env.fault("DATABASE_URL", fmt::format("must be postgresql://user:password@host:port/database; {}", what));
    return false;
  };
  std::string_view rest = url;
  if (rest.starts_with("postgresql://"))
    rest.remove_prefix(13);
  else if (rest.starts_with("postgres://"))
    rest.remove_prefix(11);
  else
    return bad("it starts with something else");
  std::string_view query;
  if (const auto mark = rest.find('?'); mark != std::string_view::npos) {
    query = rest.substr(mark + 1);
    rest = rest.substr(0, mark);
  }
  const auto slash = rest.find('/');
  std::string_view authority = rest.substr(0, slash);
  const auto decode = [](std::string_view text, std::string& out) { return net::percent_decode(text, out); };
  if (slash != std::string_view::npos && slash + 1 < rest.size() && !decode(rest.substr(slash + 1), login.database))
    return bad("an escape in the database is malformed");
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
    const std::string_view user = authority.substr(0, at);
    authority = authority.substr(at + 1);
    const auto colon = user.find(':');
    std::string password;
    if (!decode(user.substr(0, colon), login.user)) return bad("an escape in the user is malformed");
    if (colon != std::string_view::npos && !decode(user.substr(colon + 1), password))
      return bad("an escape in the password is malformed");
    login.password = crypto::Secret(std::move(password));
  }
  if (const auto colon = authority.rfind(':'); colon != std::string_view::npos && !authority.ends_with(']')) {
    const auto port = parse_port(authority.substr(colon + 1));
    if (!port || *port == 0) return bad("the port is not a number from 1 to 65535");
    login.port = *port;
    authority = authority.substr(0, colon);
  }
  if (authority.starts_with('[') && authority.ends_with(']')) authority = authority.substr(1, authority.size() - 2);
  if (!authority.empty() && !decode(authority, login.host)) return bad("an escape in the host is malformed");
  std::vector<std::pair<std::string, std::string>> options;
  if (!net::parse_query(query, options)) return bad("an escape in the query is malformed");
  for (const auto& [key, value] : options) {
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

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

bool is_service_link(std::string_view value) {
  return value.starts_with("tcp://");
}

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
