#include "app/backup_status.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace agentauri::app {
namespace {

class BackupStatusFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "backup-status-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void put(const std::string& content) const { std::ofstream(folder_ + "/status.json") << content; }

  std::string folder_;
};

TEST_F(BackupStatusFile, WhatWasNeverDoneIsAbsent) {
  auto status = read_backup_status(folder_);
  ASSERT_TRUE(status) << status.error().text;
  EXPECT_EQ(*status, BackupStatus{});
  EXPECT_TRUE(read_backup_status(folder_ + "/no/such/folder"));
}

TEST_F(BackupStatusFile, WhatIsWrittenIsRead) {
  BackupStatus status;
  status.last_success_at = from_unix_seconds(1'795'000'000);
  status.last_file = "agentauri_backend_20261118_020000.sql.gz";
  status.last_size_bytes = 5'000'000'000;
  ASSERT_TRUE(write_backup_status(folder_, status));
  EXPECT_EQ(read_backup_status(folder_).value(), status);

  status.last_verified_at = from_unix_seconds(1'795'000'100);
  status.last_verified_file = status.last_file;
  status.last_failure_at = from_unix_seconds(1'795'000'200);
  status.last_failure = "pg_dump ended with 1: \"no\" such\nrole";
  ASSERT_TRUE(write_backup_status(folder_, status));
  EXPECT_EQ(read_backup_status(folder_).value(), status);
}

TEST_F(BackupStatusFile, EverybodyMayReadItWhateverTheUmask) {
  const mode_t before = ::umask(0077);
  const auto written = write_backup_status(folder_, {});
  ::umask(before);
  ASSERT_TRUE(written);
  struct stat about{};
  ASSERT_EQ(::stat((folder_ + "/status.json").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777U, 0644U);
}

TEST_F(BackupStatusFile, TheDraftOfARunThatDiedIsNotInTheWay) {
  std::ofstream(folder_ + "/status.json.new") << "half";
  ASSERT_TRUE(write_backup_status(folder_, {}));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/status.json.new"));
}

TEST_F(BackupStatusFile, AFileThatSaysSomethingElseIsNotTakenForNever) {
  for (const char* content :
       {"", "{", "[]", R"({"last_success_at": "yesterday"})", R"({"last_size_bytes": -1})", R"({"last_file": 7})"}) {
    put(content);
    auto status = read_backup_status(folder_);
    ASSERT_FALSE(status) << content;
    EXPECT_EQ(status.error().code, Code::corrupt) << content;
    EXPECT_NE(status.error().text.find("status.json"), std::string::npos);
  }
}

TEST_F(BackupStatusFile, AFolderThatIsMissingCannotBeWrittenTo) {
  auto written = write_backup_status(folder_ + "/missing", {});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Code::unavailable);
}

}   // namespace
}   // namespace agentauri::app
