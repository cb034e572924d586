// What the store promises about values and errors, the same on both engines. Units of work: contract_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <climits>

#include "store/testing/temp_database.hpp"

namespace agentauri::store {
namespace {

const Query kPut{"test_put_value", "INSERT INTO counters (name, value) VALUES (:name, :value) RETURNING name, value"};
const Query kGet{"test_get_value", "SELECT value FROM counters WHERE name = :name"};
const Query kBump{"test_bump_value", "UPDATE counters SET value = value + :by WHERE name = :name"};

class StoreValues : public testing::EngineTest {
 protected:
  Result<Rows> put(std::string name, std::int64_t value) {
    return in_tx<Rows>([=](Tx& tx) { return tx.run(kPut, Params().text("name", name).i64("value", value)); });
  }
  bool stored(std::string name) { return !db().query_blocking(kGet, Params().text("name", std::move(name)))->empty(); }
};

TEST_P(StoreValues, ErrorsAreTellable) {
  ASSERT_TRUE(put("k1", 1));
  EXPECT_EQ(put("k1", 2).error().code, Code::conflict);
  EXPECT_EQ(put("bad\xff", 1).error().code, Code::invalid);
  EXPECT_EQ(put(std::string("nul\0x", 5), 1).error().code, Code::invalid);
  const auto missing = in_tx<Rows>([](Tx& tx) { return tx.run(kPut, Params().text("name", "k2")); });
  EXPECT_EQ(missing.error().code, Code::internal);
  EXPECT_THAT(missing.error().text, ::testing::HasSubstr(":value"));
  const auto null = in_tx<Rows>([](Tx& tx) { return tx.run(kPut, Params().text("name", "k2").null("value")); });
  EXPECT_EQ(null.error().code, Code::check_failed);
}

const Query kCheckBlocks{
    "test_check", "INSERT INTO block_log (chain_id, seq, op, block_hash, block_num) VALUES (1, :seq, :op, :hash, 1)"};

TEST_P(StoreValues, ChecksAreTheirOwnError) {
  const auto outcome = in_tx<void>([](Tx& tx) -> Result<void> {
    auto row = tx.run(kCheckBlocks, Params().i64("seq", 1).i64("op", 5).blob("hash", Bytes(32)));
    if (!row) return fail(row);
    return {};
  });
  EXPECT_EQ(outcome.error().code, Code::check_failed);
}

const Query kPutInstance{"test_put_instance",
                         "INSERT INTO instances (id, host, pid, pid_start, roles, started_at, heartbeat_at) "
                         "VALUES (:id, :host, :pid, 0, '', :at, :at) RETURNING id, host, pid, heartbeat_at"};

TEST_P(StoreValues, ValuesComeBackAsTheyWent) {
  const Uuid id = make_uuid_v4();
  const std::string text = "quotes ' \" and \\ and \xe2\x82\xac and :name and $1";
  for (const std::int64_t number : {INT64_MIN, INT64_MAX, std::int64_t{0}, std::int64_t{-1}}) {
    const Time at = from_micros(1'768'471'200'123'456);
    auto row = in_tx<Rows>([&](Tx& tx) {
      const Uuid fresh = number == INT64_MIN ? id : make_uuid_v4();
      return tx.run(kPutInstance, Params().uuid("id", fresh).text("host", text).i64("pid", number).time("at", at));
    });
    ASSERT_TRUE(row) << row.error().text;
    if (number == INT64_MIN) EXPECT_EQ(row->uuid(0, 0), id);
    EXPECT_EQ(row->text(0, 1), text);
    EXPECT_EQ(row->i64(0, 2), number);
    EXPECT_EQ(row->time(0, 3), at);
  }
}

const Query kPutEvent{"test_put_event",
                      "INSERT INTO events (chain_id, block_hash, txn_index, log_index, block_time, id, txn_hash, "
                      "contract, txn_ordinal, content_hash,"
                      " block_num, registry, event_type, value, feedback_index, canonical, live, inserted_at) VALUES "
                      "(1, :hash, 0, :i, :at, :id, :hash,"
                      " :hash, 0, :hash, 1, 'reputation', 'NewFeedback', :value, :index, :yes, :yes, :at) RETURNING "
                      "value, feedback_index, canonical"};

TEST_P(StoreValues, ExactNumbersStayExact) {
  std::int64_t i = 0;
  for (const char* number : {"0", "-1", "10000", "99990000", "170141183460469231731687303715884105727",
                             "-170141183460469231731687303715884105728", "100000000000000000000000000000000000000",
                             "12345678901234567890"}) {
    auto row = in_tx<Rows>([&](Tx& tx) {
      return tx.run(kPutEvent, Params()
                                   .blob("hash", Bytes(32))
                                   .i64("i", ++i)
                                   .time("at", from_micros(0))
                                   .text("id", std::to_string(i))
                                   .numeric("value", number)
                                   .numeric("index", "18446744073709551615")
                                   .boolean("yes", true));
    });
    ASSERT_TRUE(row) << row.error().text;
    EXPECT_EQ(row->text(0, 0), number);
    EXPECT_EQ(row->text(0, 1), "18446744073709551615");
    EXPECT_TRUE(row->boolean(0, 2));
  }
}

TEST_P(StoreValues, TextIsUtf8WithoutNul) {
  // At every distance from a word's end, since the check reads eight bytes at a time.
  for (std::size_t before = 0; before < 9; ++before) {
    const std::string pad(before, 'x');
    for (const std::string& bad :
         {std::string("\xff"), std::string("\xc0\xaf"), std::string("\xe0\x80\xaf"), std::string("\xed\xa0\x80"),
          std::string("\xf4\x90\x80\x80"), std::string("\xe2\x82"), std::string("\x80"), std::string(1, '\0')}) {
      const auto refused = put(pad + bad + pad, 1);
      ASSERT_FALSE(refused) << before;
      EXPECT_EQ(refused.error().code, Code::invalid);
      EXPECT_EQ(refused.error().field, "name");
    }
    for (const std::string& good :
         {std::string("\xc2\xa2"), std::string("\xe2\x82\xac"), std::string("\xf0\x9f\x98\x80"),
          std::string("\x01\x7f"), std::string("\xef\xbf\xbf"), std::string("\xf4\x8f\xbf\xbf")}) {
      const auto row = put(pad + good + pad, 1);
      ASSERT_TRUE(row) << row.error().text;
      EXPECT_EQ(row->text(0, 0), pad + good + pad);
    }
  }
  EXPECT_EQ(put("", 1)->text(0, 0), "");
}

TEST_P(StoreValues, SumsBeyondTheirRangeAreOverflows) {
  ASSERT_TRUE(put("k", INT64_MAX));
  const auto outcome = in_tx<Rows>([](Tx& tx) { return tx.run(kBump, Params().text("name", "k").i64("by", 1)); });
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Code::overflow) << outcome.error().text;
  EXPECT_EQ(db().query_blocking(kGet, Params().text("name", "k"))->i64(0, 0), INT64_MAX);
}

const Query kPutAttempt{
    "test_put_attempt",
    "INSERT INTO attempts (job_id, n, intended_at, status, excerpt, request_id) "
    "VALUES (:job, :n, :at, :status, :excerpt, '') RETURNING job_id, n, intended_at, status, excerpt, finished_at"};

class Attempts : public testing::EngineTest {
 protected:
  Result<Rows> put(Bytes job, std::int64_t n, Time at, std::optional<std::int64_t> status,
                   std::optional<std::string> excerpt = {}) {
    return in_tx<Rows>([=](Tx& tx) {
      return tx.run(
          kPutAttempt,
          Params().blob("job", job).i64("n", n).time("at", at).i64("status", status).text("excerpt", excerpt));
    });
  }
};

TEST_P(Attempts, NarrowColumnsOverflow) {
  EXPECT_TRUE(put(Bytes{1}, INT_MAX, from_micros(0), INT_MIN));
  EXPECT_EQ(put(Bytes{2}, 1, from_micros(0), std::int64_t{INT_MAX} + 1).error().code, Code::overflow);
  EXPECT_EQ(put(Bytes{2}, std::int64_t{INT_MIN} - 1, from_micros(0), 1).error().code, Code::overflow);
}

TEST_P(Attempts, NullsAndEmptyValuesAreNotTheSame) {
  const auto empty = put(Bytes{}, 1, from_micros(0), 0, "");
  ASSERT_TRUE(empty) << empty.error().text;
  EXPECT_EQ(empty->blob(0, 0), Bytes{});
  EXPECT_EQ(empty->i64_or_null(0, 3), 0);
  EXPECT_EQ(empty->text_or_null(0, 4), "");
  EXPECT_TRUE(empty->is_null(0, 5));
  EXPECT_EQ(empty->time_or_null(0, 5), std::nullopt);
  const auto nulls = put(Bytes{0}, 1, from_micros(0), std::nullopt);
  ASSERT_TRUE(nulls) << nulls.error().text;
  EXPECT_EQ(nulls->blob(0, 0), Bytes{0});
  EXPECT_EQ(nulls->i64_or_null(0, 3), std::nullopt);
  EXPECT_EQ(nulls->text_or_null(0, 4), std::nullopt);
}

TEST_P(Attempts, BytesOfEveryValueComeBack) {
  Bytes every;
  for (int i = 0; i < 256; ++i) every.push_back(static_cast<std::uint8_t>(i));
  const auto row = put(every, 1, from_micros(0), 1);
  ASSERT_TRUE(row) << row.error().text;
  EXPECT_EQ(row->blob(0, 0), every);
}

TEST_P(Attempts, TimesEndWithTheYears1And9999) {
  const std::int64_t first = -62'135'596'800'000'000, last = 253'402'300'799'999'999;
  std::int64_t n = 0;
  for (const std::int64_t micros :
       {first, std::int64_t{-1}, std::int64_t{0}, std::int64_t{946'684'800'000'001}, last}) {
    const auto row = put(Bytes{1}, ++n, from_micros(micros), 1);
    ASSERT_TRUE(row) << row.error().text;
    EXPECT_EQ(to_micros(row->time(0, 2)), micros);
  }
  for (const std::int64_t micros : {first - 1, last + 1, std::int64_t{INT64_MIN}, std::int64_t{INT64_MAX}}) {
    const auto refused = put(Bytes{2}, 1, from_micros(micros), 1);
    EXPECT_EQ(refused.error().code, Code::overflow);
    EXPECT_EQ(refused.error().field, "at");
  }
}

TEST_P(StoreValues, NumbersHaveOneForm) {
  const auto put_event = [this](std::string value, std::string index) {
    return in_tx<Rows>([=](Tx& tx) {
      return tx.run(kPutEvent, Params()
                                   .blob("hash", Bytes(32))
                                   .i64("i", 1)
                                   .time("at", from_micros(0))
                                   .text("id", "x")
                                   .numeric("value", value)
                                   .numeric("index", index)
                                   .boolean("yes", true));
    });
  };
  for (const char* bad :
       {"", "-", "+1", "007", "-0", "1.5", "1e3", "NaN", "Infinity", " 1", "1 ", "0x10", "\xd9\xa1"}) {
    const auto refused = put_event(bad, "0");
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().code, Code::invalid) << bad;
    EXPECT_EQ(refused.error().field, "value");
  }
  EXPECT_EQ(put_event("1" + std::string(39, '0'), "0").error().code, Code::overflow);
  EXPECT_EQ(put_event("0", "1" + std::string(20, '0')).error().code, Code::overflow);
  EXPECT_TRUE(put_event("-" + std::string(39, '9'), std::string(20, '9')));
}

const Query kPutAccount{"test_put_account",
                        "INSERT INTO accounts (id, username, username_key, email, email_key, created_at, updated_at) "
                        "VALUES (:id, :name, :name, :email, :email, :at, :at)"};
const Query kPutSession{"test_put_session",
                        "INSERT INTO sessions (id, account_id, created_at, last_used_at, expires_at) VALUES (:id, "
                        ":account, :at, :at, :at)"};

TEST_P(StoreValues, AConflictNamesItsConstraint) {
  const auto put_account = [this](std::string name, std::string email) {
    return in_tx<Rows>([=](Tx& tx) {
      return tx.run(
          kPutAccount,
          Params().uuid("id", make_uuid_v4()).text("name", name).text("email", email).time("at", from_micros(0)));
    });
  };
  ASSERT_TRUE(put_account("ann", "ann@example.org"));
  const auto same_name = put_account("ann", "other@example.org");
  EXPECT_EQ(same_name.error().code, Code::conflict);
  EXPECT_THAT(same_name.error().field, ::testing::HasSubstr("username_key"));
  const auto same_email = put_account("bob", "ann@example.org");
  EXPECT_EQ(same_email.error().code, Code::conflict);
  EXPECT_THAT(same_email.error().field, ::testing::HasSubstr("email_key"));
}

TEST_P(StoreValues, AReferenceIntoNothingIsAConflict) {
  const auto outcome = in_tx<Rows>([](Tx& tx) {
    return tx.run(kPutSession,
                  Params().uuid("id", make_uuid_v4()).uuid("account", make_uuid_v4()).time("at", from_micros(0)));
  });
  EXPECT_EQ(outcome.error().code, Code::conflict) << outcome.error().text;
}

INSTANTIATE_TEST_SUITE_P(Engines, StoreValues, testing::kEngines, testing::engine_name);
INSTANTIATE_TEST_SUITE_P(Engines, Attempts, testing::kEngines, testing::engine_name);

}   // namespace
}   // namespace agentauri::store
