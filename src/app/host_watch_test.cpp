#include "app/host_watch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "app/backup_status.hpp"

namespace agentauri::app {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Of api.example.org, valid until 2126.
constexpr const char* kCertificate = R"(-----BEGIN CERTIFICATE-----
MIIBizCCATGgAwIBAgIULnDI0axs73kzAUCBWCopANDnnRowCgYIKoZIzj0EAwIw
DDEKMAgGA1UEAwwBeDAgFw0yNjExMjcwMTM0NTNaGA8yMTI2MTEwMzAxMzQ1M1ow
DDEKMAgGA1UEAwwBeDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKOJD7d0DgF+
2P1qVL8KJ41vI9bd8+yHCfICJ5cwMzxhZizP1WVd+R/66kEBxfFi7SoN1eh3YUr6
unWFw08Zt2yjbzBtMB0GA1UdDgQWBBRfthP4/LFzF7ZZsqZ7i46lOQPO3TAfBgNV
HSMEGDAWgBRfthP4/LFzF7ZZsqZ7i46lOQPO3TAPBgNVHRMBAf8EBTADAQH/MBoG
A1UdEQQTMBGCD2FwaS5leGFtcGxlLm9yZzAKBggqhkjOPQQDAgNIADBFAiBYVVYS
AYiDbRi/zEARK+rO0yHELl2Gf6H+2cnjn4i6dgIhAJ+4zDkG4wfTXic5jXGt0x8D
U68LRyqdkpN2l/j5mpgX
-----END CERTIFICATE-----
)";

class HostWatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "host-watch-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void put(const std::string& name, const std::string& content) const {
    std::ofstream(folder_ + "/" + name) << content;
  }
  HostWatchSettings settings() const { return {folder_, {folder_ + "/cert.pem"}, std::chrono::seconds(3600)}; }

  std::string folder_;
  Metrics metrics_;
};

TEST_F(HostWatchTest, BackupsThatNeverWereAreZeroAndThenTheirTime) {
  HostWatch watch(settings(), metrics_);
  watch.look();
  EXPECT_THAT(metrics_.expose(), HasSubstr("backup_last_success_timestamp_seconds 0\n"));
  EXPECT_THAT(metrics_.expose(), HasSubstr("backup_last_verified_timestamp_seconds 0\n"));
  BackupStatus status;
  status.last_success_at = from_unix_seconds(1'795'000'000);
  status.last_size_bytes = 4096;
  status.last_verified_at = from_unix_seconds(1'795'000'100);
  status.last_failure_at = from_unix_seconds(1'795'000'200);
  ASSERT_TRUE(write_backup_status(folder_, status));
  watch.look();
  const auto text = metrics_.expose();
  EXPECT_THAT(text, HasSubstr("backup_last_success_timestamp_seconds 1795000000\n"));
  EXPECT_THAT(text, HasSubstr("backup_last_size_bytes 4096\n"));
  EXPECT_THAT(text, HasSubstr("backup_last_verified_timestamp_seconds 1795000100\n"));
  EXPECT_THAT(text, HasSubstr("backup_last_failure_timestamp_seconds 1795000200\n"));
}

// An alert on the age must not be silenced, or raised, by a file that is being written.
TEST_F(HostWatchTest, WhatCannotBeReadKeepsItsLastValue) {
  BackupStatus status;
  status.last_success_at = from_unix_seconds(1'795'000'000);
  ASSERT_TRUE(write_backup_status(folder_, status));
  put("cert.pem", kCertificate);
  HostWatch watch(settings(), metrics_);
  watch.look();
  put("status.json", "{");
  put("cert.pem", "nothing");
  watch.look();
  const auto text = metrics_.expose();
  EXPECT_THAT(text, HasSubstr("backup_last_success_timestamp_seconds 1795000000\n"));
  EXPECT_THAT(text, HasSubstr(R"(tls_certificate_expiry_timestamp_seconds{domain="api.example.org"} 4949343293)"));
}

TEST_F(HostWatchTest, LooksByItselfAndStopsAtOnce) {
  put("cert.pem", kCertificate);
  HostWatch watch(settings(), metrics_);
  EXPECT_THAT(metrics_.expose(), Not(HasSubstr("tls_certificate")));
  watch.start();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!metrics_.expose().contains("tls_certificate") && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  EXPECT_THAT(metrics_.expose(), HasSubstr("tls_certificate"));
  watch.stop();
}

}   // namespace
}   // namespace agentauri::app
