#include "store/wallets.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "store/accounts.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::store {
namespace {

using ::testing::ElementsAre;
using namespace std::chrono_literals;

const std::string kWallet = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";
const std::string kRegistry = "0x8004a169fb4a3325136eb29fa0ceb6d2e539a432";

class Wallets : public testing::EngineTest {
 protected:
  const Time now = from_unix_seconds(1'767'225'600);

  Nonce issued(std::string purpose = "login") {
    Nonce nonce{make_uuid_v4(), std::move(purpose), kWallet, 1, "text", now, now + 10min};
    EXPECT_TRUE(in_tx<void>([=](Tx& tx) { return insert_nonce(tx, nonce); }));
    return nonce;
  }
  Result<bool> consume(const Nonce& nonce, Time at) {
    return in_tx<bool>([=](Tx& tx) { return consume_nonce(tx, nonce.nonce, at); });
  }
  Account account(const std::string& name) {
    Account out;
    out.id = domain::AccountId::make(now);
    out.username = out.email = name;
    out.created_at = out.updated_at = now;
    EXPECT_TRUE(in_tx<void>([=](Tx& tx) { return insert_account(tx, out, name, name); }));
    return out;
  }
  Organization organization(const Account& owner) {
    Organization out;
    out.id = domain::OrganizationId::make(now);
    out.name = out.slug = owner.username;
    out.owner_id = owner.id;
    out.created_at = out.updated_at = now;
    EXPECT_TRUE(
        in_tx<void>([=, this](Tx& tx) { return insert_organization(tx, out, domain::MembershipId::make(now)); }));
    return out;
  }
  AgentLink link(const Organization& organization, std::string agent) {
    return {
        make_uuid_v7(now), 31337, kRegistry, std::move(agent), organization.id, kWallet, organization.owner_id, "0x00",
        "active",          now};
  }
  Result<void> add(const AgentLink& link) {
    return in_tx<void>([=](Tx& tx) { return insert_agent_link(tx, link); });
  }
};

TEST_P(Wallets, ANonceIsUsedOnce) {
  const auto nonce = issued();
  const auto found = in_tx<std::optional<Nonce>>([&](Tx& tx) { return find_nonce(tx, nonce.nonce, "login"); });
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->address, kWallet);
  EXPECT_EQ((*found)->message, "text");
  EXPECT_EQ((*found)->expires_at, now + 10min);
  EXPECT_EQ((*found)->used_at, std::nullopt);
  EXPECT_FALSE(*in_tx<std::optional<Nonce>>([&](Tx& tx) { return find_nonce(tx, nonce.nonce, "agent_link"); }));
  EXPECT_EQ(consume(nonce, now + 1s), true);
  EXPECT_EQ(consume(nonce, now + 1s), false);
  EXPECT_EQ((*in_tx<std::optional<Nonce>>([&](Tx& tx) { return find_nonce(tx, nonce.nonce, "login"); }))->used_at,
            now + 1s);
  EXPECT_EQ(consume(issued(), now + 10min), false) << "expired";
}

TEST_P(Wallets, OfManyWhoConsumeANonceOneWins) {
  const auto nonce = issued();
  std::atomic<int> won = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      const auto done = consume(nonce, now);
      EXPECT_TRUE(done);
      if (done && *done) ++won;
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(won, 1);
}

TEST_P(Wallets, FiveBadSignaturesMakeANonceVoid) {
  const auto four = issued(), five = issued();
  for (int i = 0; i < 5; ++i) {
    if (i < 4) EXPECT_TRUE(in_tx<void>([&](Tx& tx) { return count_nonce_attempt(tx, four.nonce); }));
    EXPECT_TRUE(in_tx<void>([&](Tx& tx) { return count_nonce_attempt(tx, five.nonce); }));
  }
  EXPECT_EQ(consume(four, now), true);
  EXPECT_EQ(consume(five, now), false);
}

TEST_P(Wallets, OldNoncesAreForgotten) {
  const auto nonce = issued();
  const auto gone = [&](Time before) {
    return in_tx<std::int64_t>([=](Tx& tx) { return delete_old_nonces(tx, before, 10); });
  };
  EXPECT_EQ(gone(now + 10min), 0);
  EXPECT_EQ(gone(now + 10min + 1s), 1);
  EXPECT_FALSE(*in_tx<std::optional<Nonce>>([&](Tx& tx) { return find_nonce(tx, nonce.nonce, "login"); }));
}

TEST_P(Wallets, AnIdentityHasOneAccount) {
  const auto first = account("one"), second = account("two");
  Identity identity{make_uuid_v7(now), first.id, "wallet", kWallet, kWallet, 1, "0xf39f...2266", now};
  EXPECT_TRUE(in_tx<void>([&](Tx& tx) { return insert_identity(tx, identity); }));
  identity.id = make_uuid_v7(now);
  identity.account_id = second.id;
  const auto again = in_tx<void>([&](Tx& tx) { return insert_identity(tx, identity); });
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::conflict);
  const auto found =
      in_tx<std::optional<domain::AccountId>>([&](Tx& tx) { return find_identity(tx, "wallet", kWallet); });
  ASSERT_TRUE(found && *found);
  EXPECT_EQ(**found, first.id);
  EXPECT_TRUE(in_tx<void>([&](Tx& tx) { return touch_identity(tx, "wallet", kWallet, now + 1h); }));
  const auto list = in_tx<std::vector<Identity>>([&](Tx& tx) { return list_identities(tx, first.id); });
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 1U);
  EXPECT_EQ(list->front().wallet_address, kWallet);
  EXPECT_EQ(list->front().chain_id, 1);
}

