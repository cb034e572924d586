// The database: can it be had, with which rights and how well guarded, is it ours and current.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "app/doctor/checks.hpp"

namespace agentauri::app::doctor {
namespace {

constexpr std::size_t kMinPassword = 16;
constexpr std::array<std::string_view, 8> kKnownPasswords{"postgres", "password", "agentauri", "admin",
                                                          "changeme", "secret",   "root",      "test"};
constexpr std::int64_t kOldestVersion = 150'000;
constexpr auto kClockWarning = std::chrono::seconds(2), kClockCritical = std::chrono::seconds(30);

const Finding kEmbedded{Verdict::skipped, "the store is embedded", {}};

Finding judge_reachable(const Settings& settings, const Facts& facts) {
  if (facts.store_trouble)
    return {Verdict::critical, *facts.store_trouble,
            settings.postgres ? "is PostgreSQL running, and are DB_HOST, DB_PORT, DB_USER and DB_PASSWORD right?"
                              : "look at AGENTAURI_DATA_DIR"};
  if (!facts.store) return skipped("there is no store yet: `agentauri serve` makes it");
  return well(settings.postgres ? "the database answers" : "the store can be read");
}

Finding judge_password(const Settings& settings, const Facts&) {
  if (!settings.postgres) return kEmbedded;
  const std::string password = settings.postgres->password.reveal();
  std::string lower = password;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const char* remedy = "ALTER ROLE … PASSWORD with one from `openssl rand -base64 24`, and the same in DB_PASSWORD";
  const bool is_known = std::find(kKnownPasswords.begin(), kKnownPasswords.end(), lower) != kKnownPasswords.end();
  if (password.empty()) return {Verdict::critical, "DB_PASSWORD is empty", remedy};
  if (is_known || password == settings.postgres->user || password == settings.postgres->database)
    return {Verdict::critical, "DB_PASSWORD is one that everybody tries first", remedy};
  if (password.size() < kMinPassword)
    return {Verdict::critical,
            fmt::format("DB_PASSWORD has {} characters, fewer than {}", password.size(), kMinPassword), remedy};
  return well(fmt::format("DB_PASSWORD has {} characters", password.size()));
}

Finding judge_role(const Settings& settings, const Facts& facts) {
  if (!settings.postgres) return kEmbedded;
  if (!facts.store) return store_is_away(facts);
  const auto& server = facts.store->server;
  if (!server.is_superuser) return well(fmt::format("the role {} is no superuser", server.user));
  return {Verdict::warning,
          fmt::format("the role {} is a superuser: a fault of ours could do anything to the server", server.user),
          "give the service a role of its own that owns its database and nothing else, and set DB_USER"};
}

Finding judge_password_storage(const Settings& settings, const Facts& facts) {
  if (!settings.postgres) return kEmbedded;
  if (!facts.store) return store_is_away(facts);
  if (facts.store->server.password_encryption != "md5") return well("passwords are stored as SCRAM-SHA-256");
  return {Verdict::warning, "the server stores passwords as MD5",
          "password_encryption = 'scram-sha-256' in postgresql.conf, then set each password anew"};
}

Finding judge_tls(const Settings& settings, const Facts& facts) {
  if (!settings.postgres) return kEmbedded;
  if (is_loopback(settings.postgres->host)) return well("the database is on this machine");
  if (!facts.store) return store_is_away(facts);
  if (!facts.store->server.is_encrypted)
    return {Verdict::critical, "the connection to the database is not encrypted, and leaves this machine",
            "turn on TLS at the server (ssl = on), and unset DB_SSL_MODE: then verify-full is used"};
  if (settings.postgres->ssl_mode != "verify-full")
    return {Verdict::warning,
            fmt::format("with DB_SSL_MODE={} anybody may pose as the database", settings.postgres->ssl_mode),
            "unset DB_SSL_MODE, and name the authority of its certificate in DB_SSL_ROOT_CERT"};
  return well("the connection is encrypted, and the server's certificate is verified");
}

Finding judge_version(const Settings& settings, const Facts& facts) {
  if (!settings.postgres) return kEmbedded;
  if (!facts.store) return store_is_away(facts);
  const auto version = facts.store->server.version;
  const auto text = fmt::format("PostgreSQL {}.{}", version / 10'000, version % 10'000);
  if (version >= kOldestVersion) return well(text);
  return {Verdict::critical, text + " is older than 15", "move to PostgreSQL 15 or newer"};
}

Finding judge_durability(const Settings& settings, const Facts& facts) {
  if (!settings.postgres) return kEmbedded;
  if (!facts.store) return store_is_away(facts);
  if (facts.store->server.is_durable) return well("what is committed survives a power failure");
  return {Verdict::critical,
          fmt::format("{} is off: a crash loses alerts that were promised", facts.store->server.durability),
          "turn it on in postgresql.conf"};
}

Finding judge_migrations(const Settings&, const Facts& facts) {
  if (!facts.store) return store_is_away(facts);
  if (!facts.store->migrations_fault) return well("every migration is applied");
  return {Verdict::critical, *facts.store->migrations_fault, "run `agentauri migrate up` of this version"};
}

Finding judge_connections(const Settings& settings, const Facts& facts) {
  if (!settings.postgres) return kEmbedded;
  if (!facts.store) return store_is_away(facts);
  const auto& server = facts.store->server;
  const auto text = fmt::format("{} of {} connections are in use", server.connections, server.max_connections);
  if (server.connections * 5 < server.max_connections * 4) return well(text);
  return {Verdict::warning, text,
          "see who holds them (`agentauri db stats`), lower DB_MAX_CONNECTIONS or raise max_connections"};
}

Finding judge_clock(const Settings& settings, const Facts& facts) {
  if (!settings.postgres) return kEmbedded;
  if (!facts.store) return store_is_away(facts);
  const auto apart = std::chrono::abs(facts.store->server.now - facts.store->local_time);
  const auto text = fmt::format("the clocks of this machine and of the database differ by {:.1f} s",
                                static_cast<double>(apart.count()) / 1e6);
  if (apart < kClockWarning) return well(text);
  return {apart < kClockCritical ? Verdict::warning : Verdict::critical, text, "run an NTP client on both"};
}

constexpr Check kChecks[] = {
    {"database.reachable", 0, "the store answers", judge_reachable},
    {"database.password", 49, "the database's password is strong", judge_password},
    {"database.role", 0, "the database's role is no superuser", judge_role},
    {"database.password_storage", 0, "the server stores passwords as SCRAM", judge_password_storage},
    {"database.tls", 0, "the way to the database is encrypted", judge_tls},
    {"database.version", 0, "the server is new enough", judge_version},
    {"database.durability", 0, "a commit is on disk", judge_durability},
    {"database.migrations", 0, "the schema is this program's", judge_migrations},
    {"database.connections", 0, "connections are left", judge_connections},
    {"database.clock", 0, "the clocks agree", judge_clock},
};

}   // namespace

std::span<const Check> database_checks() {
  return kChecks;
}

}   // namespace agentauri::app::doctor
