// A process with other data keys than the store's does not start; one whose keys have only grown does.
#include "app/data_key_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/commands.hpp"
#include "app/exit_codes.hpp"
#include "delivery/testing/worker_rig.hpp"
#include "rules/action_secrets.hpp"
#include "store/key_canaries.hpp"
#include "store/testing/temp_database.hpp"
#include "store/triggers.hpp"

namespace agentauri::app {
namespace {

using crypto::DataKeys;
using ::testing::HasSubstr;

const std::string kFirst = "the first secret of the installation, long";
const std::string kSecond = "the second secret of the installation, long";

DataKeys configured(const std::string& secret, const std::string& previous = "") {
  return DataKeys::derive(secret, previous);
}
DataKeys explicit_keys() {
  return *DataKeys::parse("k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
}

class DataKeyCheck : public store::testing::EngineTest {
 protected:
  // An action whose signing secret is encrypted with the active one of `keys`.
  void add_action(const DataKeys& keys) {
    const auto action = alerts_.add_action(R"({"url":"https://example.org/hook"})");
    ASSERT_TRUE(in_tx<void>([&](store::Tx& tx) {
      const store::SigningSecrets secrets{keys.encrypt("whsec_x", rules::signing_secret_aad(action)), {}, {}};
      return store::set_signing_secrets(tx, action, secrets, SystemClock().now());
    }));
  }

  delivery::testing::Alerts alerts_{db()};
};

TEST_P(DataKeyCheck, TheSameKeysStartAgainAndOthersDoNot) {
  ASSERT_TRUE(check_data_keys(db(), configured(kFirst)));
  EXPECT_TRUE(check_data_keys(db(), configured(kFirst)));
  const auto other = check_data_keys(db(), configured(kSecond));
  ASSERT_FALSE(other);
  EXPECT_EQ(exit_code_of(other.error()), kExitConfig);
  EXPECT_THAT(other.error().text, HasSubstr("JWT_SECRET_PREVIOUS"));
  EXPECT_THAT(other.error().text, HasSubstr(configured(kFirst).active_kid()));
  EXPECT_TRUE(check_data_keys(db(), configured(kFirst))) << "who is refused leaves nothing behind";
}

TEST_P(DataKeyCheck, AKeyOfTheSameNameWithOtherBytesIsRefused) {
  ASSERT_TRUE(check_data_keys(db(), explicit_keys()));
  EXPECT_FALSE(check_data_keys(db(), *DataKeys::parse("k1:/wECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")));
}

TEST_P(DataKeyCheck, ExplicitKeysAreAddedInFrontOfDerivedOnes) {
  ASSERT_TRUE(check_data_keys(db(), configured(kFirst)));
  add_action(configured(kFirst));
  ASSERT_FALSE(check_data_keys(db(), explicit_keys())) << "the derived key is still needed";
  EXPECT_TRUE(check_data_keys(db(), explicit_keys().with_older(configured(kFirst))));
  EXPECT_FALSE(check_data_keys(db(), configured(kFirst))) << "others encrypt with the explicit key now";
  EXPECT_FALSE(check_data_keys(db(), explicit_keys().with_older(configured(kSecond))))
      << "and the action still needs the derived one";
  EXPECT_TRUE(check_data_keys(db(), explicit_keys().with_older(configured(kSecond, kFirst))));
}

TEST_P(DataKeyCheck, AnOldKeyMayGoWhenNothingNeedsIt) {
  ASSERT_TRUE(check_data_keys(db(), configured(kFirst)));
  ASSERT_TRUE(check_data_keys(db(), configured(kSecond, kFirst)));
  add_action(configured(kSecond));
  EXPECT_TRUE(check_data_keys(db(), configured(kSecond)));
}

// A body is encrypted under the key of its time, and waits with it.
TEST_P(DataKeyCheck, AWaitingJobNeedsItsKey) {
  ASSERT_TRUE(check_data_keys(db(), configured(kFirst)));
  ASSERT_TRUE(check_data_keys(db(), configured(kSecond, kFirst)));
  auto job = alerts_.job(1, "a", "https://example.org:443");
  job.body = R"({"token":")" + configured(kFirst).encrypt("t", rules::config_aad(1)) + "\"}";
  alerts_.insert({job});
  EXPECT_FALSE(check_data_keys(db(), configured(kSecond)));
}

INSTANTIATE_TEST_SUITE_P(Engines, DataKeyCheck, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::app
