// What doctor gathers: from both engines beside a process that uses them, from a database that is down, and from files.
#include "app/doctor/gather.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "app/doctor/report.hpp"
#include "app/embedded_secrets.hpp"
#include "app/open_store.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::app::doctor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

void write(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path) << text;
}

Finding finding_of(const Settings& settings, const Facts& facts, std::string_view id) {
  for (const auto& check : all_checks()) {
    if (check.id == id) return check.judge(settings, facts);
  }
  ADD_FAILURE() << "there is no check " << id;
  return {};
}

class DoctorGathers : public ::testing::Test {
 protected:
  Facts gather_all() {
    Environment env({}, {}, "");
    settings_.backup_dir = folder_.path() + "/backups";
    return gather(settings_, env, clock_, places_);
  }
  DoctorGathers() {
    settings_.data_dir = folder_.path() + "/data";
    places_ = {folder_.path() + "/nginx", folder_.path() + "/logrotate.d", folder_.path() + "/prometheus",
               folder_.path() + "/tcp", folder_.path() + "/tcp6"};
  }

  SystemClock clock_;
  Metrics metrics_;
  store::testing::TempFolder folder_;
  Settings settings_;
  Places places_;
};

TEST_F(DoctorGathers, NothingWhereNothingIs) {
  const auto facts = gather_all();
  EXPECT_FALSE(facts.store);
  EXPECT_FALSE(facts.store_trouble);
  EXPECT_FALSE(facts.nginx);
  EXPECT_FALSE(std::filesystem::exists(settings_.data_dir)) << "doctor makes nothing";
  EXPECT_EQ(finding_of(settings_, facts, "database.reachable").verdict, Verdict::skipped);
}

TEST_F(DoctorGathers, TheEmbeddedStoreBesideTheProcessThatHoldsIt) {
  ASSERT_TRUE(make_data_dir(settings_.data_dir));
  ASSERT_TRUE(load_or_make_jwt_secret(settings_.data_dir));
  const auto held = open_store(settings_, clock_, metrics_);
  ASSERT_TRUE(held) << held.error().text;
  const auto facts = gather_all();
  ASSERT_TRUE(facts.store) << facts.store_trouble.value_or("");
  EXPECT_FALSE(facts.store->migrations_fault) << *facts.store->migrations_fault;
  EXPECT_EQ(facts.store->events.storage, store::EventStorage::table);
  EXPECT_EQ(finding_of(settings_, facts, "secret.jwt").verdict, Verdict::ok);
  EXPECT_EQ(finding_of(settings_, facts, "secret.files").verdict, Verdict::ok);
  ::chmod((settings_.data_dir + "/jwt_secret").c_str(), 0644);
  settings_.jwt_secret = {};   // it has been read into them
  const auto loose = gather_all();
  EXPECT_EQ(finding_of(settings_, loose, "secret.files").verdict, Verdict::warning);
  EXPECT_FALSE(facts.disks.empty());
}

class DoctorGathersPostgres : public DoctorGathers {
 protected:
  DoctorGathersPostgres() {
    settings_.postgres.emplace();
    auto& login = *settings_.postgres;
    login.host = temp_.postgres.host;
    login.port = temp_.postgres.port;
    login.database = temp_.postgres.database;
    login.user = temp_.postgres.user;
    login.ssl_mode = "disable";
  }
  store::testing::TempDatabase temp_ = store::testing::make_temp_postgres();
};

