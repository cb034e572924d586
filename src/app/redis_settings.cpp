#include "app/redis_settings.hpp"

#include <fmt/format.h>

#include <charconv>

#include "app/connection_url.hpp"

namespace agentauri::app {
namespace {

constexpr int kMaxDatabase = 15;   // of a Redis as it comes

bool read_redis_url(Environment& env, const std::string& text, net::RedisSettings& out) {
  const auto bad = [&env](std::string_view what) {
    env.fault("REDIS_URL",
              fmt::format("must be redis://user:password@host:port/database, or rediss:// for TLS; {}", what));
    return false;
  };
  auto url = parse_connection_url(text);
  if (!url) return bad(url.error());
  if (url->scheme != "redis" && url->scheme != "rediss") return bad("it starts with something else");
  out.tls = url->scheme == "rediss";
  out.username = url->user;
  if (url->password) out.password = *url->password;
  if (!url->host.empty()) out.host = url->host;
  if (url->port) out.port = *url->port;
  if (!url->path.empty()) {
    const auto* end = url->path.data() + url->path.size();
    const auto [rest, error] = std::from_chars(url->path.data(), end, out.database);
    if (error != std::errc{} || rest != end || out.database < 0 || out.database > kMaxDatabase)
      return bad(fmt::format("the database is a number from 0 to {}", kMaxDatabase));
  }
  for (const auto& [key, value] : url->options) env.warning("REDIS_URL", fmt::format("the option {} is not used", key));
  return true;
}

}   // namespace

std::optional<net::RedisSettings> read_redis(Environment& env) {
  // Every name is read, set or not, so that the rest of the REDIS_ family can be told from typos.
  const auto url = env.text("REDIS_URL"), host = env.text("REDIS_HOST"), username = env.text("REDIS_USERNAME"),
             password = env.text("REDIS_PASSWORD"), port = env.text("REDIS_PORT"), ca = env.text("REDIS_CA_FILE");
  const bool port_is_link = port && is_service_link(*port);
  net::RedisSettings out;
  if (port_is_link)
    env.warning("REDIS_PORT", "is what Kubernetes sets for a service named redis, not a port: it is not used");
  else
    out.port = static_cast<std::uint16_t>(env.integer("REDIS_PORT", 6379, 1, 65535));
  if (!url && !host && !username && !password && (!port || port_is_link)) return std::nullopt;
  if (url) {
    if (!read_redis_url(env, *url, out)) return out;
  } else {
    out.host = host.value_or(out.host);
  }
  // A URL without a login takes it from the variables beside it, so that a secret may come from a file.
  if (out.username.empty()) out.username = username.value_or("");
  if (password && out.password.empty()) out.password = crypto::Secret(*password);
  out.ca_file = ca.value_or("");
  return out;
}

}   // namespace agentauri::app
