// What is refused at start, and that nothing malformed is taken for something else.
#include "app/settings.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace agentauri::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kSecret = "Zk3q9Vb7Lw2Xn5Rt8Yp1Cd4Fg6Hj0Ks+Qm/Tu=";

struct Read {
  Settings settings;
  std::vector<std::string> faults, warnings;   // the names
  std::string texts;
};

Read read(const Environment::Map& process) {
  Environment env({}, process, "");
  Read out{read_settings(env, false), {}, {}, {}};
  for (const auto& fault : env.faults()) {
    out.faults.push_back(fault.field);
    out.texts += fault.text + "\n";
  }
  for (const auto& warning : env.warnings()) out.warnings.push_back(warning.field);
  return out;
}

TEST(Settings, WhatIsMalformedIsAFault) {
  const std::pair<std::string, std::string> malformed[] = {
      {"SIWE_DOMAINS", "https://agentauri.ai"},
      {"SIWE_DOMAINS", ","},
      {"SIWE_URI", "agentauri.ai"},
      {"BASE_URL", "api.example.org"},
      {"BASE_URL", "https://api.example.org/?a=b"},
      {"FRONTEND_URL", "app.example.org"},
      {"CONTACT_EMAIL", "nobody"},
      {"CONTACT_GITHUB", "github.com/x"},
      {"DOCUMENTATION_URL", "ftp://docs.example.org"},
      {"SECURITY_CONTACT_EMAIL", "a@example.org\nContact: mailto:b@example.org"},
      {"SECURITY_CONTACT_URL", "http://example.org/security"},
      {"SECURITY_POLICY_URL", "https://example.org/a\nHiring: https://example.org/b"},
      {"SECURITY_ACKNOWLEDGMENTS_URL", "thanks"},
      {"SECURITY_HIRING_URL", "https://"},
      {"SIWE_CHAIN_IDS", "1,x"},
      {"SIWE_CHAIN_IDS", "0"},
      {"METRICS_ADDR", "127.0.0.1:9464x"},
      {"METRICS_ADDR", "127.0.0.1: 9464"},
      {"METRICS_ADDR", "127.0.0.1:+9464"},
      {"METRICS_ADDR", "127.0.0.1:"},
      {"METRICS_ADDR", "127.0.0.1:65536"},
      {"DATABASE_URL", "postgresql://u:p@localhost:5432abc/db"},
      {"DATABASE_URL", "postgresql://u:p@localhost:0/db"},
      {"DATABASE_URL", "postgresql://u:p@localhost:65536/db"},
      {"DATABASE_URL", "postgresql://u:p@localhost/db?sslmode=verifyfull"},
      {"DATABASE_URL", "postgresql://u:p@localhost/db?sslmode="},
      {"ROLES", ","},
      {"CONSOLE_DIR", "/there/is/no/such/folder"},
      {"ROLES", "gateway,enigne"},
      {"WEBHOOK_RETRY_SECONDS", "0,nan"},
      {"WEBHOOK_RETRY_SECONDS", "0,inf"},
      {"JWT_SECRET_PREVIOUS", "short"},
      {"JWT_SECRET_PREVIOUS", "this-is-my-secret-and-it-is-long-enough"},
  };
  for (const auto& [name, value] : malformed)
    EXPECT_THAT(read({{name, value}, {"JWT_SECRET", kSecret}}).faults, ElementsAre(name)) << value;
}

TEST(Settings, TheSameNamesWithGoodValues) {
  const auto good = read({{"METRICS_ADDR", "[::1]:65535"},
                          {"DATABASE_URL", "postgresql://u:p%20w@db.example:65535/d?sslmode=verify-full"},
                          {"ROLES", "worker, engine"},
                          {"WEBHOOK_RETRY_SECONDS", "0,0.5,604800"},
                          {"JWT_SECRET", kSecret},
                          {"JWT_SECRET_PREVIOUS", kSecret + "old"}});
  EXPECT_THAT(good.faults, IsEmpty()) << good.texts;
  EXPECT_EQ(good.settings.metrics_host, "::1");
  EXPECT_EQ(good.settings.metrics_port, 65535);
  ASSERT_TRUE(good.settings.postgres);
  EXPECT_EQ(good.settings.postgres->port, 65535);
  EXPECT_EQ(good.settings.postgres->ssl_mode, "verify-full");
  EXPECT_EQ(good.settings.postgres->password.reveal(), "p w");
  EXPECT_EQ(to_string(good.settings.roles), "engine,worker");
}

// A service named `db` or `redis` gives every pod of its namespace these names.
TEST(Settings, CertificatesToWatchAreAList) {
  EXPECT_THAT(read({}).settings.certificate_files, IsEmpty());
  EXPECT_THAT(read({{"TLS_CERTIFICATE_FILES", "/etc/a.pem, /etc/b.pem"}}).settings.certificate_files,
              ElementsAre("/etc/a.pem", "/etc/b.pem"));
}

