#include "app/backup_folder.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "core/crypto/crypto.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Time kNow = Time(std::chrono::seconds(1'795'000'000));   // 2026-11-18 11:06:40 UTC

class Backups : public testing::Test {
 protected:
  Backups() : folder_(BackupFolder::open(temp_.path() + "/backups").value()) {}
  void put(const std::string& name, int days_old = 0) {
    std::ofstream(folder_.path_of(name)) << name;
    const auto seconds = to_unix_seconds(kNow) - days_old * 86'400 - 60;
    const timespec times[2] = {{seconds, 0}, {seconds, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, folder_.path_of(name).c_str(), times, 0), 0);
  }
  bool there(const std::string& name) const { return std::filesystem::exists(folder_.path_of(name)); }
  std::vector<std::string> forget(const Retention& retention, const std::string& verified = {}) {
    auto gone = forget_old_backups(folder_, BackupKind::postgres, "agentauri_backend", retention, kNow, verified);
    EXPECT_TRUE(gone) << gone.error().text;
    return *gone;
  }
  static std::string name(int day) { return fmt::format("agentauri_backend_202611{:02}_020000.sql.gz", day); }

  store::testing::TempFolder temp_;
  BackupFolder folder_;
};

TEST_F(Backups, AreNamedByDatabaseAndTime) {
  EXPECT_EQ(backup_name(BackupKind::postgres, "agentauri_backend", kNow), "agentauri_backend_20261118_110640.sql.gz");
  EXPECT_EQ(backup_name(BackupKind::postgres, "../x y", kNow), "___x_y_20261118_110640.sql.gz");
  EXPECT_EQ(backup_name(BackupKind::sqlite, "", kNow), "agentauri_20261118_110640.db.gz");
  EXPECT_EQ(kind_of_backup("agentauri_backend_20261118_110640.sql.gz"), BackupKind::postgres);
  EXPECT_EQ(kind_of_backup("agentauri_20261118_110640.db.gz"), BackupKind::sqlite);
  for (const char* other : {"", ".sql.gz", "x.sql.gz", "20261118_110640.sql.gz", "x-20261118_110640.sql.gz",
                            "x_2026111_110640.sql.gz", "x_20261118_110640.sql", "x_20261118_110640.sql.gz.json"})
    EXPECT_FALSE(kind_of_backup(other)) << other;
}

TEST_F(Backups, TwoInOneSecondHaveTwoNames) {
  put(folder_.free_name(BackupKind::sqlite, "", kNow));
  EXPECT_EQ(folder_.free_name(BackupKind::sqlite, "", kNow), "agentauri_20261118_110641.db.gz");
}

TEST_F(Backups, ThoseOfMoreThanSevenWholeDaysGo) {
  for (const int days : {6, 7, 8, 9}) put(name(18 - days), days);
  put(name(10) + ".json", 8);
  EXPECT_THAT(forget({.keep_days = 7, .keep_min = 1}), ElementsAre(name(9), name(10)));
  EXPECT_FALSE(there(name(10) + ".json"));
  EXPECT_TRUE(there(name(11)));
}

TEST_F(Backups, TheNewestAndTheLastGoodOneStay) {
  for (const int day : {1, 2, 3, 4, 5}) put(name(day), 30);
  EXPECT_THAT(forget({.keep_days = 7, .keep_min = 2}, name(2)), ElementsAre(name(1), name(3)));
  EXPECT_THAT(forget({.keep_days = 0, .keep_min = 0}), ElementsAre(name(2), name(4))) << "one stays whatever is said";
  EXPECT_TRUE(there(name(5)));
}

