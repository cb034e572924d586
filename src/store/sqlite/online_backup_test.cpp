#include "store/sqlite/online_backup.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "store/testing/temp_database.hpp"

namespace agentauri::store {
namespace {

const Query kAdd{Query::Unlisted{}, "online_backup_add", "INSERT INTO counters (name, value) VALUES (:name, :value)"};
Result<Rows> add(Database& db, const std::string& name, std::int64_t value) {
  return db.transact_blocking<Rows>(
      Priority::bulk, [=](Tx& tx) { return tx.run(kAdd, Params().text("name", name).i64("value", value)); });
}

TEST(OnlineBackup, IsOneMomentOfAStoreThatIsWrittenTo) {
  auto temp = testing::make_temp_sqlite();
  const testing::TempFolder folder;
  std::atomic<bool> stop = false;
  std::atomic<int> written = 0;
  std::jthread writer([&] {
    for (int i = 0; !stop; ++i) {
      EXPECT_TRUE(add(*temp.db, fmt::format("n{}", i), i));
      ++written;
    }
  });
  for (int i = 0; i < 5; ++i) {
    for (const int before = written; written == before;) std::this_thread::yield();
    const std::string to = folder.path() + "/copy.db";
    const auto copied = copy_sqlite(temp.folder->path(), to);
    ASSERT_TRUE(copied) << copied.error().text;
    EXPECT_GT(copied->schema_version, 0);
    const auto inside = inspect_sqlite(to);
    ASSERT_TRUE(inside) << inside.error().text;
    EXPECT_EQ(compare_digests(copied->tables, inside->tables), "");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1) << "nothing beside it";
    EXPECT_EQ(std::filesystem::status(to).permissions(), std::filesystem::perms(0600));
  }
  stop = true;
}

TEST(OnlineBackup, ABrokenFileIsCorrupt) {
  auto temp = testing::make_temp_sqlite();
  ASSERT_TRUE(temp.db->transact_blocking<std::int64_t>(Priority::bulk, [](Tx& tx) {
    std::vector<Params> rows;
    for (int i = 0; i < 2000; ++i)
      rows.push_back(Params().text("name", fmt::format("a name of some length {}", i * 7919)).i64("value", i));
    return tx.run_many(kAdd, rows);
  }));
  const testing::TempFolder folder;
  const std::string to = folder.path() + "/copy.db";
  ASSERT_TRUE(copy_sqlite(temp.folder->path(), to));
  {
    // The last page, which holds rows or a part of their index.
    constexpr std::streamoff kPage = 4096;
    std::fstream file(to, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(std::filesystem::file_size(to)) - kPage);
    file << std::string(kPage, '\xff');
  }
  const auto inside = inspect_sqlite(to);
  ASSERT_FALSE(inside);
  EXPECT_EQ(inside.error().code, Code::corrupt);
  std::ofstream(to) << "not a database, but long enough to be looked at as one ....................................";
  EXPECT_FALSE(inspect_sqlite(to));
}

TEST(OnlineBackup, AFolderIsHeldOnce) {
  const testing::TempFolder folder;
  auto held = hold_sqlite_folder(folder.path());
  ASSERT_TRUE(held);
  const auto again = hold_sqlite_folder(folder.path());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::busy);
  held->reset();
  EXPECT_TRUE(hold_sqlite_folder(folder.path()));
}

}   // namespace
}   // namespace agentauri::store
