#include <gtest/gtest.h>

#include "app/commands.hpp"
#include "app/exit_codes.hpp"
#include "core/crypto/crypto.hpp"
#include "store/chain_log.hpp"
#include "store/event_dead_letters.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::app {
namespace {

using std::chrono::hours;

constexpr domain::ChainId kChain = 31337;

Hash32 hash_of(std::uint64_t num) {
  return crypto::sha256(as_bytes(std::to_string(num)));
}

class ChainCommand : public ::testing::Test {
 protected:
  // Blocks 100 to 102, seen so long ago, and a head far above them.
  void follow(hours ago, std::uint64_t head) {
    const Time seen = SystemClock().now() - ago;
    const auto last = store::BlockRow{hash_of(head), head, hash_of(head - 1), seen, seen};
    std::vector<store::IngestedBlock> blocks;
    for (std::uint64_t num = 100; num <= 102; ++num)
      blocks.push_back({{hash_of(num), num, hash_of(num - 1), seen, seen}, {}, true});
    auto temp = store::make_sqlite_database({.data_dir = folder_.path()});
    ASSERT_TRUE(temp) << temp.error().text;
    auto done = (*temp)->transact_blocking<void>(store::Priority::interactive, [&](store::Tx& tx) -> Result<void> {
      auto row = store::attach_chain(tx, kChain, "test", 100, 100, 1, seen);
      if (!row) return fail(row);
      auto added = store::append_blocks(tx, kChain, 1, blocks, {{Address{}}, true}, {}, {}, seen);
      if (!added) return added;
      return store::append_range(tx, kChain, 1, {}, last, 103, {{Address{}}, true}, {}, {}, seen);
    });
    ASSERT_TRUE(done) << done.error().text;
  }
  int rewind(int retention_days = 30) {
    Settings settings;
    settings.data_dir = folder_.path();
    settings.attempt_retention_days = retention_days;
    return run_chain_rewind(settings, kChain, 100);
  }

  store::testing::TempFolder folder_;
};

TEST_F(ChainCommand, MakesNoStore) {
  EXPECT_EQ(rewind(), kExitConfig);
  EXPECT_FALSE(store::make_sqlite_database({.data_dir = folder_.path(), .read_only = true}));
}

TEST_F(ChainCommand, GoesBackToRecentBlocksHoweverMany) {
  follow(hours(24 * 20), 50'000);
  EXPECT_EQ(rewind(), kExitOk);
}

TEST_F(ChainCommand, GoesBackToOldBlocksWhoseAlertsAreKeptForReorganisations) {
  follow(hours(24 * 40), 10'000);
  EXPECT_EQ(rewind(), kExitOk);
}

// Alerts that the store has forgotten would be sent a second time.
TEST_F(ChainCommand, DoesNotGoBackToWhatIsForgottenUnlessAskedTo) {
  follow(hours(24 * 40), 50'000);
  EXPECT_EQ(rewind(), kExitUsage);
  EXPECT_EQ(rewind(60), kExitOk);
}

// What was passed over, and why: nothing at first, then one event.
TEST_F(ChainCommand, ListsEventsThatWerePassedOver) {
  follow(hours(1), 1'000);
  Settings settings;
  settings.data_dir = folder_.path();
  const auto list = [&settings](std::optional<domain::ChainId> only) {
    ::testing::internal::CaptureStdout();
    EXPECT_EQ(run_chain_dead_letters(settings, only, true), kExitOk);
    return ::testing::internal::GetCapturedStdout();
  };
  EXPECT_EQ(list({}), "{\"dead_letters\":[]}\n");
  {
    auto db = store::make_sqlite_database({.data_dir = folder_.path()});
    ASSERT_TRUE(db);
    const Time at = *parse_rfc3339("2026-01-15T10:00:00Z");
    ASSERT_TRUE((*db)->transact_blocking<void>(store::Priority::interactive, [&](store::Tx& tx) {
      return store::put_event_dead_letter(
          tx, {kChain, hash_of(101), 2, "identity-31337-0x00-1", "its registry is odd", 5, at, at});
    }));
  }
  const auto all = list({});
  EXPECT_TRUE(all.contains(R"("event_id":"identity-31337-0x00-1")")) << all;
  EXPECT_TRUE(all.contains(R"("error":"its registry is odd","attempts":5,"first_seen":"2026-01-15T10:00:00Z")")) << all;
  EXPECT_EQ(list(kChain), all);
  EXPECT_EQ(list(kChain + 1), "{\"dead_letters\":[]}\n");
}

}   // namespace
}   // namespace agentauri::app
