#include "app/settings_table.hpp"

#include <fmt/format.h>

#include <array>

#include "chain/chain_table.hpp"

namespace agentauri::app {
namespace {

constexpr bool kSecret = true;

// name, default, accepts, meaning[, other names, flag, secret]

constexpr SettingRow kProcess[] = {
    {"ROLES", "`gateway,indexer,engine,worker`", "of `gateway`, `indexer`, `engine`, `worker`, `all`; commas between",
     "what this process does", "", "--roles"},
    {"AGENTAURI_DATA_DIR", "`./data`", "a folder",
     "the embedded store and its secret; one process at a time. Not used with PostgreSQL", "", "--data-dir"},
    {"BACKUP_DIR", "`/var/backups/postgresql`; embedded `<data dir>/backups`", "a folder",
     "backups and their `status.json`: [backup.md](backup.md)"},
    {"SERVER_HOST", "`0.0.0.0`; embedded `127.0.0.1`", "an IP address", "where the API listens", "", "--host"},
    {"SERVER_PORT", "`8080`", "0 to 65535", "where the API listens; 0: any free port", "", "--port"},
    {"METRICS_ADDR", "`127.0.0.1:9464`", "address:port",
     "where `/metrics` and `/health` of this process listen, for operators alone: [metrics.md](metrics.md)"},
    {"THREADS", "the number of cores", "1 to 256", "I/O threads of the gateway", "", "--threads"},
    {"ENVIRONMENT", "`production`; embedded `development`", "`development`, `production`",
     "production: Secure cookies, https origins only, https receivers only"},
    {"SHUTDOWN_GRACE_MS", "`5000`", "100 to 600000", "milliseconds to finish what is in hand when told to stop"},
    {"CONSOLE_DIR", "the console that was compiled in", "a folder with `index.html`",
     "serves the console from this folder, read anew for each request: for work on it", "", "--console-dir"},
};

constexpr SettingRow kDatabase[] = {
    {"DATABASE_URL", "–", "`postgresql://user:password@host:port/database?sslmode=…`",
     "wins over the parts below; `sslmode`, `sslrootcert` and `host` are the options that are used", "", "", kSecret},
    {"DB_HOST", "`localhost`", "a host, an address, or the folder of a socket", "where PostgreSQL is"},
    {"DB_PORT", "`5432`", "1 to 65535", "where PostgreSQL is"},
    {"DB_NAME", "`agentauri_backend`", "any text", "the database: one of its own"},
    {"DB_USER", "`postgres`", "any text", "who logs in"},
    {"DB_PASSWORD", "required with PostgreSQL", "any text", "never spliced into a URL: every character is good", "", "",
     kSecret},
    {"DB_SSL_MODE", "`prefer` on this machine, else `verify-full`",
     "`disable`, `allow`, `prefer`, `require`, `verify-ca`, `verify-full`", "libpq's words"},
    {"DB_SSL_ROOT_CERT", "with `verify-full` the system's roots", "a file", "whom `verify-ca` and `verify-full` trust"},
    {"DB_MAX_CONNECTIONS", "`50`", "1 to 10000", "cap on the store threads (cores + 2), one connection each"},
    {"DB_MIN_CONNECTIONS", "`5`", "0 to 10000", "so many of them are opened at start"},
    {"DB_ACQUIRE_TIMEOUT", "`5`", "1 to 3600, seconds", "how long a request waits for a connection"},
    {"DB_IDLE_TIMEOUT", "`180`", "1 to 86400, seconds", "an unused connection is closed after it"},
    {"DB_MAX_LIFETIME", "`900`", "1 to 86400, seconds", "a connection is replaced after it"},
    {"DB_READ_HOST", "–", "any text",
     "accepted for older configurations; read replicas are not used, as a warning says",
     "DB_READ_PORT DB_READ_MAX_CONNECTIONS DB_READ_MIN_CONNECTIONS"},
    {"MIGRATE_AT_START", "`false`", "true or false", "bring PostgreSQL's schema up before starting", "", "--migrate"},
};

constexpr SettingRow kRedis[] = {
    {"REDIS_URL", "–", "`redis://user:password@host:port/database`, or `rediss://` for TLS",
     "wins over host and port below; the database is a number from 0 to 15", "", "", kSecret},
    {"REDIS_HOST", "`localhost`", "a host or an address", "where Redis is"},
    {"REDIS_PORT", "`6379`", "1 to 65535", "where Redis is"},
    {"REDIS_USERNAME", "–", "any text",
     "who logs in, where Redis has users (ACL); also with a `REDIS_URL` that names nobody"},
    {"REDIS_PASSWORD", "–", "any text",
     "its password, also with a `REDIS_URL` that has none; a wrong one ends the start (exit 78)", "", "", kSecret},
    {"REDIS_CA_FILE", "the system's roots", "a file", "whom TLS to Redis trusts"},
};

constexpr SettingRow kSecrets[] = {
    {"JWT_SECRET", "required with PostgreSQL; embedded: made on first start",
     "at least 32 characters, 10 of them different, no word such as `secret`",
     "signs access tokens, and is what data keys are derived from: `openssl rand -base64 32`", "", "", kSecret},
    {"JWT_SECRET_PREVIOUS", "–", "as `JWT_SECRET`", "still verifies and decrypts during a rotation", "", "", kSecret},
    {"DATA_ENCRYPTION_KEYS", "derived from `JWT_SECRET`", "`kid:base64(32 bytes)[,…]`",
     "the first encrypts: see \"Data keys\"", "", "", kSecret},
};

constexpr SettingRow kAccounts[] = {
    {"PASSWORD_POLICY", "`default`", "`default`, `strict`", "strict: 12 characters, and four classes of them"},
    {"REGISTRATION", "`open`", "`open`, `invited`, `closed`",
     "who may register: everybody, whoever holds an invitation, nobody; see \"Users\""},
    {"SIWE_DOMAINS", "`agentauri.ai`", "hosts, with or without a port; commas between",
     "what wallets sign to sign in here (EIP-4361): the first is issued and each accepted; the host of your web page"},
    {"SIWE_URI", "`https://agentauri.ai`", "a URL", "stands in the signed text"},
    {"SIWE_CHAIN_IDS", "1, 8453, 11155111, 84532, 59141 and the chains configured here", "chain ids, commas between",
     "chains to sign in on; contract wallets need the chain's RPC URL too"},
    {"SIWE_STRICT_CHECKSUM", "`true`", "true or false", "false: an address in small letters is accepted in the text"},
};

constexpr SettingRow kEdge[] = {
    {"ALLOWED_ORIGINS", "none; development: three localhost origins", "origins with https, commas between",
     "pages of other hosts that browsers may call the API from; pages of the host itself (the console) need no entry, "
     "if a proxy in front keeps `Host`. An entry that is not usable is left out with a warning",
     "CORS_ALLOWED_ORIGINS"},
    {"TRUSTED_PROXIES", "`127.0.0.1,::1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7`",
     "addresses and CIDR ranges, commas between", "who may name the client in `X-Forwarded-For`"},
    {"RATE_LIMIT_MODE", "`enforcing`", "`enforcing`, `shadow`", "shadow refuses nobody, and says whom it would"},
    {"RATE_LIMIT_REGISTER_PER_MINUTE", "`3`", "1 to 1000000", "registrations per address"},
    {"MONITORING_TOKEN", "–", "any text", "a request with it as `X-Monitoring-Token` is not limited", "", "", kSecret},
    {"ENABLE_HSTS", "`true`; a debug build `false`", "true or false", "send `Strict-Transport-Security`"},
    {"HSTS_MAX_AGE", "`31536000`", "0 to 1000000000, seconds", "of `Strict-Transport-Security`"},
    {"BASE_URL", "`https://api.agentauri.ai`", "an http or https URL without a query",
     "`iss` and `aud` of access tokens, and where `/.well-known` says that this service is"},
    {"FRONTEND_URL", "–; development `http://localhost:3000`", "a URL", "a web page whose origin may use cookies too"},
    {"TLS_CERTIFICATE_FILES", "–", "PEM files, commas between",
     "certificates whose end the metrics tell, such as the `fullchain.pem` that nginx serves"},
};

constexpr SettingRow kPublished[] = {
    {"CONTACT_EMAIL", "`support@agentauri.ai`", "an e-mail address", "in the agent card"},
    {"CONTACT_GITHUB", "`https://github.com/agentauri/api.agentauri.ai`", "an http or https URL", "in the agent card"},
    {"DOCUMENTATION_URL", "`https://docs.agentauri.ai`", "an http or https URL", "in the agent card"},
    {"SECURITY_CONTACT_EMAIL", "`security@agentauri.ai`", "an e-mail address",
     "in security.txt; whoever runs this service sets it, like the next"},
    {"SECURITY_CONTACT_URL", "`https://github.com/agentauri/api.agentauri.ai/security/advisories`", "an https URL",
     "in security.txt"},
    {"SECURITY_POLICY_URL", "`https://github.com/agentauri/api.agentauri.ai/security/policy`", "an https URL",
     "in security.txt"},
    {"SECURITY_ACKNOWLEDGMENTS_URL", "`https://github.com/agentauri/api.agentauri.ai/security/advisories`",
     "an https URL", "in security.txt"},
    {"SECURITY_HIRING_URL", "–", "an https URL", "a line in security.txt"},
};

constexpr SettingRow kChains[] = {
    {"CHAIN_<id>_RPC_URL", "–", "URLs in order, commas between; https, except to loopback and private hosts",
     "follow this chain; several URLs: a failing one is set back and tried again", "<CHAIN>_RPC_URL", "", kSecret},
    {"<CHAIN>_RPC_<PROVIDER>", "–", "a URL, as above",
     "one more URL of that chain; the provider is `PUBLICNODE`, `LLAMANODES`, `ANKR`, `ALCHEMY`, `INFURA` or "
     "`QUIKNODE`, "
     "asked in this order",
     "", "", kSecret},
    {"CHAIN_<id>_START_BLOCK", "the deployment block where it is known, else `0`", "0 or more",
     "first block of history", "<CHAIN>_START_BLOCK"},
    {"CHAIN_<id>_IDENTITY_ADDRESS", "official address of a known chain", "`0x` and 40 hex digits",
     "the identity registry; the zero address: not deployed", "<CHAIN>_IDENTITY_ADDRESS"},
    {"CHAIN_<id>_REPUTATION_ADDRESS", "official address of a known chain", "`0x` and 40 hex digits",
     "the reputation registry", "<CHAIN>_REPUTATION_ADDRESS"},
    {"CHAIN_<id>_VALIDATION_ADDRESS", "official address of a known chain", "`0x` and 40 hex digits",
     "the validation registry", "<CHAIN>_VALIDATION_ADDRESS"},
    {"CHAIN_<id>_CONFIRMATIONS", "`0` for testnets and single-sequencer L2s, else `1`", "0 to 100000",
     "blocks on top before an alert leaves"},
    {"CHAIN_<id>_POLL_INTERVAL_MS", "learnt from the chain", "20 to 60000", "a fixed interval instead, milliseconds"},
};

constexpr SettingRow kDelivery[] = {
    {"EGRESS_ALLOW", "–", "CIDR ranges, addresses or host:port, commas between",
     "what webhooks may reach although it is not public; the gateway refuses the rest on save, so it needs the same "
     "value as the workers"},
    {"EGRESS_HTTPS_ONLY", "`true`; embedded, and in development, `false`", "true or false",
     "refuse plain http receivers, on save too"},
    {"WEBHOOK_RETRY_SECONDS", "`0,5,300,1800,7200,18000,36000,50400,72000,86400`",
     "1 to 20 waits, commas between, the first 0", "waits before each attempt of a webhook, each ± 20 %"},
    {"ATTEMPT_RETENTION_DAYS", "`30`", "1 to 3650",
     "how long deliveries that have ended, whatever their end, are kept with their attempts"},
    {"EVENT_RETENTION_DAYS", "`0`", "0 to 36500", "how long events are kept; 0: for ever"},
};

constexpr SettingRow kLogs[] = {
    {"LOG_LEVEL", "`info`", "`trace`, `debug`, `info`, `warn`, `error`",
     "of a filter such as `info,sqlx=warn` the first plain word counts", "RUST_LOG"},
    {"LOG_FORMAT", "`json`", "`json`, `text`", "`text` for terminals"},
    {"LOG_DIR", "–", "a folder", "the same lines also go to a file in it; SIGHUP opens the file anew"},
};

constexpr SettingGroup kGroups[] = {
    {"The process", kProcess}, {"PostgreSQL", kDatabase}, {"Redis", kRedis},         {"Secrets", kSecrets},
    {"Accounts", kAccounts},   {"HTTP", kEdge},           {"Published", kPublished}, {"Chains", kChains},
    {"Delivery", kDelivery},   {"Logs", kLogs},
};

std::string names_of(const SettingRow& row) {
  std::string out = fmt::format("`{}`", row.name);
  std::string_view rest = row.others;
  while (!rest.empty()) {
    const auto end = std::min(rest.find(' '), rest.size());
    out += fmt::format(", `{}`", rest.substr(0, end));
    rest.remove_prefix(std::min(rest.size(), end + 1));
  }
  if (!row.flag.empty()) out += fmt::format(" (`{}`)", row.flag);
  return out;
}

// The chains that need only an RPC URL, with the word that stands for <CHAIN>.
std::string known_chains_text() {
  std::string known, prefixes;
  for (const auto& chain : chain::known_chains()) {
    known += fmt::format("{}{} ({})", known.empty() ? "" : ", ", chain.name, chain.id);
    if (!chain.env_prefix.empty())
      prefixes += fmt::format("{}`{}` ({})", prefixes.empty() ? "" : ", ", chain.env_prefix, chain.id);
  }
  return fmt::format(
      "Known chains, which need only an RPC URL: {}. Any other id works with addresses given.\n\n"
      "`<CHAIN>` is an older word for some of them: {}.\n",
      known, prefixes);
}

}   // namespace

std::span<const SettingGroup> setting_groups() {
  return kGroups;
}

std::string settings_document() {
  std::string out;
  for (const auto& group : kGroups) {
    out += fmt::format("### {}\n| name | default | accepts | meaning |\n|---|---|---|---|\n", group.title);
    for (const auto& row : group.rows)
      out += fmt::format("| {} | {} | {}{} | {} |\n", names_of(row), row.fallback, row.is_secret ? "**secret**: " : "",
                         row.accepts, row.meaning);
    out += '\n';
  }
  return out + known_chains_text();
}

}   // namespace agentauri::app