TEST_P(Wallets, AnAgentHasOneActiveLink) {
  const auto ours = organization(account("one")), theirs = organization(account("two"));
  const auto first = link(ours, "42");
  ASSERT_TRUE(add(first));
  const auto second = add(link(theirs, "42"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::conflict);
  auto elsewhere = link(theirs, "42");
  elsewhere.chain_id = 1;
  EXPECT_TRUE(add(elsewhere));

  const auto revoke = [&] {
    return in_tx<bool>([&](Tx& tx) { return revoke_agent_link(tx, first.id, "unlinked", now); });
  };
  EXPECT_EQ(revoke(), true);
  EXPECT_EQ(revoke(), false);
  EXPECT_TRUE(add(link(theirs, "42"))) << "only active ones stand in the way";
  const auto found = [&](const Organization& of) {
    return *in_tx<std::optional<AgentLink>>([&](Tx& tx) { return find_link_of_organization(tx, of.id, 31337, "42"); });
  };
  EXPECT_FALSE(found(ours));
  EXPECT_TRUE(found(theirs));
  const auto list = in_tx<std::vector<AgentLink>>([&](Tx& tx) { return list_agent_links(tx, theirs.id); });
  ASSERT_TRUE(list);
  EXPECT_EQ(list->size(), 2U);
}

TEST_P(Wallets, LinksAreCheckedInTurn) {
  const auto ours = organization(account("one"));
  auto older = link(ours, "1"), newer = link(ours, "2");
  newer.created_at = now + 1h;
  ASSERT_TRUE(add(older));
  ASSERT_TRUE(add(newer));
  const auto unchecked = [&](Time before) {
    std::vector<std::string> out;
    const auto list = in_tx<std::vector<AgentLink>>([&](Tx& tx) { return list_links_to_check(tx, 31337, before, 10); });
    for (const auto& one : *list) out.push_back(one.agent_id);
    return out;
  };
  EXPECT_THAT(unchecked(now), ElementsAre());
  EXPECT_THAT(unchecked(now + 2h), ElementsAre("1", "2"));
  EXPECT_TRUE(in_tx<void>([&](Tx& tx) { return note_link_checked(tx, older.id, now + 3h); }));
  EXPECT_THAT(unchecked(now + 2h), ElementsAre("2"));
}

INSTANTIATE_TEST_SUITE_P(Engines, Wallets, testing::kEngines, testing::engine_name);

}   // namespace
}   // namespace agentauri::store
