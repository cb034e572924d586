// Each check of `agentauri doctor` is shown what it should find; on what is well, none of them finds anything.
#include "app/doctor/checks.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>

#include "app/doctor/report.hpp"

namespace agentauri::app::doctor {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

const Time kNow = from_unix_seconds(1'768'471'200);
constexpr const char* kSecret = "q7Xv2mZp9Lr4Tn8Ws3Yb6Kd1Hf5Gj0QcAe";

struct World {
  Settings settings;
  Facts facts;

  store::ServerFacts& server() { return facts.store->server; }
  store::PipelineFacts& pipeline() { return facts.store->pipeline; }
  store::ChainFacts& chain() { return facts.store->pipeline.chains.front(); }
};

World good_world() {
  World w;
  auto& s = w.settings;
  s.production = true;
  s.jwt_secret = crypto::Secret<std::string>(kSecret);
  s.data_encryption_keys = crypto::Secret<std::string>("k1:AAAA");
  s.postgres.emplace();
  s.postgres->password = crypto::Secret<std::string>("Zr4Tn8Ws3Yb6Kd1Hf5Gj");
  s.redis.emplace();
  s.redis->password = crypto::Secret<std::string>("Yb6Kd1Hf5GjZr4Tn8Ws3");
  s.allowed_origins = {"https://app.example.org"};
  s.trusted_proxies = {"127.0.0.1"};
  s.egress_https_only = true;
  s.log.directory = "/var/log/api-gateway";
  ChainSetting chain;
  chain.id = 8453;
  s.chains.push_back(chain);

  auto& f = w.facts;
  f.now = kNow;
  f.secret_files = {{"JWT_SECRET", "/etc/agentauri/jwt_secret", 0600, kNow - hours(24)}};
  f.store.emplace();
  f.store->is_embedded = false;
  f.store->local_time = kNow;
  w.server() = {.now = kNow,
                .version = 150'015,
                .user = "agentauri",
                .connections = 10,
                .max_connections = 100,
                .password_encryption = "scram-sha-256"};
  store::ChainFacts facts;
  facts.row.chain_id = 8453;
  facts.row.state = "ok";
  facts.row.start_block = 1;
  facts.row.live_from_block = 100;
  facts.row.head_num = 200;
  facts.coverage = {{Address{}, 1, 200, "header_checked"}};
  facts.head_seen_at = kNow - seconds(2);
  w.pipeline().chains.push_back(facts);
  w.pipeline().living_roles = {"gateway,indexer,engine,worker"};
  f.redis = RedisFacts{.is_reachable = true, .version = "7.2.4"};
  f.nginx = NginxFacts{
      "/etc/nginx", true, true, true, {{"/etc/letsencrypt/live/x/fullchain.pem", kNow + hours(24 * 60), ""}}};
  f.logs = LogFacts{"/var/log/api-gateway", true, 1000};
  f.backup_folder = "/var/backups/postgresql";
  BackupStatus backup;
  backup.last_success_at = kNow - hours(10);
  backup.last_verified_at = kNow - hours(24 * 3);
  f.backup = backup;
  f.disks = {{"logs", "/var/log", 50ULL << 30U, 100ULL << 30U}};
  f.clock_is_kept = true;
  f.open_files = 524'288;
  f.has_prometheus = f.is_scraped = true;
  return w;
}

void use_hypertable(World& w) {
  auto& events = w.facts.store->events;
  events.storage = store::EventStorage::hypertable;
  events.version = "2.28.3";
  events.telemetry = "off";
  events.max_locks_per_transaction = 256;
  events.chunks = 12;
}

struct Case {
  std::string id;
  Verdict verdict;
  std::function<void(World&)> spoil;
  std::string says;
};

const std::vector<Case>& cases() {
  using V = Verdict;
  static const std::vector<Case> all{
      {"config.faults", V::critical,
       [](World& w) { w.facts.config_faults = {{Code::invalid, "SERVER_PORT", "must be a number"}}; }, "SERVER_PORT"},
      {"config.warnings", V::warning,
       [](World& w) { w.facts.config_warnings = {{Code::invalid, "DB_HOTS", "is not known"}}; }, "DB_HOTS"},
      {"config.environment", V::warning, [](World& w) { w.settings.production = false; }, "development"},
      {"config.environment", V::info,
       [](World& w) {
         w.settings.production = false;
         w.settings.postgres.reset();
       },
       "embedded"},
      {"config.limits", V::critical, [](World& w) { w.settings.rate_limit_mode = "shadow"; }, "nobody"},
      {"config.chains", V::info, [](World& w) { w.settings.chains.clear(); }, "no chain"},
      {"secret.jwt", V::critical, [](World& w) { w.settings.jwt_secret = {}; }, "not set"},
      {"secret.jwt", V::critical,
       [](World& w) { w.settings.jwt_secret = crypto::Secret<std::string>("my-secret-my-secret-my-secret-abc"); },
       "secret"},
      {"secret.jwt_length", V::critical,
       [](World& w) { w.settings.jwt_secret = crypto::Secret<std::string>("q7Xv2mZp9Lr4Tn8Ws3Yb6Kd1Hf5Gj0Q"); }, "31"},
      {"secret.jwt_age", V::warning, [](World& w) { w.facts.secret_files[0].changed_at = kNow - hours(24 * 400); },
       "400 days"},
      {"secret.jwt_previous", V::info,
       [](World& w) { w.settings.jwt_secret_previous = crypto::Secret<std::string>("other"); }, "still accepted"},
      {"secret.jwt_previous", V::warning,
       [](World& w) {
         w.settings.jwt_secret_previous = crypto::Secret<std::string>("other");
         w.facts.secret_files.push_back({"JWT_SECRET_PREVIOUS", "/x", 0600, kNow - hours(24 * 40)});
       },
       "40 days"},
      {"secret.jwt_previous", V::warning, [](World& w) { w.settings.jwt_secret_previous = w.settings.jwt_secret; },
       "itself"},
      {"secret.data_keys", V::warning, [](World& w) { w.settings.data_encryption_keys = {}; }, "derived"},
      {"secret.data_keys_fit", V::critical, [](World& w) { w.facts.store->data_keys_fault = "cannot be read"; },
       "cannot be read"},
      {"secret.files", V::warning, [](World& w) { w.facts.secret_files[0].mode = 0640; }, "0640"},
      {"database.reachable", V::critical,
       [](World& w) {
         w.facts.store.reset();
         w.facts.store_trouble = "no answer";
       },
       "no answer"},
      {"database.password", V::critical, [](World& w) { w.settings.postgres->password = {}; }, "empty"},
      {"database.password", V::critical,
       [](World& w) { w.settings.postgres->password = crypto::Secret<std::string>("Postgres"); }, "everybody"},
      {"database.password", V::critical,
       [](World& w) { w.settings.postgres->password = crypto::Secret<std::string>("Zr4Tn8Ws3Yb6Kd1"); },
       "15 characters"},
      {"database.role", V::warning, [](World& w) { w.server().is_superuser = true; }, "superuser"},
      {"database.password_storage", V::warning, [](World& w) { w.server().password_encryption = "md5"; }, "MD5"},
      {"database.tls", V::critical, [](World& w) { w.settings.postgres->host = "db.example.org"; }, "not encrypted"},
      {"database.tls", V::warning,
       [](World& w) {
         w.settings.postgres->host = "db.example.org";
         w.settings.postgres->ssl_mode = "require";
         w.server().is_encrypted = true;
       },
       "pose"},
      {"database.version", V::critical, [](World& w) { w.server().version = 140'011; }, "14.11"},
      {"database.durability", V::critical,
       [](World& w) {
         w.server().is_durable = false;
         w.server().durability = "fsync";
       },
       "fsync"},
      {"database.migrations", V::critical, [](World& w) { w.facts.store->migrations_fault = "0013 is not applied"; },
       "0013"},
      {"database.connections", V::warning, [](World& w) { w.server().connections = 80; }, "80 of 100"},
      {"database.clock", V::warning, [](World& w) { w.facts.store->local_time = kNow - seconds(5); }, "5.0 s"},
      {"database.clock", V::critical, [](World& w) { w.facts.store->local_time = kNow + seconds(40); }, "40.0 s"},
      {"events.library", V::critical, [](World& w) { w.facts.store->events.storage = store::EventStorage::lost; },
       "no event is stored"},
      {"events.storage", V::info, [](World& w) { w.facts.store->events.available = true; }, "ordinary table"},
      {"events.locks", V::warning,
       [](World& w) {
         use_hypertable(w);
         w.facts.store->events.max_locks_per_transaction = 64;
       },
       "64"},
      {"events.telemetry", V::warning,
       [](World& w) {
         use_hypertable(w);
         w.facts.store->events.telemetry = "basic";
       },
       "every day"},
      {"redis.use", V::warning,
       [](World& w) {
         w.settings.redis.reset();
         w.pipeline().living_roles = {"gateway", "gateway,worker"};
       },
       "2 gateways"},
      {"redis.reachable", V::warning,
       [](World& w) {
         w.facts.redis->is_reachable = false;
         w.facts.redis->trouble = "refused";
       },
       "refused"},
      {"redis.reachable", V::critical, [](World& w) { w.facts.redis->refuses_us = true; }, "credentials"},
      {"redis.password", V::warning, [](World& w) { w.facts.redis->takes_nobody = false; }, "everybody"},
      {"redis.password", V::critical,
       [](World& w) {
         w.facts.redis->takes_nobody = false;
         w.settings.redis->host = "10.0.0.5";
       },
       "everybody"},
      {"redis.tls", V::warning, [](World& w) { w.settings.redis->host = "10.0.0.5"; }, "not encrypted"},
      {"redis.version", V::warning, [](World& w) { w.facts.redis->version = "6.2.1"; }, "6.2.1"},
      {"exposure.origins", V::warning, [](World& w) { w.settings.allowed_origins.clear(); }, "empty"},
      {"exposure.origins", V::critical,
       [](World& w) { w.facts.config_warnings = {{Code::invalid, "ALLOWED_ORIGINS", "\"*\" is left out"}}; },
       "wildcard"},
      {"exposure.api", V::warning, [](World& w) { w.settings.server_host = "0.0.0.0"; }, "past nginx"},
      {"exposure.metrics", V::warning, [](World& w) { w.settings.metrics_host = "0.0.0.0"; }, "without authentication"},
      {"exposure.ports", V::warning, [](World& w) { w.facts.open_ports = {{443, "0.0.0.0"}, {5432, "0.0.0.0"}}; },
       "0.0.0.0:5432 unless"},
      {"exposure.proxies", V::critical, [](World& w) { w.settings.trusted_proxies = {"0.0.0.0/0"}; }, "anybody"},
      {"exposure.egress", V::warning, [](World& w) { w.settings.egress_allow = {"10.0.0.0/8"}; }, "10.0.0.0/8"},
      {"exposure.egress", V::warning, [](World& w) { w.settings.egress_https_only = false; }, "without TLS"},
      {"edge.limits", V::critical, [](World& w) { w.facts.nginx->answers_429 = false; }, "limit_req_status"},
      {"edge.certificates", V::critical, [](World& w) { w.facts.nginx->certificates.clear(); }, "no site"},
      {"edge.certificates", V::warning, [](World& w) { w.facts.nginx->certificates[0].ends = kNow + hours(24 * 20); },
       "20 days"},
      {"edge.certificates", V::critical, [](World& w) { w.facts.nginx->certificates[0].ends = kNow + hours(24 * 6); },
       "6 days"},
      {"edge.certificates", V::critical, [](World& w) { w.facts.nginx->certificates[0].ends = kNow - hours(1); },
       "expired"},
      {"edge.certificates", V::warning,
       [](World& w) { w.facts.nginx->certificates[0] = {"/x.pem", std::nullopt, "Permission denied"}; },
       "Permission denied"},
      {"backup.age", V::critical, [](World& w) { w.facts.backup = BackupStatus{}; }, "never"},
      {"backup.age", V::warning, [](World& w) { w.facts.backup->last_success_at = kNow - hours(30); }, "30 h"},
      {"backup.age", V::critical, [](World& w) { w.facts.backup->last_success_at = kNow - hours(24 * 4); }, "4 days"},
      {"backup.age", V::warning,
       [](World& w) { w.facts.backup = fail(Code::corrupt, "status.json cannot be understood"); }, "understood"},
      {"backup.failure", V::critical,
       [](World& w) {
         w.facts.backup->last_failure_at = kNow - hours(1);
         w.facts.backup->last_failure = "pg_dump ended with 1";
       },
       "pg_dump"},
      {"backup.verified", V::warning, [](World& w) { w.facts.backup->last_verified_at.reset(); }, "ever"},
      {"backup.verified", V::warning, [](World& w) { w.facts.backup->last_verified_at = kNow - hours(24 * 20); },
       "20 days"},
      {"machine.disk", V::warning, [](World& w) { w.facts.disks[0].free_bytes = 3ULL << 30U; }, "3.0 GB"},
      {"machine.disk", V::critical, [](World& w) { w.facts.disks[0].free_bytes = 1ULL << 20U; }, "1.0 MB"},
      {"machine.clock", V::warning, [](World& w) { w.facts.clock_is_kept = false; }, "clock"},
      {"machine.files", V::warning, [](World& w) { w.facts.open_files = 1024; }, "1024"},
      {"machine.logs", V::critical, [](World& w) { w.facts.logs->is_rotated = false; }, "logrotate"},
      {"machine.logs", V::warning, [](World& w) { w.facts.logs->largest_bytes = 3ULL << 30U; }, "3.0 GB"},
      {"machine.monitoring", V::warning, [](World& w) { w.facts.is_scraped = false; }, "9464"},
      {"pipeline.roles", V::critical, [](World& w) { w.pipeline().living_roles = {"gateway", "indexer"}; },
       "engine, worker"},
      {"pipeline.roles", V::info, [](World& w) { w.pipeline().living_roles.clear(); }, "no process"},
      {"pipeline.chains", V::critical,
       [](World& w) {
         w.chain().row.state = "halted";
         w.chain().row.reason = "too deep";
       },
       "too deep"},
      {"pipeline.lag", V::warning, [](World& w) { w.chain().head_seen_at = kNow - minutes(5); }, "5 min"},
      {"pipeline.lag", V::critical, [](World& w) { w.chain().head_seen_at = kNow - hours(3); }, "3 h"},
      {"pipeline.coverage", V::critical,
       [](World& w) {
         w.chain().coverage = {{Address{}, 1, 150, "header_checked"}, {Address{}, 161, 200, "header_checked"}};
       },
       "10 blocks"},
      {"pipeline.coverage", V::info, [](World& w) { w.chain().coverage = {{Address{}, 50, 200, "header_checked"}}; },
       "49 blocks of history"},
      {"pipeline.engine", V::warning,
       [](World& w) {
         w.chain().unprocessed_since = kNow - minutes(5);
         w.chain().unprocessed_entries = 7;
       },
       "7 blocks"},
      {"pipeline.engine", V::critical, [](World& w) { w.chain().unprocessed_since = kNow - hours(2); }, "2 h"},
      {"pipeline.deliveries", V::warning, [](World& w) { w.pipeline().due_since = kNow - minutes(10); }, "10 min"},
      {"pipeline.deliveries", V::critical, [](World& w) { w.pipeline().due_since = kNow - hours(2); }, "2 h"},
      {"pipeline.dead_deliveries", V::warning, [](World& w) { w.pipeline().dead_deliveries = 4; }, "4 deliveries"},
      {"pipeline.event_dead_letters", V::critical, [](World& w) { w.pipeline().event_dead_letters = 2; }, "2 events"},
  };
  return all;
}

Finding finding_of(const World& world, std::string_view id) {
  for (const auto& check : all_checks()) {
    if (check.id == id) return check.judge(world.settings, world.facts);
  }
  ADD_FAILURE() << "there is no check " << id;
  return {};
}

TEST(DoctorChecks, FindNothingWhereAllIsWell) {
  World plain = good_world(), partitioned = good_world();
  use_hypertable(partitioned);
  for (const auto* world : {&plain, &partitioned}) {
    for (const auto& check : all_checks()) {
      const auto finding = check.judge(world->settings, world->facts);
      EXPECT_TRUE(finding.verdict == Verdict::ok || finding.verdict == Verdict::skipped)
          << check.id << ": " << finding.text;
      EXPECT_EQ(finding.remedy, "") << check.id;
    }
  }
}

TEST(DoctorChecks, EachFindsWhatItIsFor) {
  std::set<std::string> shown;
  for (const auto& c : cases()) {
    World world = good_world();
    c.spoil(world);
    const auto finding = finding_of(world, c.id);
    EXPECT_EQ(to_string(finding.verdict), to_string(c.verdict)) << c.id << ": " << finding.text;
    EXPECT_THAT(finding.text, HasSubstr(c.says)) << c.id;
    if (c.verdict >= Verdict::warning) EXPECT_NE(finding.remedy, "") << c.id << ": what to do";
    shown.insert(c.id);
  }
  for (const auto& check : all_checks())
    EXPECT_TRUE(shown.contains(std::string(check.id))) << check.id << " has no case";
}

TEST(DoctorChecks, TheStoreBeingAwayIsOneFindingAndTheRestGoesOn) {
  World world = good_world();
  world.facts.store.reset();
  world.facts.store_trouble = "no answer in time";
  const auto report = judge(world.settings, world.facts, false);
  EXPECT_EQ(report.count(Verdict::critical), 1U);
  EXPECT_FALSE(report.is_good());
  EXPECT_EQ(finding_of(world, "pipeline.lag").verdict, Verdict::skipped);
  EXPECT_EQ(finding_of(world, "secret.jwt").verdict, Verdict::ok);
}

TEST(DoctorChecks, ATrialNeedsNoBackup) {
  World world = good_world();
  world.settings.postgres.reset();
  world.settings.production = false;
  world.facts.backup = BackupStatus{};
  EXPECT_EQ(finding_of(world, "backup.age").verdict, Verdict::info);
}

TEST(DoctorChecks, NoSecretIsEverPrinted) {
  for (const auto& c : cases()) {
    World world = good_world();
    c.spoil(world);
    const auto report = judge(world.settings, world.facts, false);
    for (const auto& text : {to_text(report), json::dump(to_json(report))}) {
      EXPECT_THAT(text, Not(HasSubstr(kSecret))) << c.id;
      for (const auto& secret : {world.settings.jwt_secret.reveal(),
                                 world.settings.redis ? world.settings.redis->password.reveal() : std::string(),
                                 world.settings.postgres ? world.settings.postgres->password.reveal() : std::string()})
        if (secret.size() > 9) EXPECT_THAT(text, Not(HasSubstr(secret))) << c.id;
    }
  }
}

TEST(DoctorReport, TheGuidesRowsAloneDecideBeforeGoingLive) {
  World world = good_world();
  EXPECT_TRUE(judge(world.settings, world.facts, true).is_good());
  std::set<int> rows;
  for (const auto& [check, finding] : judge(world.settings, world.facts, true).results) rows.insert(check->guide_row);
  EXPECT_EQ(rows, (std::set<int>{47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57}));
  // A warning of theirs is enough; one of the others is not.
  world.facts.open_ports = {{5432, "0.0.0.0"}};
  EXPECT_FALSE(judge(world.settings, world.facts, true).is_good());
  EXPECT_TRUE(judge(world.settings, world.facts, false).is_good());
  world.facts.open_ports.clear();
  world.server().is_durable = false;
  EXPECT_TRUE(judge(world.settings, world.facts, true).is_good());
  EXPECT_FALSE(judge(world.settings, world.facts, false).is_good());
}

TEST(DoctorReport, IsTextAndJson) {
  World world = good_world();
  world.server().is_superuser = true;
  const auto report = judge(world.settings, world.facts, false);
  EXPECT_THAT(to_text(report), HasSubstr("warning   database.role"));
  EXPECT_THAT(to_text(report), HasSubstr("0 critical, 1 warnings"));
  const auto out = to_json(report);
  EXPECT_TRUE(out.at("good").as_bool());
  EXPECT_EQ(out.at("checks").as_array().size(), all_checks().size());
}

// docs/doctor.md has a row `| id | row | what |` for each check, in their order.
TEST(DoctorDocs, ListEveryCheck) {
  std::ifstream file("docs/doctor.md");
  ASSERT_TRUE(file) << "this test runs in the project's folder";
  std::vector<std::string> documented, expected;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("| `") && line.contains("."))
      documented.push_back(line.substr(0, line.find(" |", line.find(" |", line.find(" |", 1) + 2) + 2)));
  }
  for (const auto& check : all_checks())
    expected.push_back(fmt::format("| `{}` | {} | {}", check.id,
                                   check.guide_row == 0 ? "" : std::to_string(check.guide_row), check.what));
  EXPECT_EQ(documented, expected);
}

}   // namespace
}   // namespace agentauri::app::doctor