TEST_F(Backups, WhatIsNotOursStays) {
  const std::vector<std::string> others{"agentauri_20261101_020000.sql.gz",
                                        "agentauri_backend_20261101.sql.gz",
                                        "agentauri_backend_20261101_020000.sql.gz.asc",
                                        "notes.txt",
                                        "agentauri_backend_2026110x_020000.sql.gz",
                                        "agentauri_backend_old_20261101_020000.sql.gz"};
  for (const auto& other : others) put(other, 90);
  std::filesystem::create_directory(folder_.path_of(name(1)));
  put(name(18));
  put(name(17));
  EXPECT_TRUE(forget({.keep_days = 7, .keep_min = 1}).empty());
  for (const auto& other : others) EXPECT_TRUE(there(other)) << other;
}

TEST_F(Backups, OneAtATime) {
  const auto second = BackupFolder::open(folder_.path());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::busy);
}

TEST_F(Backups, AFileHasItsNameWhenItIsWhole) {
  {
    auto file = PartialFile::create(folder_, name(1));
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->write("half"));
    EXPECT_TRUE(there(name(1) + ".partial"));
  }
  EXPECT_FALSE(there(name(1) + ".partial")) << "one that is not finished is deleted";
  auto file = PartialFile::create(folder_, name(1));
  ASSERT_TRUE(file->write("wh"));
  ASSERT_TRUE(file->write("ole"));
  auto sha256 = file->close();
  ASSERT_TRUE(sha256);
  EXPECT_EQ(*sha256, to_hex(crypto::sha256(as_bytes("whole")).view()));
  BackupManifest manifest;
  manifest.kind = BackupKind::postgres;
  manifest.size_bytes = file->size();
  manifest.sha256 = *sha256;
  manifest.created_at = kNow;
  manifest.schema_version = 12;
  manifest.program_version = "1.2";
  manifest.database = "agentauri_backend";
  manifest.tables = {{"accounts", 3, "ab"}, {"jobs", 0, "cd"}};
  EXPECT_FALSE(there(name(1)));
  ASSERT_TRUE(file->publish(manifest));
  EXPECT_TRUE(there(name(1)));
  EXPECT_FALSE(there(name(1) + ".partial"));

  const auto path = folder_.path_of(name(1));
  const auto read = read_manifest(path);
  ASSERT_TRUE(read) << read.error().text;
  ASSERT_TRUE(*read);
  EXPECT_EQ(to_json(**read, name(1)), to_json(manifest, name(1)));
  EXPECT_TRUE(check_file(path, manifest));
  std::ofstream(path) << "whole!";
  EXPECT_THAT(check_file(path, manifest).error().text, HasSubstr("6 bytes instead of 5"));
  std::ofstream(path) << "whale";
  EXPECT_EQ(check_file(path, manifest).error().code, Code::corrupt);
}

TEST_F(Backups, WhatRunsLeftBehindIsClearedAndABackupIsNot) {
  for (const char* rest : {".partial", ".partial.db", ".partial.db-wal", ".json"}) put(name(1) + rest);
  put(name(2));
  put(name(2) + ".json");
  put("other_20261101_020000.sql.gz.partial");
  folder_.forget_partial(BackupKind::postgres, "agentauri_backend");
  for (const char* rest : {".partial", ".partial.db", ".partial.db-wal", ".json"})
    EXPECT_FALSE(there(name(1) + rest)) << rest;
  EXPECT_TRUE(there(name(2)));
  EXPECT_TRUE(there(name(2) + ".json"));
  EXPECT_TRUE(there("other_20261101_020000.sql.gz.partial"));
}

TEST_F(Backups, AManifestThatIsBrokenIsNotTakenForNone) {
  EXPECT_FALSE(read_manifest(folder_.path_of(name(1))).value());
  for (const char* text :
       {"", "{}", "[]", R"({"format": 2})", R"({"format": 1, "engine": "postgres", "sha256": "x"})"}) {
    std::ofstream(folder_.path_of(name(1)) + ".json") << text;
    const auto read = read_manifest(folder_.path_of(name(1)));
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, Code::corrupt);
  }
}

}   // namespace
}   // namespace agentauri::app
