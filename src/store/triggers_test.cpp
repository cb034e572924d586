#include "store/triggers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "store/accounts.hpp"
#include "store/revisions.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::store {
namespace {

using ::testing::ElementsAre;
using namespace std::chrono_literals;

class Triggers : public testing::EngineTest {
 protected:
  void SetUp() override {
    Account account;
    account.id = account_id;
    account.username = account.email = "orbit7";
    account.created_at = now;
    Organization own{organization, "o", "o", std::nullopt, account_id, "free", true, now, now};
    ASSERT_TRUE(in_tx<void>([&](Tx& tx) -> Result<void> {
      if (auto made = insert_account(tx, account, "orbit7", "orbit7"); !made) return made;
      return insert_organization(tx, own, domain::MembershipId::make(now));
    }));
  }
  domain::Trigger made(std::string name, Time at) {
    domain::Trigger t;
    t.id = domain::TriggerId::make(at);
    t.organization_id = organization;
    t.account_id = account_id;
    t.name = std::move(name);
    t.created_at = t.updated_at = at;
    EXPECT_TRUE(in_tx<void>([&](Tx& tx) { return insert_trigger(tx, t); }));
    return t;
  }
  domain::Trigger read(domain::TriggerId id) {
    auto found = in_tx<std::optional<domain::Trigger>>([&](Tx& tx) { return find_trigger(tx, organization, id); });
    EXPECT_TRUE(found && *found);
    return **found;
  }