TEST_F(DoctorGathersPostgres, WhatTheServerSays) {
  const auto facts = gather_all();
  ASSERT_TRUE(facts.store) << facts.store_trouble.value_or("");
  const auto& server = facts.store->server;
  EXPECT_GE(server.version, 150'000);
  EXPECT_TRUE(server.is_superuser);
  EXPECT_EQ(server.max_connections, 200);
  EXPECT_GT(server.connections, 0);
  EXPECT_FALSE(server.is_durable) << "the test's server runs without fsync";
  EXPECT_EQ(server.durability, "fsync");
  EXPECT_GT(facts.store->events.max_locks_per_transaction, 0);
  EXPECT_EQ(finding_of(settings_, facts, "database.migrations").verdict, Verdict::ok);
  EXPECT_EQ(finding_of(settings_, facts, "database.clock").verdict, Verdict::ok);
}

TEST_F(DoctorGathersPostgres, AnOlderSchemaIsAFindingAndNoEnd) {
  auto empty = store::testing::make_empty_postgres();
  settings_.postgres->database = empty.database;
  const auto facts = gather_all();
  ASSERT_TRUE(facts.store) << facts.store_trouble.value_or("");
  const auto finding = finding_of(settings_, facts, "database.migrations");
  EXPECT_EQ(finding.verdict, Verdict::critical);
  EXPECT_THAT(finding.text, HasSubstr("0001_ledger.sql"));
}

TEST_F(DoctorGathersPostgres, ADatabaseThatIsDownIsAFindingAndNoEnd) {
  settings_.postgres->port = 1;
  const auto facts = gather_all();
  EXPECT_FALSE(facts.store);
  const auto report = judge(settings_, facts, false);
  EXPECT_EQ(report.results.size(), all_checks().size());
  EXPECT_EQ(finding_of(settings_, facts, "database.reachable").verdict, Verdict::critical);
  EXPECT_EQ(finding_of(settings_, facts, "pipeline.lag").verdict, Verdict::skipped);
}

TEST_F(DoctorGathers, PortsThatOthersReach) {
  const std::string head =
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
  write(places_.tcp, head +
                         "   0: 00000000:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1\n"
                         "   1: 0100007F:18EB 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 2\n"
                         "   2: 0500000A:01BB 0600000A:C001 01 00000000:00000000 00:00000000 00000000 0 0 3\n");
  write(places_.tcp6,
        head +
            "   0: 00000000000000000000000001000000:18EB 00000000000000000000000000000000:0000 0A 0 0 0 0 0 4\n"
            "   1: 00000000000000000000000000000000:2378 00000000000000000000000000000000:0000 0A 0 0 0 0 0 5\n");
  const auto facts = gather_all();
  std::vector<std::string> open;
  for (const auto& port : facts.open_ports) open.push_back(fmt::format("{} {}", port.address, port.port));
  EXPECT_THAT(open, ElementsAre("0.0.0.0 5432", ":: 9080"));
}

TEST_F(DoctorGathers, NginxAsItsFilesHaveIt) {
  write(places_.nginx + "/nginx.conf", "http { include conf.d/*.conf; }\n");
  write(places_.nginx + "/conf.d/site.conf",
        "limit_req_zone $binary_remote_addr zone=auth_limit:10m rate=3r/m;\n"
        "# limit_req_zone $binary_remote_addr zone=api_limit:10m rate=10r/s;\n"
        "limit_req_status 429;   # as promised\n"
        "server {\n  ssl_certificate " +
            folder_.path() + "/none.pem;\n  ssl_certificate_key /etc/x;\n}\n");
  const auto facts = gather_all();
  ASSERT_TRUE(facts.nginx);
  EXPECT_TRUE(facts.nginx->limits_auth);
  EXPECT_FALSE(facts.nginx->limits_api) << "in a comment";
  EXPECT_TRUE(facts.nginx->answers_429);
  ASSERT_EQ(facts.nginx->certificates.size(), 1U);
  EXPECT_FALSE(facts.nginx->certificates[0].ends);
}

TEST_F(DoctorGathers, RulesOfLogrotateThatNameOurFolder) {
  settings_.log.directory = folder_.path() + "/logs/gateway";
  write(settings_.log.directory + "/agentauri.log", "a line\n");
  write(places_.logrotate + "/other", folder_.path() + "/logs/*.log {\n  daily\n}\n");
  EXPECT_FALSE(gather_all().logs->is_rotated) << "a folder above is not ours";
  write(places_.logrotate + "/ours", folder_.path() + "/logs/*/*.log {\n  daily\n}\n");
  const auto facts = gather_all();
  EXPECT_TRUE(facts.logs->is_rotated);
  EXPECT_EQ(facts.logs->largest_bytes, 7U);
}

TEST_F(DoctorGathers, APrometheusThatNamesOurPort) {
  EXPECT_FALSE(gather_all().has_prometheus);
  write(places_.prometheus + "/prometheus.yml", "scrape_configs: []\n");
  EXPECT_FALSE(gather_all().is_scraped);
  write(places_.prometheus + "/prometheus.yml", "targets: ['127.0.0.1:9464']\n");
  EXPECT_TRUE(gather_all().is_scraped);
}

}   // namespace
}   // namespace agentauri::app::doctor
