// Copies between the engines: exact, resumable, and refused where they would mix two stores.
#include "store/store_copy.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/testing/temp_database.hpp"

namespace agentauri::store {
namespace {

using ::testing::HasSubstr;

const Query kAccount{"copy_test_account",
                     "INSERT INTO accounts (id, username, username_key, email, email_key, is_active, failed_logins, "
                     "created_at, updated_at) VALUES (:id, :name, :name, :name, :name, :active, 3, :at, :at)"};
const Query kOrganization{"copy_test_organization",
                          "INSERT INTO organizations (id, name, slug, owner_id, created_at, updated_at) "
                          "VALUES (:id, 'o', 'o', :id, :at, :at)"};
const Query kTrigger{"copy_test_trigger",
                     "INSERT INTO triggers (id, organization_id, account_id, name, registry, enabled, is_stateful, "
                     "created_at, updated_at) VALUES (:id, :id, :id, 't', 'identity', :yes, :yes, :at, :at)"};
const Query kCondition{
    "copy_test_condition",
    "INSERT INTO trigger_conditions (trigger_id, condition_type, field, operator, value, config, "
    "position, created_at) VALUES (:id, 'agent_id_equals', 'agent_id', '=', :value, :config, 0, :at)"};
const Query kForgetLast{"copy_test_forget_last",
                        "DELETE FROM trigger_conditions WHERE id = (SELECT max(id) FROM trigger_conditions)"};
const Query kIds{"copy_test_ids", "SELECT id FROM trigger_conditions ORDER BY id DESC"};
const Query kBlock{"copy_test_block",
                   "INSERT INTO blocks (chain_id, hash, num, parent_hash, time, canonical, has_events, seen_at) "
                   "VALUES (:chain, :hash, :num, :hash, :at, :yes, :no, :at)"};
const Query kCounters{"copy_test_counters", "UPDATE counters SET value = 7 WHERE name = 'trigger_revisions'"};
Uuid uuid_of(int n) {
  Uuid id{};
  id.data[0] = static_cast<std::uint8_t>(0xff - n);
  id.data[15] = static_cast<std::uint8_t>(n);
  return id;
}

Bytes hash_of(int n) {
  Bytes out(32, 0);
  out[0] = static_cast<std::uint8_t>(n >> 8);
  out[1] = static_cast<std::uint8_t>(n);
  out[31] = 0xfe;
  return out;
}

Result<void> condition(Tx& tx, const std::string& value) {
  auto made = tx.run(kCondition, Params()
                                     .uuid("id", uuid_of(1))
                                     .text("value", value)
                                     .text("config", R"({"a": [1, 2.50, "é\u0000"]})")
                                     .time("at", from_micros(1'700'000'000'000'001)));
  if (!made) return fail(made);
  return {};
}

Result<void> fill(Tx& tx) {
  const Time at = from_micros(1'700'000'000'123'456);
  const auto row = [&](int n) {
    return Params()
        .uuid("id", uuid_of(n))
        .text("name", fmt::format("Ünal '{}' \\ \n", n))
        .boolean("active", n % 2 == 0)
        .boolean("yes", true)
        .time("at", at);
  };
  for (int n = 1; n < 4; ++n) {
    if (auto account = tx.run(kAccount, row(n)); !account) return fail(account);
  }
  if (auto organization = tx.run(kOrganization, row(1)); !organization) return fail(organization);
  if (auto trigger = tx.run(kTrigger, row(1)); !trigger) return fail(trigger);
  for (const char* value :
       {"1", "2", "115792089237316195423570985008687907853269984665640564039457584007913129639935"}) {
    if (auto made = condition(tx, value); !made) return made;
  }
  // The number of the third is not given again.
  if (auto forgotten = tx.run(kForgetLast); !forgotten) return fail(forgotten);
  std::vector<Params> blocks;
  for (int n = 0; n < 1700; ++n) {
    blocks.push_back(Params()
                         .i64("chain", n % 2 == 0 ? 1 : 8453)
                         .blob("hash", hash_of(n))
                         .i64("num", n)
                         .time("at", at)
                         .boolean("yes", true)
                         .boolean("no", false));
  }
  if (auto inserted = tx.run_many(kBlock, blocks); !inserted) return fail(inserted);
  if (auto counted = tx.run(kCounters); !counted) return fail(counted);
  return {};
}

struct Pair {
  testing::TempDatabase from, to;
};

class StoreCopy : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const bool from_sqlite = GetParam() == "sqlite";
    pair_.from = from_sqlite ? testing::make_temp_sqlite() : testing::make_temp_postgres();
    pair_.to = from_sqlite ? testing::make_temp_postgres() : testing::make_temp_sqlite();
    const auto filled = from().transact_blocking<void>(Priority::bulk, fill);
    ASSERT_TRUE(filled) << filled.error().text;
  }
  Database& from() { return *pair_.from.db; }
  Database& to() { return *pair_.to.db; }
  static std::vector<TableDigest> digests(Database& db) {
    auto out = db.snapshot_blocking<std::vector<TableDigest>>([](Tx& tx) { return digest_tables(tx); });
    EXPECT_TRUE(out) << out.error().text;
    return out ? *out : std::vector<TableDigest>{};
  }
  static bool is_half(Database& db) { return db.snapshot_blocking<bool>(is_half_copied).value(); }
  // Breaks the copy off when `table` has been begun.
  Result<std::vector<TableDigest>> copy_until(std::string_view table) {
    struct Broken {};
    try {
      return copy_store(from(), to(), [table](const CopyProgress& progress) {
        if (progress.phase == CopyProgress::Phase::copying && progress.table == table) throw Broken{};
      });
    } catch (const Broken&) {
      return fail(Code::cancelled, "broken off");
    }
  }

  Pair pair_;
};

TEST_P(StoreCopy, EverythingArrivesExactly) {
  std::vector<std::string> said;
  auto copied = copy_store(from(), to(), [&said](const CopyProgress& progress) {
    if (progress.phase == CopyProgress::Phase::copying)
      said.push_back(fmt::format("{} {}/{}", progress.table, progress.rows, progress.total));
  });
  ASSERT_TRUE(copied) << copied.error().text;
  EXPECT_EQ(compare_digests(digests(from()), digests(to())), "");
  EXPECT_EQ(compare_digests(*copied, digests(to())), "");
  EXPECT_FALSE(is_half(to()));
  EXPECT_THAT(said, ::testing::IsSupersetOf({"blocks 500/1700", "blocks 1700/1700", "accounts 3/3"}));
}

TEST_P(StoreCopy, TheDatabaseGoesOnNumberingWhereTheSourceStopped) {
  ASSERT_TRUE(copy_store(from(), to(), {}));
  ASSERT_TRUE(to().transact_blocking<void>(Priority::bulk, [](Tx& tx) { return condition(tx, "new"); }));
  const auto ids = to().query_blocking(kIds);
  ASSERT_TRUE(ids);
  EXPECT_EQ(ids->i64(0, 0), 4) << "3 was given and deleted";
}

TEST_P(StoreCopy, GoesOnWhereItWasBrokenOff) {
  for (const char* table : {"accounts", "blocks", "trigger_conditions"}) {
    ASSERT_FALSE(copy_until(table));
    EXPECT_TRUE(is_half(to()));
  }
  std::vector<std::string> said;
  auto copied = copy_store(from(), to(), [&said](const CopyProgress& progress) {
    if (progress.phase == CopyProgress::Phase::copying) said.emplace_back(progress.table);
  });
  ASSERT_TRUE(copied) << copied.error().text;
  EXPECT_EQ(compare_digests(digests(from()), digests(to())), "");
  EXPECT_FALSE(is_half(to()));
  EXPECT_THAT(said, ::testing::Not(::testing::Contains("accounts"))) << "what is there is not copied again";
}

TEST_P(StoreCopy, AHalfOfAnotherStoreIsRefused) {
  ASSERT_FALSE(copy_until("blocks"));
  ASSERT_TRUE(from().transact_blocking<Rows>(Priority::bulk, [](Tx& tx) { return tx.run(kForgetLast); }));
  auto copied = copy_store(from(), to(), {});
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().code, Code::conflict);
  EXPECT_THAT(copied.error().text, HasSubstr("another store"));
  EXPECT_TRUE(is_half(to()));
}

TEST_P(StoreCopy, ATargetWithRowsIsRefusedAndLeftAlone) {
  ASSERT_TRUE(to().transact_blocking<Rows>(Priority::bulk, [](Tx& tx) { return tx.run(kCounters); }));
  auto copied = copy_store(from(), to(), {});
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().code, Code::conflict);
  EXPECT_THAT(copied.error().text, HasSubstr("counters"));
  EXPECT_FALSE(is_half(to()));
  EXPECT_FALSE(copy_store(to(), from(), {})) << "the source is not empty either";
}

// Somebody wrote into the target behind the copy's back.
TEST_P(StoreCopy, ADifferenceAtTheEndIsFoundAndTheTargetStaysUnusable) {
  ASSERT_FALSE(copy_until("trigger_conditions"));
  const Query& spoil = interned_query("copy_test_spoil", "UPDATE accounts SET failed_logins = 4");
  ASSERT_TRUE(to().transact_blocking<Rows>(Priority::bulk, [&spoil](Tx& tx) { return tx.run(spoil); }));
  auto copied = copy_store(from(), to(), {});
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().code, Code::corrupt);
  EXPECT_THAT(copied.error().text, HasSubstr("accounts"));
  EXPECT_TRUE(is_half(to()));
}

INSTANTIATE_TEST_SUITE_P(From, StoreCopy, ::testing::Values("sqlite", "postgres"),
                         [](const auto& about) { return about.param; });

}   // namespace
}   // namespace agentauri::store