  const Time now = from_unix_seconds(1'767'225'600);
  const domain::AccountId account_id = domain::AccountId::make(now);
  const domain::OrganizationId organization = domain::OrganizationId::make(now);
};

domain::Condition condition_at(std::int32_t position) {
  domain::Condition c;
  c.condition_type = "score_threshold";
  c.field = "score";
  c.op = "<";
  c.value = "60";
  c.position = position;
  c.config = R"({"a":1})";
  return c;
}

TEST_P(Triggers, ComeBackWhole) {
  auto t = made("name", now);
  t.description = "d";
  t.chain_id = 84532;
  t.registry = domain::Registry::validation;
  t.enabled = false;
  t.is_stateful = true;
  t.min_confirmations = 4;
  t.updated_at = now + 1s;
  ASSERT_TRUE(in_tx<void>([&](Tx& tx) { return update_trigger(tx, t); }));
  const auto back = read(t.id);
  EXPECT_EQ(back.description, "d");
  EXPECT_EQ(back.chain_id, 84532);
  EXPECT_EQ(back.registry, domain::Registry::validation);
  EXPECT_FALSE(back.enabled);
  EXPECT_TRUE(back.is_stateful);
  EXPECT_EQ(back.min_confirmations, 4);
  EXPECT_EQ(back.created_at, now);
  EXPECT_EQ(back.updated_at, now + 1s);
  const auto other = domain::OrganizationId::make(now);
  EXPECT_FALSE(
      in_tx<std::optional<domain::Trigger>>([&](Tx& tx) { return find_trigger(tx, other, t.id); })->has_value());
  EXPECT_FALSE(*in_tx<bool>([&](Tx& tx) { return trigger_exists(tx, other, t.id); }));
}

TEST_P(Triggers, PartsComeInTheirOrder) {
  const auto t = made("name", now);
  std::vector<domain::ConditionId> ids;
  for (const int position : {5, 1, 5})
    ids.push_back(
        *in_tx<domain::ConditionId>([&](Tx& tx) { return insert_condition(tx, t.id, condition_at(position)); }));
  std::vector<domain::ActionId> actions;
  for (const int priority : {0, -1}) {
    domain::Action a;
    a.priority = priority;
    a.created_at = now;
    actions.push_back(*in_tx<domain::ActionId>([&](Tx& tx) { return insert_action(tx, t.id, a); }));
    ASSERT_TRUE(in_tx<void>([&](Tx& tx) { return set_action_config(tx, actions.back(), R"({"url":"x"})", now); }));
  }
  const auto back = read(t.id);
  ASSERT_EQ(back.conditions.size(), 3U);
  EXPECT_THAT((std::vector{back.conditions[0].id, back.conditions[1].id, back.conditions[2].id}),
              ElementsAre(ids[1], ids[0], ids[2]));
  EXPECT_EQ(back.conditions[0].config, R"({"a":1})");
  EXPECT_THAT((std::vector{back.actions[0].id, back.actions[1].id}), ElementsAre(actions[1], actions[0]));
  EXPECT_EQ(back.actions[0].config, R"({"url":"x"})");
}

TEST_P(Triggers, SecretsAreKeptApart) {
  const auto t = made("name", now);
  const auto id = *in_tx<domain::ActionId>([&](Tx& tx) { return insert_action(tx, t.id, {}); });
  EXPECT_EQ(in_tx<SigningSecrets>([&](Tx& tx) { return read_signing_secrets(tx, id); })->current, std::nullopt);
  ASSERT_TRUE(in_tx<void>([&](Tx& tx) { return set_signing_secrets(tx, id, {"new", "old", now + 60s}, now); }));
  const auto secrets = *in_tx<SigningSecrets>([&](Tx& tx) { return read_signing_secrets(tx, id); });
  EXPECT_EQ(secrets.current, "new");
  EXPECT_EQ(secrets.previous, "old");
  EXPECT_EQ(secrets.previous_expires_at, now + 60s);
}

TEST_P(Triggers, PagesAreNewestFirst) {
  for (int i = 0; i < 5; ++i) made(std::to_string(i), now + std::chrono::seconds(i));
  const auto page = *in_tx<TriggerPage>([&](Tx& tx) { return list_triggers(tx, organization, 2, 1); });
  EXPECT_EQ(page.total, 5);
  ASSERT_EQ(page.rows.size(), 2U);
  EXPECT_EQ(page.rows[0].name, "3");
  EXPECT_EQ(page.rows[1].name, "2");
  EXPECT_EQ(*in_tx<std::int64_t>([&](Tx& tx) { return count_triggers(tx, organization, 3); }), 3);
}

// Two edits at once: the later revision must hold both, whichever that is.
TEST_P(Triggers, RevisionsHoldEveryEditBeforeThem) {
  const auto t = made("name", now);
  constexpr int kEdits = 12;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kEdits; ++i) {
      threads.emplace_back([&, i] {
        auto done = in_tx<domain::Trigger>([&](Tx& tx) -> Result<domain::Trigger> {
          if (auto locked = lock_trigger(tx, organization, t.id); !locked) return fail(locked);
          if (auto made_one = insert_condition(tx, t.id, condition_at(i)); !made_one) return fail(made_one);
          return commit_edit(tx, organization, t.id, now);
        });
        EXPECT_TRUE(done) << done.error().text;
      });
    }
  }
  const auto revisions = *in_tx<std::vector<Revision>>([](Tx& tx) { return read_revisions(tx, 0, 100); });
  ASSERT_EQ(revisions.size(), static_cast<std::size_t>(kEdits));
  for (std::size_t i = 0; i < revisions.size(); ++i) EXPECT_EQ(revisions[i].trigger.conditions.size(), i + 1);
}

TEST_P(Triggers, DeletionTakesPartsAndTellsTheEngine) {
  const auto t = made("name", now);
  ASSERT_TRUE(in_tx<domain::ConditionId>([&](Tx& tx) { return insert_condition(tx, t.id, condition_at(0)); }));
  const auto action = *in_tx<domain::ActionId>([&](Tx& tx) { return insert_action(tx, t.id, {}); });
  const auto whole = read(t.id);
  ASSERT_TRUE(in_tx<void>([&](Tx& tx) { return delete_trigger(tx, whole, now); }));
  EXPECT_FALSE(in_tx<SigningSecrets>([&](Tx& tx) { return read_signing_secrets(tx, action); }));
  const auto revisions = *in_tx<std::vector<Revision>>([](Tx& tx) { return read_revisions(tx, 0, 100); });
  ASSERT_EQ(revisions.size(), 1U);
  EXPECT_TRUE(revisions[0].deleted);
}

INSTANTIATE_TEST_SUITE_P(Engines, Triggers, testing::kEngines, testing::engine_name);

}   // namespace
}   // namespace agentauri::store