TEST(Settings, VariablesThatKubernetesSetsStopNothing) {
  const Environment::Map links{{"DB_SERVICE_HOST", "10.96.0.5"},
                               {"DB_SERVICE_PORT", "5432"},
                               {"DB_SERVICE_PORT_SQL", "5432"},
                               {"DB_PORT", "tcp://10.96.0.5:5432"},
                               {"DB_PORT_5432_TCP", "tcp://10.96.0.5:5432"},
                               {"DB_PORT_5432_TCP_PROTO", "tcp"},
                               {"DB_PORT_5432_TCP_PORT", "5432"},
                               {"DB_PORT_5432_TCP_ADDR", "10.96.0.5"},
                               {"REDIS_SERVICE_HOST", "10.96.0.6"},
                               {"REDIS_PORT", "tcp://10.96.0.6:6379"},
                               {"REDIS_PORT_6379_TCP", "tcp://10.96.0.6:6379"}};
  const auto embedded = read(links);
  EXPECT_THAT(embedded.faults, IsEmpty()) << embedded.texts;
  EXPECT_FALSE(embedded.settings.postgres) << "a service that exists is not a database that was configured";
  EXPECT_FALSE(embedded.settings.redis);

  auto configured = links;
  configured["DB_HOST"] = "db";
  configured["DB_PASSWORD"] = "p";
  configured["JWT_SECRET"] = kSecret;
  const auto on_postgres = read(configured);
  EXPECT_THAT(on_postgres.faults, IsEmpty()) << on_postgres.texts;
  EXPECT_EQ(on_postgres.settings.postgres->port, 5432);
  EXPECT_THAT(on_postgres.warnings, ::testing::Contains("DB_PORT"));
}

TEST(Settings, RedisIsNamedByAUrlOrInParts) {
  EXPECT_FALSE(read({}).settings.redis);
  const auto url = read({{"REDIS_URL", "rediss://gate:p%2Fw@cache.example.org:6380/3"}, {"REDIS_CA_FILE", "/ca.pem"}});
  EXPECT_THAT(url.faults, IsEmpty()) << url.texts;
  ASSERT_TRUE(url.settings.redis);
  EXPECT_TRUE(url.settings.redis->tls);
  EXPECT_EQ(url.settings.redis->host, "cache.example.org");
  EXPECT_EQ(url.settings.redis->port, 6380);
  EXPECT_EQ(url.settings.redis->username, "gate");
  EXPECT_EQ(url.settings.redis->password.reveal(), "p/w");
  EXPECT_EQ(url.settings.redis->database, 3);
  EXPECT_EQ(url.settings.redis->ca_file, "/ca.pem");
  const auto parts = read({{"REDIS_PASSWORD", "a/b"}});
  EXPECT_THAT(parts.faults, IsEmpty()) << parts.texts;
  EXPECT_EQ(parts.settings.redis->host, "localhost");
  EXPECT_EQ(parts.settings.redis->port, 6379);
  EXPECT_EQ(parts.settings.redis->password.reveal(), "a/b");
  const auto both = read({{"REDIS_URL", "redis://cache.example.org"}, {"REDIS_PASSWORD", "a/b"}});
  EXPECT_EQ(both.settings.redis->host, "cache.example.org");
  EXPECT_EQ(both.settings.redis->password.reveal(), "a/b") << "so that the secret may come from a file";
  for (const auto* bad : {"http://localhost", "localhost:6379", "redis://localhost:0", "redis://localhost/x",
                          "redis://localhost/16", "redis://:a%zz@localhost"})
    EXPECT_THAT(read({{"REDIS_URL", bad}}).faults, ::testing::ElementsAre("REDIS_URL")) << bad;
}

TEST(Settings, TyposOfKnownNamesAreFaults) {
  const auto typos = read({{"DB_PASSWROD", "x"},
                           {"DB_HOST", "h"},
                           {"DB_PASSWORD", "p"},
                           {"JWT_SECRET", kSecret},
                           {"CHAIN_1_RPC_URI", "https://rpc.example"},
                           {"DB_COLOUR_OF_THE_SHED", "green"}});
  EXPECT_THAT(typos.faults, ElementsAre("CHAIN_1_RPC_URI", "DB_PASSWROD"));
  EXPECT_THAT(typos.texts, HasSubstr("did you mean DB_PASSWORD?"));
  EXPECT_THAT(typos.warnings, ::testing::Contains("DB_COLOUR_OF_THE_SHED"));
}

}   // namespace
}   // namespace agentauri::app
